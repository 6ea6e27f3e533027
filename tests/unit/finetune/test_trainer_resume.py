"""A training that was stopped goes on to the weights of one that was not."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback

from finetune.formats import Completion
from finetune.recipe import Adapter
from finetune.trainer import Start
from finetune.training.resume import LEDGER, last_checkpoint
from harness.errors import TrainingError
from tests.tiny import save_tiny_llama
from tests.trainings import ADAPTER, completions, equal, recipe, run

pytestmark = pytest.mark.slow

STEPS = 8  # 2 epochs of 8 rows, 2 at a time
OFTEN = {"save_steps": 1}


class StoppedError(Exception):
    """As a kill, or the end of a job's time."""


class StopAt(TrainerCallback):
    """Stops within a step, before it is saved."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            raise StoppedError


class StopBeforeTheEnd(TrainerCallback):
    """Stops after the last checkpoint, before anything is saved as finished."""

    def on_train_end(self, args, state, control, **_):
        raise StoppedError


class StopAtEvaluation(TrainerCallback):
    """Stops after the second epoch's last step, before its dev loss is known."""

    def on_evaluate(self, args, state, control, **_):
        if state.global_step == STEPS:
            raise StoppedError


class Steps(TrainerCallback):
    """Keeps the steps that were made."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def on_step_end(self, args, state, control, **_):
        self.made.append(state.global_step)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(recipe(tiny, dpo=True), tmp_path_factory.mktemp("adapter")).folder


def stop(told: Any, place: Path, *callbacks: TrainerCallback, **options: Any) -> None:
    with pytest.raises(StoppedError):
        run(told, place, callbacks=callbacks, **options)
    assert not (place / "done").exists()
    assert not list(place.glob(".done*"))


@pytest.mark.parametrize("step", [4, 5])  # goes on inside an epoch, between two
@pytest.mark.parametrize("kind", ["sft", "sft, all weights", "dpo"])
def test_train_stopped_gives_the_weights_of_not_stopped(
    kind: str, step: int, tiny: Path, tmp_path: Path
):
    """With dropout: the random numbers go on, too."""
    told = recipe(
        tiny,
        dpo=kind == "dpo",
        adapter=None if "all" in kind else Adapter(r=4, alpha=8, dropout=0.3),
        lr_scheduler_type="cosine",
        **OFTEN,
    )
    whole = run(told, tmp_path / "whole")
    stop(told, tmp_path / "parts", StopAt(step))
    parts = run(told, tmp_path / "parts")
    assert equal(whole.folder, parts.folder)
    assert (whole.resumed_from, parts.resumed_from) == (None, step - 1)
    assert parts.steps == whole.steps == STEPS and parts.epochs == whole.epochs
    losses = [[e["loss"] for e in one.log if "loss" in e] for one in (whole, parts)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("reference", [True, False])
def test_train_adapter_gone_on_with_stopped_gives_the_weights_of_not_stopped(
    reference: bool, tiny: Path, adapter: Path, tmp_path: Path
):
    """The reference is what the training began with, not what it went on with."""
    start = Start(model=str(tiny), adapter=adapter, reference=str(tiny) if reference else None)
    told = recipe(tiny, dpo=True, **OFTEN)
    whole = run(told, tmp_path / "whole", start=start)
    stop(told, tmp_path / "parts", StopAt(6), start=start)
    parts = run(told, tmp_path / "parts", start=start)
    assert parts.resumed_from == 5
    assert equal(whole.folder, parts.folder)
    assert not (parts.folder / "ref").exists()
    margins = [[e.get("rewards/margins") for e in one.log[:STEPS]] for one in (whole, parts)]
    assert margins[0] == margins[1]


def test_train_with_accumulated_gradients_stopped_gives_the_weights_of_not_stopped(
    tiny: Path, tmp_path: Path
):
    told = recipe(tiny, gradient_accumulation_steps=3, num_train_epochs=4, **OFTEN)
    whole = run(told, tmp_path / "whole")
    stop(told, tmp_path / "parts", StopAt(6))
    assert equal(whole.folder, run(told, tmp_path / "parts").folder)


DEV = [Completion("Question 0?", "Answer:", "zzzzzzzzz", "dev")]


@pytest.mark.parametrize("step", [3, 6, 9, 11])
def test_train_with_dev_rows_stopped_gives_the_best_weights_of_not_stopped(
    step: int, tiny: Path, tmp_path: Path
):
    told = recipe(tiny, num_train_epochs=9, **OFTEN)
    whole = run(told, tmp_path / "whole", dev=DEV)
    assert step <= whole.steps < 36  # stopped early
    stop(told, tmp_path / "parts", StopAt(step), dev=DEV)
    parts = run(told, tmp_path / "parts", dev=DEV)
    assert equal(whole.folder, parts.folder)
    assert (parts.steps, parts.epochs) == (whole.steps, whole.epochs)
    losses = [[e["eval_loss"] for e in one.log if "eval_loss" in e] for one in (whole, parts)]
    assert losses[0] == losses[1]


def test_train_killed_before_an_evaluation_evaluates_all_the_same(tiny: Path, tmp_path: Path):
    """A checkpoint of an epoch's end from before its evaluation would pass it over."""
    told = recipe(tiny, num_train_epochs=9, **OFTEN)
    whole = run(told, tmp_path / "whole", dev=DEV)
    stop(told, tmp_path / "parts", StopAtEvaluation(), dev=DEV)
    parts = run(told, tmp_path / "parts", dev=DEV)
    assert parts.resumed_from == STEPS - 1
    assert equal(whole.folder, parts.folder)
    losses = [[e["eval_loss"] for e in one.log if "eval_loss" in e] for one in (whole, parts)]
    assert losses[0] == losses[1]


