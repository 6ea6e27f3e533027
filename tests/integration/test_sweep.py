"""Sweeps on a tiny random model: members, what they share, what they come to."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from finetune import grath, scoring, stages
from finetune.beside import BASE
from finetune.finetuning import finetune
from finetune.reading.recipe_file import read_recipe
from finetune.sweeps.finished import Finished, read_finished
from harness.commands import main
from harness.run_files import read_run
from tests.integration.test_finetune import GRATH, write
from tests.processes import run_two
from tests.tiny import save_tiny_gpt2
from tests.trainings import equal

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is dep:FutureWarning",
)
RATES = "trainer.learning_rate=0.001,0.01"
NAMES = [f"learning_rate-{rate}-seed-{seed}" for rate in ("0.001", "0.01") for seed in (1, 2)]
Command = Callable[..., int]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_gpt2(tmp_path_factory.mktemp("base"))


@pytest.fixture(autouse=True)
def pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have answers written by rule, instead of by a random model."""

    def hold(teacher: Any, dialogues: dict[str, Any]) -> dict[str, Any]:
        return {
            key: {"correct": f"Right {key[:4]}.", "incorrect": f"Wrong {key[:4]}."}
            for key in dialogues
        }

    monkeypatch.setattr(grath, "hold", hold)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the folder of each training that is begun."""
    folders: list[str] = []
    train = stages.train

    def noted(start: Any, rows: Any, dev: Any, told: Any, work: Path, *rest: Any, **kw: Any) -> Any:
        folders.append(work.parents[1].name)
        return train(start, rows, dev, told, work, *rest, **kw)

    monkeypatch.setattr(stages, "train", noted)
    return folders


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each model that is scored."""
    models: list[str] = []
    run = scoring.evaluate.run

    def noted(plan: Any) -> Any:
        models.append(str(plan.model_args["pretrained"]))
        return run(plan)

    monkeypatch.setattr(scoring.evaluate, "run", noted)
    return models


@pytest.fixture
def recipe(tmp_path: Path, base: Path) -> Path:
    return write(tmp_path, GRATH, base, data__rounds=1)


@pytest.fixture
def command(tmp_path: Path, recipe: Path) -> Command:
    def run(*more: str) -> int:
        return main(["finetune", str(recipe), "--output", str(tmp_path / "out"), *more])

    return run


