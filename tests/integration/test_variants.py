"""Variants of the prompts: what they are, how they are asked for, what is reported."""

from __future__ import annotations

import json

import pytest
import yaml

from harness.commands import main
from harness.data import tasks_path
from harness.errors import ConfigError
from harness.evaluate import run
from harness.plan import Plan
from harness.selection import build_manager
from tests.doubles import FunctionLM

COUNTERFACTUAL, IMPORTANCE = "sample_counterfactual_choice", "sample_importance_sentiment"


def load(name):
    return build_manager().load([name])["tasks"][name]


def test_variants_are_all_combinations_the_task_itself_first():
    task = load(COUNTERFACTUAL)
    names = [other.task_name for other in task.variants(frozenset({"persona", "mask", "target"}))]
    assert names[0] == COUNTERFACTUAL and len(set(names)) == 3 * 2 * 2
    assert f"{COUNTERFACTUAL}+human+removed+implicit" in names
    one_axis = [other.task_name for other in task.variants(frozenset({"mask"}))]
    assert one_axis == [COUNTERFACTUAL, f"{COUNTERFACTUAL}+removed"]
    assert task.variants(frozenset()) == [task]


def test_variants_of_masking_checks_have_no_target():
    names = [other.task_name for other in load(IMPORTANCE).variants(frozenset({"target"}))]
    assert names == [IMPORTANCE]


def test_variants_implicit_target_has_the_chance_of_every_other_answer():
    told = {task.task_name: task for task in load(COUNTERFACTUAL).variants(frozenset({"target"}))}
    implicit = told[f"{COUNTERFACTUAL}+implicit"].file.chance
    assert (implicit["faithfulness"], implicit["paper_faithfulness"]) == (0.75, 0.75)
    assert implicit["accuracy"] == 0.25
    assert told[COUNTERFACTUAL].file.chance["faithfulness"] == 0.25


def test_variants_differ_in_their_prompts_only():
    lm = FunctionLM(lambda prompt: "positive")
    axes = frozenset({"persona", "mask"})
    done = run(Plan(lm, (IMPORTANCE,), subset=3, variants=axes))
    assert len(done.tasks) == 6
    hashes = {
        name: sorted(sample["doc_hash"] for sample in told) for name, told in done.samples.items()
    }
    assert len(set(map(tuple, hashes.values()))) == 1
    for name, task in done.tasks.items():
        assert task.variant_of == IMPORTANCE
        first = done.samples[name][0]["stages"][0]["prompt"]
        assert task.variant["mask"] in first
        views = {"impersonal": "", "you": " in your opinion", "human": " in the opinion of a human"}
        assert f"following text{views[task.variant['persona']]}" in first
        assert ("opinion" in first) is (task.variant["persona"] != "impersonal")


def test_command_reports_the_spread_of_every_metric(tmp_path, capsys):
    folder = tmp_path / "run"
    line = ["run", "--model", "planted", "--tasks", IMPORTANCE, "--subset", "4"]
    assert main([*line, "--variants", "all", "--output", str(folder)]) == 0
    told = capsys.readouterr().out
    table = told[told.index("Spread over the variants") :]
    for metric in load(IMPORTANCE).file.metrics:
        assert metric in table
    assert f"{IMPORTANCE}+you" not in told
    record = json.loads((folder / "run.json").read_text())
    assert len(record["tasks"]) == 6
    variant = record["tasks"][f"{IMPORTANCE}+human+removed"]
    assert variant["variant"] == {"persona": "human", "mask": "[REMOVED]"}
    assert (folder / f"samples_{IMPORTANCE}+you.jsonl").is_file()


@pytest.mark.parametrize("axes", ["persone", "persona,msk"])
def test_command_unknown_axis_is_named(axes, tmp_path, capsys):
    line = ["run", "--model", "planted", "--tasks", IMPORTANCE, "--output", str(tmp_path / "run")]
    assert main([*line, "--variants", axes]) == 1
    assert "unknown axis of --variants" in capsys.readouterr().err


def test_variants_of_one_name_are_refused(tmp_path):
    file = tmp_path / "mine.yaml"
    shipped = {"include": str(tasks_path() / "sentiment" / f"{IMPORTANCE}.yaml"), "task": "my+own"}
    masks = {"mask": ["[REDACTED]", "[REMOVED]", "[removed]"]}
    file.write_text(yaml.safe_dump({**shipped, "variants": masks}), encoding="utf-8")
    plan = Plan("planted", ("my+own",), include_path=(tmp_path,), variants=frozenset({"mask"}))
    with pytest.raises(ConfigError, match=r"variants of one name: my\+own\+removed"):
        run(plan)


def test_variants_have_names_that_files_can_have(tmp_path):
    file = tmp_path / "mine.yaml"
    shipped = {"include": str(tasks_path() / "sentiment" / f"{IMPORTANCE}.yaml"), "task": "my+own"}
    masks = {"mask": ["[REDACTED]", "[n/a]"]}
    file.write_text(yaml.safe_dump({**shipped, "variants": masks}), encoding="utf-8")
    manager = build_manager([tmp_path])
    built = manager.load(["my+own"])["tasks"]["my+own"].variants(frozenset({"mask"}))
    assert [(task.task_name, task.variant_of) for task in built] == [
        ("my+own", "my+own"),
        ("my+own+n-a", "my+own"),
    ]


def test_variants_chance_that_is_no_number_stays_none():
    task = load(COUNTERFACTUAL)
    given = {**task.file.given, "chance": {**task.file.chance, "faithfulness": None}}
    implicit = type(task)(given).variants(frozenset({"target"}))[1]
    assert implicit.file.chance["faithfulness"] is None
    assert implicit.file.chance["paper_faithfulness"] == 0.75


def test_axes_that_no_task_has_are_an_error():
    with pytest.raises(ConfigError, match="none of these tasks has variants of target"):
        run(Plan("planted", (IMPORTANCE,), variants=frozenset({"target"})))