def test_train_killed_after_an_early_stop_does_not_train_on(tiny: Path, tmp_path: Path):
    told = recipe(tiny, num_train_epochs=9, **OFTEN)
    whole = run(told, tmp_path / "whole", dev=DEV)
    stop(told, tmp_path / "parts", StopBeforeTheEnd(), dev=DEV)
    seen = Steps()
    parts = run(told, tmp_path / "parts", dev=DEV, callbacks=[seen])
    assert seen.made == []
    assert equal(whole.folder, parts.folder) and parts.steps == whole.steps


@pytest.mark.parametrize("steps", [6, 8])  # inside an epoch, at its end
def test_train_killed_after_the_last_step_does_not_train_on(steps: int, tiny: Path, tmp_path: Path):
    told = recipe(tiny, max_steps=steps, lr_scheduler_type="constant")
    whole = run(told, tmp_path / "whole")
    stop(told, tmp_path / "parts", StopBeforeTheEnd())
    seen = Steps()
    parts = run(told, tmp_path / "parts", callbacks=[seen])
    assert seen.made == [] and parts.steps == steps == parts.resumed_from
    assert equal(whole.folder, parts.folder)


def test_train_goes_on_in_a_folder_that_was_moved(tiny: Path, tmp_path: Path):
    """Trainer keeps the path of the best checkpoint, and would forget it without a word."""
    told = recipe(tiny, num_train_epochs=9, **OFTEN)
    whole = run(told, tmp_path / "whole", dev=DEV)
    stop(told, tmp_path / "here", StopBeforeTheEnd(), dev=DEV)
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert equal(whole.folder, run(told, tmp_path / "there", dev=DEV).folder)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    "broken",
    [
        "trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth",
        "adapter_model.safetensors", "adapter_config.json",
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", [cut, Path.unlink])
def test_last_checkpoint_half_written_is_told_removed_and_the_one_before_taken(
    broken: str, how: Any, stopped: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    work = shutil.copytree(stopped, tmp_path / "work")
    assert last_checkpoint(work) == work / "checkpoint-5"
    how(work / "checkpoint-5" / broken)
    assert last_checkpoint(work) == work / "checkpoint-4"
    assert not (work / "checkpoint-5").exists()
    assert "checkpoint-5 is not gone on from" in caplog.text


@pytest.fixture(scope="module")
def stopped(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stopped")
    stop(recipe(tiny, **OFTEN), place, StopAt(6))
    return place / "work"


def test_last_checkpoint_that_lacks_a_processs_state_is_not_taken(stopped: Path, tmp_path: Path):
    work = shutil.copytree(stopped, tmp_path / "work")
    assert last_checkpoint(work, ranks=2) is None


def test_last_checkpoint_of_nothing_is_none(tmp_path: Path):
    assert last_checkpoint(tmp_path) is None
    assert last_checkpoint(tmp_path / "none") is None


def test_last_checkpoint_whose_best_is_gone_is_not_taken(tiny: Path, tmp_path: Path):
    """What was best could not be given in the end."""
    told = recipe(tiny, num_train_epochs=9, **OFTEN)
    stop(told, tmp_path, StopBeforeTheEnd(), dev=DEV)
    work = tmp_path / "work"
    last = last_checkpoint(work)
    assert last is not None
    best = json.loads((last / "trainer_state.json").read_text())["best_global_step"]
    assert last.name != f"checkpoint-{best}"
    shutil.rmtree(work / f"checkpoint-{best}")
    assert last_checkpoint(work) is None


def test_train_goes_on_before_a_half_written_checkpoint(
    tiny: Path, stopped: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "finetune")
    shutil.copytree(stopped, tmp_path / "work")
    cut(tmp_path / "work" / "checkpoint-5" / "optimizer.pt")
    told = recipe(tiny, **OFTEN)
    parts = run(told, tmp_path)
    assert parts.resumed_from == 4
    assert "checkpoint-5 is not gone on from: half-written: optimizer.pt" in caplog.text
    assert equal(parts.folder, run(told, tmp_path / "whole").folder)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"learning_rate": 1.0}, "trainer"),
        ({"adapter": Adapter(r=2)}, "model.adapter"),
        ({"rows": completions(6)}, "rows"),
        ({"dev": DEV}, "dev rows"),
    ],
)
def test_train_folder_of_another_training_is_refused(
    change: dict[str, Any], named: str, tiny: Path, stopped: Path, tmp_path: Path
):
    work = shutil.copytree(stopped, tmp_path / "work")
    rows, dev = change.pop("rows", completions()), change.pop("dev", ())
    with pytest.raises(TrainingError, match=f"holds another training: {named} differ"):
        run(recipe(tiny, **{"adapter": ADAPTER, **OFTEN, **change}), tmp_path, rows, dev=dev)
    assert (work / "checkpoint-5").is_dir()


def test_train_checkpoints_of_unknown_origin_are_refused(tiny: Path, stopped: Path, tmp_path: Path):
    work = shutil.copytree(stopped, tmp_path / "work")
    (work / LEDGER).unlink()
    with pytest.raises(TrainingError, match="checkpoints of an unknown training"):
        run(recipe(tiny, **OFTEN), tmp_path)
    assert (work / "checkpoint-5").is_dir()


def test_train_seconds_and_peak_memory_are_of_all_parts(tiny: Path, stopped: Path, tmp_path: Path):
    shutil.copytree(stopped, tmp_path / "work")
    file = tmp_path / "work" / LEDGER
    told = json.loads(file.read_text())
    assert told["seconds"] > 0
    file.write_text(json.dumps({**told, "seconds": 1000.0, "peak_memory": 10**15}))
    trained = run(recipe(tiny, **OFTEN), tmp_path)
    assert 1000 < trained.seconds < 1500
    assert trained.peak_memory == 10**15