def table(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def test_sweep_of_two_values_and_two_seeds_ends_in_tables_and_a_board(
    tmp_path: Path, base: Path, recipe: Path, command: Command, trained: list[str],
    scored: list[str], capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert command("--sweep", RATES, "--seeds", "1,2") == 0

    out = tmp_path / "out"
    assert trained == NAMES
    assert scored.count(str(base)) == 1
    ids = {read_run(out / "members" / name / "runs" / BASE).id for name in NAMES}
    assert len(ids) == 1
    members = table(out / "members.csv")
    assert {row["member"] for row in members} == {BASE, *NAMES}
    (row,) = [
        row
        for row in table(out / "sweep.csv")
        if (row["trainer.learning_rate"], row["metric"]) == ("0.01", "lift")
    ]
    own = [
        float(row["value"])
        for row in members
        if row["trainer.learning_rate"] == "0.01" and row["metric"] == "lift"
    ]
    assert (row["seeds"], row["checkpoint"]) == ("2", "round-1")
    assert float(row["mean"]) == pytest.approx(fmean(own))
    assert float(row["sd"]) == pytest.approx(stdev(own))
    assert {row["model"] for row in table(out / "board" / "long.csv")} == {BASE, *NAMES}
    told = capsys.readouterr().out
    assert "4 of 4 members finished" in told
    assert "over the seeds of a setting" in told

    finetune(read_recipe(recipe, ["trainer.learning_rate=0.01", "seed=2"]), tmp_path / "alone")
    checkpoint = Path("checkpoints") / "round-1"
    assert equal(tmp_path / "alone" / checkpoint, out / "members" / NAMES[3] / checkpoint)
    assert not equal(
        out / "members" / NAMES[2] / checkpoint, out / "members" / NAMES[3] / checkpoint
    )


def test_sweep_again_does_only_what_is_not_finished(
    tmp_path: Path, command: Command, trained: list[str], scored: list[str]
) -> None:
    out = tmp_path / "out"
    assert command("--seeds", "1,2", "--no-score") == 0
    assert not scored
    assert not (out / "board").exists()

    assert command("--seeds", "1,2") == 0
    assert trained == ["seed-1", "seed-2"]
    assert len(scored) == 3
    tables = (out / "sweep.csv").read_text()

    assert command("--seeds", "1,2") == 0
    assert (len(trained), len(scored)) == (2, 3)
    assert (out / "sweep.csv").read_text() == tables

    shutil.rmtree(out / "members" / "seed-2")
    assert command("--seeds", "1,2") == 0
    assert trained == ["seed-1", "seed-2", "seed-2"]
    assert len(scored) == 4  # the base's run is that of the first


def test_sweep_member_that_diverges_is_told_and_the_others_go_on(
    tmp_path: Path, command: Command, trained: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rates = "trainer.learning_rate=1.0e+30,0.01"

    assert command("--sweep", rates, "--seeds", "1") == 1

    out = tmp_path / "out"
    told = capsys.readouterr().out
    assert "learning_rate-1.0e+30-seed-1 failed: training diverged" in " ".join(told.split())
    assert "1 of 2 members finished" in told
    assert {row["trainer.learning_rate"] for row in table(out / "sweep.csv")} == {"0.01"}
    models = {row["model"] for row in table(out / "board" / "long.csv")}
    assert models == {BASE, "learning_rate-0.01-seed-1"}

    assert command("--sweep", rates, "--seeds", "1") == 1
    assert trained == ["learning_rate-1.0e+30-seed-1", "learning_rate-0.01-seed-1",
                       "learning_rate-1.0e+30-seed-1"]  # fmt: skip


def test_sweep_killed_in_its_second_member_goes_on_there(
    tmp_path: Path, recipe: Path, command: Command, monkeypatch: pytest.MonkeyPatch,
    scored: list[str],
) -> None:  # fmt: skip
    train = stages.train

    def killed(
        start: Any, rows: Any, dev: Any, told: Any, work: Path, *rest: Any, **kw: Any
    ) -> Any:
        if told.seed == 2:
            raise KeyboardInterrupt
        return train(start, rows, dev, told, work, *rest, **kw)

    monkeypatch.setattr(stages, "train", killed)
    assert command("--seeds", "1,2,3") == 130
    members = tmp_path / "out" / "members"
    assert isinstance(read_finished(members / "seed-1", True), Finished)
    assert not (members / "seed-3").exists()
    monkeypatch.setattr(stages, "train", train)

    assert command("--seeds", "1,2,3") == 0

    assert len(scored) == 4  # the base and three results
    finetune(read_recipe(recipe, ["seed=2"]), tmp_path / "alone", scored=False)
    checkpoint = Path("checkpoints") / "round-1"
    assert equal(tmp_path / "alone" / checkpoint, members / "seed-2" / checkpoint)


def test_sweep_of_the_model_has_a_base_for_each(
    tmp_path: Path, base: Path, recipe: Path, command: Command, scored: list[str]
) -> None:
    other = save_tiny_gpt2(tmp_path / "other", seed=1)

    assert command("--sweep", f"model.name={base},{other}", "--set", "seed=3") == 0

    assert [model for model in scored if model in (str(base), str(other))] == [
        str(base),
        str(other),
    ]
    long = table(tmp_path / "out" / "board" / "long.csv")
    assert len({row["model"] for row in long}) == 4
    assert {row["delta"] for row in long} == {""}


def test_sweep_finished_member_that_was_damaged_is_done_again(
    tmp_path: Path, command: Command, trained: list[str]
) -> None:
    assert command("--seeds", "1") == 0
    member = tmp_path / "out" / "members" / "seed-1"
    weights = member / "checkpoints" / "round-1" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    assert "adapter_model.safetensors" in str(read_finished(member, True))
    shutil.rmtree(member / "checkpoints" / "round-1")
    assert "no such folder" in str(read_finished(member, True))

    assert command("--seeds", "1") == 0
    assert trained == ["seed-1", "seed-1"]


def test_sweep_resumed_on_other_data_is_refused_before_anything_is_trained(
    tmp_path: Path, base: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    data = tmp_path / "data" / "mine__questions" / "train.jsonl"
    data.parent.mkdir(parents=True)
    data.write_text("\n".join(json.dumps({"question": f"Is {n} even?"}) for n in range(12)))
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path / "data"))
    file = write(tmp_path, GRATH, base, data__rounds=1, data__questions="mine/questions")
    out = tmp_path / "out"
    told = ["finetune", str(file), "--output", str(out), "--seeds", "1,2", "--no-score"]
    assert main(told) == 0
    shutil.rmtree(out / "members" / "seed-2")
    assert main(told) == 0
    assert trained == ["seed-1", "seed-2", "seed-2"]
    shutil.rmtree(out / "members" / "seed-2")
    data.write_text(data.read_text().replace("Is 3 even", "Is 3 odd"))
    capsys.readouterr()

    assert main(told) == main([*told, "--dry-run"]) == 1

    said = capsys.readouterr().err
    assert said.count("seed-1: made from other inputs than there are now: training data") == 2
    assert len(trained) == 3


def test_sweep_dry_run_lists_members_and_plans_and_writes_nothing(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--sweep", "trainer.max_steps=2,5", "--seeds", "1,2", "--dry-run") == 0

    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("4 members in ")
    assert told[1].split() == ["max_steps-2-seed-1", "begins"]
    assert "max_steps-2-seed-1, max_steps-2-seed-2:" in told
    assert [line for line in told if line.startswith("training")] == [
        "training    at most 12 rows and 2 steps, 1 times",
        "training    at most 12 rows and 5 steps, 1 times",
    ]
    assert not (tmp_path / "out").exists()


def test_sweep_in_a_folder_of_something_else_is_refused(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")

    assert command("--seeds", "1") == 1
    assert "holds something else than a sweep" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_sweep_of_other_members_in_the_same_folder_is_refused(
    tmp_path: Path, command: Command, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("finetune.sweeps.sweep.finetune", lambda *_: None)
    assert command("--seeds", "1,2") == 1  # nothing was trained: no member is finished
    capsys.readouterr()

    assert command("--seeds", "1,3") == 1
    told = capsys.readouterr().err
    assert "holds another sweep" in told
    assert "Only there: seed-2; only here: seed-3" in told


def test_sweep_member_of_another_recipe_is_refused_before_anything_is_done(
    tmp_path: Path, command: Command, trained: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("--seeds", "1,2", "--no-score") == 0

    assert command("--seeds", "1,2", "--no-score", "--set", "data.subset=10") == 1
    told = capsys.readouterr().err
    assert "holds a run of another recipe" in told
    assert "data.subset: 12 there, 10 here" in told
    assert trained == ["seed-1", "seed-2"]


def test_sweep_all_faults_are_told_before_anything_is_loaded(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("finetune.sweeps.sweep.finetune", None)

    assert command("--sweep", "data.rounds=1,0", "--seeds", "1,-1") == 1
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "selfcheck: --seeds=-1: must be a whole number from 0 to 4294967295, got -1",
        "--sweep data.rounds=0: must be a whole number above 0, got 0",
    ]


def test_sweep_member_failing_unexpectedly_is_told_and_the_next_is_tried(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def broken(*_: Any) -> None:
        raise ValueError("target modules \x1b[2J not found")

    monkeypatch.setattr("finetune.sweeps.sweep.finetune", broken)

    assert command("--seeds", "1,2") == 1
    told = capsys.readouterr()
    for name in ("seed-1", "seed-2"):
        assert f"{name} failed: ValueError: target modules" in told.out
    assert "\x1b" not in told.out
    assert not (tmp_path / "out" / "board").exists()


SCRIPT = """
import sys
from accelerate import PartialState
from finetune import grath
from harness.commands import main

def hold(teacher, dialogues):
    return {key: {"correct": f"Right {key[:4]}.", "incorrect": "Wrong."} for key in dialogues}

grath.hold = hold
status = main(["finetune", sys.argv[1], "--output", sys.argv[2], "--sweep",
               "trainer.learning_rate=0.01,1.0e+30", "--seeds", "1,2"])
state = PartialState()
assert state.num_processes == 2
assert status == int(state.is_main_process), status
"""


def test_sweep_in_two_processes_goes_past_members_that_diverge(
    tmp_path: Path, recipe: Path
) -> None:
    out = tmp_path / "out"

    for _ in range(2):  # the second finds the first two members done
        status, said = run_two(SCRIPT, tmp_path / "processes", str(recipe), str(out))
        assert status == 0, said[-3000:]

    assert {row["seeds"] for row in table(out / "sweep.csv")} == {"2"}
    finished = json.loads((out / "members/learning_rate-0.01-seed-2/training.json").read_text())
    assert list(finished["runs"]) == [BASE, "round-1"]
    assert not (out / "members/learning_rate-1.0e+30-seed-2/training.json").exists()
