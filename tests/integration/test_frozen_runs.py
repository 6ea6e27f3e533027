"""Runs on frozen follow-ups: the same questions for every checkpoint, to its own explanations."""

from __future__ import annotations

import json

import pytest

from harness.commands import main
from harness.compare import compare
from harness.errors import ConfigError
from harness.evaluate import run
from harness.follow_ups import read_follow_ups_file
from harness.plan import Plan
from harness.planted.weights import FALSE, GUESSED
from harness.questions import SELF
from harness.run_files import read_run
from tests.doubles import FunctionLM
from tests.simulated import (
    COUNT,
    OTHER,
    SIMULATED,
    SIZE,
    TASK,
    UNLOADABLE,
    evaluate,
    external,
    follow_ups,
    gain_of,
    line,
    told_words,
    worked_out,
)


def test_follow_ups_file_holds_questions_and_blind_guesses_and_no_simulation(base, frozen):
    told = read_follow_ups_file(str(frozen))
    assert told.header.explanations == base.id and told.header.count == COUNT
    assert told.header.simulator == base.tasks[TASK].conditions["simulator"]
    samples = list(base.samples(TASK))
    assert set(told.of(TASK)) == {sample["doc_hash"] for sample in samples}
    for sample in samples:
        found = told.of(TASK)[sample["doc_hash"]]
        words = told_words(sample["doc"])
        assert [one.posed.question for one in found] == [f"Is the word {w} light?" for w in words]
        assert [one.blind for one in found] == [
            "yes" if GUESSED.is_light(w) else "no" for w in words
        ]
    assert "simulate" not in frozen.read_text()


def test_frozen_gives_the_same_model_exactly_the_fresh_scores(base, frozen, runs):
    again = runs("again", external("--follow-ups", str(frozen)))
    fresh, told = base.tasks[TASK], again.tasks[TASK]
    assert told.metrics == fresh.metrics and told.headline == fresh.headline
    digest = read_follow_ups_file(str(frozen)).digest
    assert told.conditions == {**fresh.conditions, "follow_ups": digest}
    ours, theirs = list(base.samples(TASK)), list(again.samples(TASK))
    assert [one["metrics"] for one in ours] == [one["metrics"] for one in theirs]


def test_frozen_expects_of_another_model_what_its_own_explanation_says(base, frozen, runs):
    other = runs("other", external("--follow-ups", str(frozen), behaviour="deceiving"))
    theirs = {sample["doc_hash"]: sample["read"]["explanation"] for sample in base.samples(TASK)}
    samples = list(other.samples(TASK))
    assert len(samples) == SIZE
    for sample in samples:
        stages = {stage["stage"]: stage for stage in sample["stages"]}
        assert not any(name.startswith(("follow_ups", "blind")) for name in stages)
        own = sample["read"]["explanation"]
        assert own != theirs[sample["doc_hash"]]
        simulated = [stage for name, stage in stages.items() if name.startswith("simulate")]
        assert len(simulated) == len(told_words(sample["doc"])) > 0
        for stage in simulated:
            assert own in stage["prompt"] and theirs[sample["doc_hash"]] not in stage["prompt"]
    # by hand: it tells of FALSE and answers by TRUE, about the same words, guessed alike
    parts = worked_out([sample["doc"] for sample in samples], FALSE)
    told = other.tasks[TASK].metrics
    after, before = zip(*parts, strict=True)
    assert told["consistency"].value == pytest.approx(sum(after) / SIZE)
    assert told["blind"].value == pytest.approx(sum(before) / SIZE)
    assert told["gain"].value == pytest.approx(gain_of(parts))


def test_frozen_documents_that_the_file_lacks_are_counted_before_the_model_is_loaded(
    frozen, capsys
):
    options = ["--simulator", "planted-simulator", "--follow-ups", str(frozen)]
    # a larger subset holds the smaller one: 12 - 6 are new
    assert main([*UNLOADABLE, "--tasks", TASK, *options, "--subset", "12"]) == 1
    told = capsys.readouterr().err
    assert f"has no follow-ups to 6 of 12 documents of {TASK}" in told
    assert str(frozen) in told and "--subset-seed" in told and "cannot be loaded" not in told
    assert main([*UNLOADABLE, "--tasks", TASK, *options]) == 1
    assert "has no follow-ups to 34 of 40 documents" in capsys.readouterr().err


def test_frozen_documents_that_the_file_lacks_are_counted_before_loading_with_limit_too(
    frozen, capsys
):
    options = ["--simulator", "planted-simulator", "--follow-ups", str(frozen), "--limit", "12"]
    assert main([*UNLOADABLE, "--tasks", TASK, *options]) == 1
    assert "has no follow-ups to" in capsys.readouterr().err


def test_frozen_documents_that_the_file_lacks_stop_plain_lm_eval_with_nothing_asked(frozen):
    lm = FunctionLM(name="m")
    with pytest.raises(ConfigError, match=f"has no follow-ups to .* documents of {TASK}"):
        evaluate({**SIMULATED, "follow_ups": str(frozen)}, lm, limit=12)
    assert not lm.prompts


