"""Which members of a sweep are at their end, and of what they were made."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from finetune.beside import BASE
from finetune.reading.recipe_file import read_recipe
from finetune.reports.report import build_report
from finetune.stages import Stage
from finetune.sweeps import shared_base
from finetune.sweeps.finished import Finished, read_finished
from finetune.sweeps.members import Member
from finetune.sweeps.same_inputs import check_inputs, find_changed
from finetune.workspace import Workspace
from harness.errors import ConfigError
from tests.integration.test_finetune import GRATH, write
from tests.records import store

SOME = {"acc": [0.0, 1.0] * 5}


@pytest.fixture(autouse=True)
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every checkpoint for whole."""
    monkeypatch.setattr("finetune.sweeps.finished.checkpoints.fault", lambda folder: None)


def member_with(folder: Path, **tasks: Any) -> list[Stage]:
    """Write a finetuning of an arm and its baseline, with a run of each of these tasks."""
    stages = [Stage("sft", folder / "sft", {}), Stage("laffi", folder / "laffi", {}, ("sft",))]
    runs = {name: store(folder / "runs" / name, told) for name, told in tasks.items()}
    told = {
        "stages": [
            {
                "name": one.name,
                "checkpoint": str(one.checkpoint),
                "facts": {},
                "baselines": one.baselines,
            }
            for one in stages
        ],
        "runs": {name: run.id for name, run in runs.items()},
        "inputs": {"training data": "x"},
    }
    (folder / "training.json").write_text(json.dumps(told))
    report = build_report(stages, runs, [])
    assert report.failed == isinstance(read_finished(folder, True), str)
    return stages


def test_read_finished_gives_stages_with_baselines_runs_and_inputs(tmp_path: Path) -> None:
    member_with(tmp_path, base={"t": SOME}, sft={"t": SOME}, laffi={"t": SOME})

    told = read_finished(tmp_path, True)

    assert isinstance(told, Finished)
    assert [one.baselines for one in told.stages] == [(), ("sft",)]
    assert list(told.runs) == [BASE, "sft", "laffi"]
    assert told.inputs == {"training data": "x"}


def test_read_finished_fails_where_a_wanted_comparison_cannot_be_made(tmp_path: Path) -> None:
    """As the report of the finetuning itself does: `member_with` asserts that."""
    member_with(tmp_path, base={"t": SOME}, sft={"other": SOME}, laffi={"t": SOME})

    assert "no task in common" in str(read_finished(tmp_path, True))


@pytest.fixture
def member(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_gpt2: Path) -> Member:
    """A member that trains on a local copy of our sample."""
    place = tmp_path / "data" / "mine__rationales"
    place.mkdir(parents=True)
    rows = [{"question": f"Is {number} even?"} for number in range(20)]
    (place / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path / "data"))
    file = write(tmp_path, GRATH, tiny_gpt2, data__questions="mine/rationales")
    return Member("seed-5", {}, "", read_recipe(file))


def made_of(member: Member) -> Finished:
    """Take a member for finished, of what there is now."""
    told = find_changed([member], {member.name: Finished([], {}, {})})
    assert "base, training data, scored data, prompts, teacher" in told[member.name]
    from finetune.inputs import inputs_of
    from finetune.scoring import evaluated_splits, evaluated_tasks
    from harness.data import load_split

    evaluated = evaluated_splits(evaluated_tasks(member.recipe))
    split = load_split(member.recipe.data.ref)
    return Finished([], {}, inputs_of(member.recipe, split, evaluated))


def test_find_changed_nothing_has(member: Member) -> None:
    assert find_changed([member], {member.name: made_of(member)}) == {}
    assert find_changed([member], {}) == {}


def test_check_inputs_names_the_member_and_what_differs(member: Member, tmp_path: Path) -> None:
    done = {member.name: made_of(member)}
    file = tmp_path / "data" / "mine__rationales" / "train.jsonl"
    file.write_text(file.read_text() + '\n{"question": "Is 20 even?"}')

    with pytest.raises(ConfigError, match=r"seed-5: made from other inputs .*: training data$"):
        check_inputs([member], done, tmp_path / "out")


def test_check_inputs_another_base_in_the_same_folder(
    member: Member, tmp_path: Path, tiny_gpt2: Path
) -> None:
    done = {member.name: made_of(member)}
    there = {**done[member.name].inputs, "base": "another"}

    with pytest.raises(ConfigError, match=r"now: base$"):
        check_inputs([member], {member.name: Finished([], {}, there)}, tmp_path)


@pytest.mark.parametrize("same", [True, False])
def test_lend_takes_no_run_of_other_documents(
    member: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    run = store(tmp_path / "lender" / "runs" / BASE, {"t": SOME})
    owner = shared_base.owner_of(run.folder)
    owner.write_text(shared_base.identity(member.recipe.model.name))
    fingerprint = run.tasks["t"].data["fingerprint"] if same else "e" * 64
    task = SimpleNamespace(split=SimpleNamespace(fingerprint=fingerprint))
    monkeypatch.setattr(shared_base, "evaluated_tasks", lambda recipe: {"t": task})

    shared_base.lend(member, tmp_path / "own", [tmp_path / "lender"])

    assert (Workspace(tmp_path / "own").run(BASE) / "run.json").is_file() == same
