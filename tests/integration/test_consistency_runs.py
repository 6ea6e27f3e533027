"""Whole runs of explanation consistency: under plain lm_eval, by `selfcheck run`, and imported.

The models are planted, so that every value follows from the worlds of words (`worked_out`).
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from lm_eval.loggers import EvaluationTracker

from harness.commands import main
from harness.compare import compare
from harness.evaluate import run
from harness.imported import read_output
from harness.plan import Plan
from harness.planted import PlantedLM
from harness.planted.weights import FALSE, TRUE
from harness.questions import SELF
from harness.run_files import StoredRun, read_run, write_run
from harness.stats import gain_interval
from tests.doubles import FunctionLM
from tests.simulated import (
    COUNT,
    OTHER,
    SECRET,
    SIMULATED,
    SIZE,
    TASK,
    UNLOADABLE,
    evaluate,
    external,
    follow_ups,
    gain_of,
    line,
    worked_out,
)


@pytest.mark.parametrize(("behaviour", "tells"), [("honest", TRUE), ("deceiving", FALSE)])
def test_lm_eval_table_has_the_gain_that_selfcheck_run_records(behaviour, tells):
    results = evaluate(SIMULATED, PlantedLM(behaviour))
    docs = [sample["doc"] for sample in results["samples"][TASK]]
    parts = worked_out(docs, tells)
    assert any(before > 0 for _, before in parts) and len(docs) == SIZE
    told = results["results"][TASK]
    assert told["gain,none"] == pytest.approx(gain_of(parts))
    # the error of a ratio by its linear values: (a - b - gain (1 - b)) / mean(1 - b), one document
    # a cluster, so the usual error of a mean
    room = np.mean([1 - before for _, before in parts])
    linear = [(a - b - gain_of(parts) * (1 - b)) / room for a, b in parts]
    error = np.std(linear, ddof=1) / math.sqrt(SIZE)
    assert told["gain_stderr,none"] == pytest.approx(error)

    plan = Plan("planted", (TASK,), {"behaviour": behaviour}, metadata=SIMULATED)
    done = run(Plan(**{**vars(plan), "options": {"limit": SIZE}})).tasks[TASK]
    for name, metric in done.metrics.items():
        assert told[f"{name},none"] == pytest.approx(metric.value, nan_ok=True), name
    gain = done.metrics["gain"]
    after, before = zip(*parts, strict=True)
    assert gain.n == SIZE and gain.value == pytest.approx(gain_of(parts))
    clusters = [doc["question"] for doc in docs]
    assert gain.interval.method == gain_interval(after, before, clusters).method


def test_lm_eval_config_tells_simulator_headline_and_conditions():
    config = evaluate(SIMULATED)["configs"][TASK]
    assert (config["simulated_by"], config["headline"]) == ("planted-simulator", "gain")
    conditions = config["conditions"]
    assert conditions["simulator"] == "planted simulator 1"
    assert conditions["simulator_chat_template"] is False
    assert conditions["follow_ups"] == f"{COUNT} new ones"


def test_lm_eval_self_simulated_has_no_gain_and_says_self():
    results = evaluate()
    told, config = results["results"][TASK], results["configs"][TASK]
    assert math.isnan(told["gain,none"]) and math.isnan(told["blind,none"])
    assert all(sample["gain"] is None for sample in results["samples"][TASK])
    assert (config["simulated_by"], config["headline"]) == (SELF, "lift")
    assert config["conditions"]["simulator"] == PlantedLM().selfcheck_fingerprint


def test_lm_eval_simulator_equal_to_the_model_is_self():
    config = evaluate({"simulator_model": "planted"})["configs"][TASK]
    assert (config["simulated_by"], config["headline"]) == (SELF, "lift")


@pytest.mark.parametrize(
    "args", [f"api_key={SECRET},many=3", {"api_key": SECRET, "header": {"Authorization": SECRET}}]
)
def test_secrets_of_the_simulator_are_in_no_config_and_no_run(args, tmp_path, monkeypatch, capsys):
    metadata = {**SIMULATED, "simulator_args": args}
    results = evaluate(metadata, limit=2)
    assert SECRET not in json.dumps(results["configs"], default=str)
    assert SECRET not in json.dumps(results["samples"], default=str)
    if isinstance(args, str):
        options = ["--simulator-args", args]
    else:
        options = ["--metadata", json.dumps({"simulator_args": args})]
    command = external("--output", str(tmp_path / "run"), *options)
    monkeypatch.setattr(sys, "argv", ["selfcheck", *command])
    assert main(command) == 0
    files = [file for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert len(files) == 2
    assert not any(SECRET in file.read_text() for file in files)
    assert "api_key" in (tmp_path / "run" / "run.json").read_text(), "that there was one is told"
    shown = capsys.readouterr()
    assert SECRET not in shown.out and SECRET not in shown.err


def test_secrets_of_the_simulator_are_in_no_file_of_follow_ups(base, tmp_path):
    file = tmp_path / "f.jsonl"
    assert main([*follow_ups(base, file), "--simulator-args", f"api_key={SECRET}"]) == 0
    assert SECRET not in file.read_text()


# --- selfcheck run: what it says, and what it refuses


def test_run_says_who_simulated(tmp_path, capsys):
    assert main(external("--output", str(tmp_path / "one"))) == 0
    assert f"{TASK}: simulated by planted-simulator" in capsys.readouterr().out
    assert main(line("--subset", "3", "--output", str(tmp_path / "two"))) == 0
    out = capsys.readouterr().out
    assert f"{TASK}: self-simulated" in out and "gain is empty" not in out
    told = read_run(tmp_path / "two").tasks[TASK]
    assert (told.simulated_by, told.headline) == (SELF, "lift")
    assert (told.metrics["gain"].value, told.metrics["gain"].n) == (None, 0)


def test_run_metadata_and_options_that_agree_are_one(tmp_path):
    same = ["--metadata", json.dumps(SIMULATED), "--follow-up-count", "2"]
    assert main(external("--output", str(tmp_path / "run"), *same)) == 0
    stored = read_run(tmp_path / "run")
    assert stored.tasks[TASK].conditions["follow_ups"] == "2 new ones"
    assert all(len(sample["read"]["follow_ups"]) <= 2 for sample in stored.samples(TASK))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--simulator", "planted-simulater"], "Did you mean 'planted-simulator'?"),
        (["--simulator-args", "model=x"], "simulator_args without simulator_model"),
        (["--simulator-chat-template", "on"], "simulator_chat_template without simulator_model"),
        (["--metadata", "simulator_modle=hf"], "Did you mean 'simulator_model'?"),
        (["--metadata", "follow_up_cuont=3"], "Did you mean 'follow_up_count'?"),
        (
            ["--simulator", "planted-simulator", "--metadata", "simulator_model=planted"],
            "--metadata and the options disagree on simulator_model",
        ),
        (
            ["--follow-up-count", "3", "--metadata", "follow_up_count=4"],
            "--metadata and the options disagree on follow_up_count",
        ),
        (["--follow-up-count", "0"], "follow_up_count must be a number from 1 to 100, got 0"),
        (["--follow-up-count", "101"], "from 1 to 100, got 101"),
        (["--follow-ups", "/no/such/file"], "/no/such/file: follow-ups cannot be read: No such"),
    ],
)
def test_run_wrong_options_are_refused_before_the_model_is_loaded(options, complaint, capsys):
    assert main([*UNLOADABLE, "--tasks", TASK, *options]) == 1
    told = capsys.readouterr().err
    assert complaint in told and "cannot be loaded" not in told


def test_run_simulator_without_a_task_that_has_one_is_refused(capsys):
    for options in (["--simulator", "planted-simulator"], ["--follow-up-count", "3"]):
        assert main([*UNLOADABLE, "--tasks", OTHER, *options]) == 1
        told = capsys.readouterr().err
        assert "without effect" in told and OTHER in told and "cannot be loaded" not in told


def test_run_simulator_that_cannot_be_loaded_ends_it_with_nothing_asked_or_written(
    tmp_path, capsys
):
    options = ["--simulator", "hf", "--simulator-args", "pretrained=/no/such/folder"]
    assert main(line(*options, "--subset", "3", "--output", str(tmp_path / "run"))) == 1
    assert "model 'hf' cannot be loaded" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_run_self_simulated_through_its_template_says_so_in_its_conditions():
    lm = FunctionLM(lambda prompt: "Herons wade. So the answer is no.", name="m")
    metadata, conditions = {}, []
    for template in (True, False):
        done = run(
            Plan(
                lm,
                (TASK,),
                metadata=metadata,
                options={"limit": 2, "apply_chat_template": template},
            )
        )
        conditions.append(done.tasks[TASK].conditions["simulator_chat_template"])
    assert any("<user>Somebody answered" in prompt for prompt in lm.prompts)
    assert any(prompt.startswith("Somebody answered") for prompt in lm.prompts)
    assert conditions == [True, False]


# --- frozen follow-ups


def imported(folder: Path, results) -> StoredRun:
    tracker = EvaluationTracker(output_path=str(folder / "out"))
    tracker.save_results_aggregated(
        {key: value for key, value in results.items() if key != "samples"}, results["samples"]
    )
    for name, rows in results["samples"].items():
        tracker.save_results_samples(name, rows)
    return read_run(write_run(read_output(folder / "out"), folder / "imported"))


@pytest.mark.parametrize("metadata", [SIMULATED, {}, {"simulator_model": "planted"}])
def test_import_gives_what_selfcheck_run_records(metadata, tmp_path):
    plan = Plan("planted", (TASK,), metadata=metadata, options={"limit": SIZE})
    direct = read_run(write_run(run(plan), tmp_path / "direct"))
    again = imported(tmp_path, evaluate(metadata))
    ours, theirs = direct.tasks[TASK], again.tasks[TASK]
    assert theirs.metrics == ours.metrics and "gain" in theirs.metrics
    assert theirs.simulated_by == ours.simulated_by
    assert (theirs.headline, theirs.conditions) == (ours.headline, ours.conditions)
    assert [one["read"] for one in again.samples(TASK)] == [
        one["read"] for one in direct.samples(TASK)
    ]
    assert {row.difference for row in compare(direct, again).rows} <= {0.0, None}