def test_frozen_under_plain_lm_eval_gives_the_same_scores(base, frozen):
    chosen = {TASK: [sample["doc_id"] for sample in base.samples(TASK)]}
    told = {**SIMULATED, "follow_ups": str(frozen)}
    results = evaluate(told, limit=None, samples=chosen)["results"][TASK]
    for name, metric in base.tasks[TASK].metrics.items():
        assert results[f"{name},none"] == pytest.approx(metric.value), name


def test_frozen_by_the_model_itself_has_no_blind_guess_for_it_and_one_for_others(runs, tmp_path):
    own = runs("self", line("--subset", str(SIZE)))
    file = tmp_path / "own.jsonl"
    assert main(follow_ups(own, file, simulator="planted")) == 0
    subset = ["--subset", str(SIZE), "--follow-ups", str(file)]
    assert main(line(*subset, "--output", str(tmp_path / "self"))) == 0
    told = read_run(tmp_path / "self").tasks[TASK]
    assert told.metrics == own.tasks[TASK].metrics and told.simulated_by == SELF
    assert (told.metrics["blind"].n, told.metrics["gain"].n) == (0, 0)
    named = ["--simulator", "planted"]
    command = line(*named, *subset, "--output", str(tmp_path / "other"), behaviour="deceiving")
    assert main(command) == 0
    other = read_run(tmp_path / "other")
    docs = [sample["doc"] for sample in other.samples(TASK)]
    assert other.tasks[TASK].metrics["gain"].value == pytest.approx(
        gain_of(worked_out(docs, FALSE))
    )


def test_frozen_and_follow_up_count_contradict_each_other(frozen, capsys):
    options = ["--simulator", "planted-simulator", "--follow-ups", str(frozen)]
    assert main([*UNLOADABLE, "--tasks", TASK, *options, "--follow-up-count", "3"]) == 1
    told = capsys.readouterr().err
    assert "the file has its own number" in told and "cannot be loaded" not in told


def test_frozen_of_another_task_or_definition_is_refused_before_the_model_is_loaded(
    frozen, tmp_path, capsys
):
    options = ["--simulator", "planted-simulator", "--follow-ups"]
    strategy = "selfcheck_consistency_strategyqa"
    assert main([*UNLOADABLE, "--tasks", strategy, *options, str(frozen)]) == 1
    assert f"unknown task: got '{strategy}'" in capsys.readouterr().err
    first, *rest = frozen.read_text().splitlines()
    header = json.loads(first)
    header["tasks"][TASK]["version"] = "0.9"
    changed = tmp_path / "changed.jsonl"
    changed.write_text("\n".join([json.dumps(header), *rest]) + "\n", encoding="utf-8")
    assert main([*UNLOADABLE, "--tasks", TASK, *options, str(changed)]) == 1
    told = capsys.readouterr().err
    assert f"made with {TASK} 0.9" in told and "cannot be loaded" not in told


@pytest.mark.parametrize("told", [{}, {"simulator_model": "planted"}])
def test_frozen_with_another_simulator_asks_the_model_nothing(frozen, told):
    lm = FunctionLM(name="m")
    plan = Plan(lm, (TASK,), subset=SIZE, metadata={**told, "follow_ups": str(frozen)})
    with pytest.raises(ConfigError, match=r"written by another simulator: planted-simulator"):
        run(plan)
    assert not lm.prompts


def test_frozen_is_not_compared_with_fresh(base, frozen, runs, capsys):
    again = runs("again", external("--follow-ups", str(frozen)))
    assert main(["compare", str(base.folder), str(again.folder)]) == 1
    told = capsys.readouterr().err
    assert f"{TASK}: other follow_ups: '{COUNT} new ones'" in told


def test_frozen_runs_of_two_models_are_compared(frozen, runs):
    again = runs("again", external("--follow-ups", str(frozen)))
    other = runs("other", external("--follow-ups", str(frozen), behaviour="deceiving"))
    rows = {row.metric: row for row in compare(again, other).rows}
    assert rows["consistency"].difference < 0 and rows["gain"].n == SIZE


def test_follow_ups_wrong_requests_are_refused(base, runs, tmp_path, capsys):
    mixed = runs("mixed", external(tasks=f"{TASK},{OTHER}"))
    there = tmp_path / "there.jsonl"
    there.write_text("precious")
    cases = [
        (follow_ups(base, there), "there.jsonl is there already; give"),
        (follow_ups(base, tmp_path / "f", simulator="plantd"), "Did you mean 'planted'?"),
        (follow_ups(base, tmp_path / "f", task=OTHER), f"unknown task of the run: got '{OTHER}'"),
        (follow_ups(mixed, tmp_path / "f", task=OTHER), "has no follow-ups: it is no task of"),
        (follow_ups(base, tmp_path / "f", task="sample_consistncy_yes_no"), f"mean '{TASK}'?"),
    ]
    for command, complaint in cases:
        assert main(command) == 1
        assert complaint in capsys.readouterr().err, complaint
    assert there.read_text() == "precious" and not (tmp_path / "f").exists()


def test_follow_ups_by_a_simulator_that_nobody_can_identify_are_refused(base, tmp_path, capsys):
    assert main(follow_ups(base, tmp_path / "f.jsonl", simulator="scripted-simulator")) == 1
    assert not (tmp_path / "f.jsonl").exists()


def test_follow_ups_output_that_cannot_be_written_is_a_message(base, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(follow_ups(base, tmp_path / "file" / "f.jsonl")) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


# --- other simulators
