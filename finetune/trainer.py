"""Train a model on rows: a new adapter, an adapter trained on, or all weights.

A stopped training goes on by the same call and ends with the same weights as one that was not
stopped. Finished weights are complete or not there.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from finetune.formats import Row
from finetune.recipe import Recipe
from finetune.training.fitting import fit_together as fit_together  # of trainings to be compared
from harness.errors import ConfigError, TrainingError

if TYPE_CHECKING:
    from transformers import TrainerCallback

    from finetune.training.jobs import Job
    from finetune.training.resume import Ledger

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a training starts, and what DPO measures it against.

    Attributes:
        model: hub name or folder of full weights.
        revision: of the model, on the hub.
        adapter: a trained adapter to go on with; None: a fresh one, or all weights.
        reference: the model whose log-probabilities are the reference, on the hub of the recipe's
            revision; None: what this training starts from.
    """

    model: str
    revision: str = "main"
    adapter: Path | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        folder: the finished weights: an adapter or a model, with the tokenizer.
        epochs: passes over the rows.
        log: what Trainer logged.
        seconds: of training, over all resumed parts.
        peak_memory: bytes: the most that CUDA had allocated at once, or else the largest resident
            size that the process had so far; None: not known.
        trainable, parameters: of the model; numbers.
        rows: that were trained on.
        dropped: reason -> rows that were not.
        resumed_from: the step of the checkpoint that was gone on from.
    """

    folder: Path
    steps: int
    epochs: float
    log: list[dict[str, float]]
    seconds: float
    peak_memory: int | None
    peak_memory_of: Literal["cuda", "process"]
    trainable: int
    parameters: int
    rows: int
    dropped: dict[str, int]
    resumed_from: int | None


def train(  # noqa: PLR0913
    start: Start,
    rows: Sequence[Row],
    dev: Sequence[Row],
    recipe: Recipe,
    work: Path,
    done: Path,
    *,
    learning_rate: float | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Trained:
    """Train on rows; every process of `accelerate launch` must call this.

    Args:
        rows: of one type: `Preference` are trained on by DPO, `Completion` by SFT, `Lesson` by two
            losses (`finetune.training.lessons`).
        dev: to watch the loss on after every epoch: training stops when it no longer falls
            (`trl_config.PATIENCE`), and its best weights are kept. Empty, as with `Lesson` it must
            be: neither.
        work: the trainer's own folder; a part of the same training that is there is gone on from.
        done: new folder of the finished weights.
        learning_rate: instead of the recipe's.
        callbacks: of the caller.

    Raises:
        ConfigError: something in the recipe cannot be; nothing was trained.
        DataError: no row is left.
        ModelError: the model cannot be loaded.
        TrainingError: training diverged, or the disk is full, or `work` holds another training.
    """
    from finetune.training.device_memory import free_memory
    from finetune.training.jobs import prepare
    from finetune.training.quiet import quiet_libraries

    require_one_device_each(recipe)
    if done.exists():
        raise TrainingError(f"{done}: is there; finished weights are never written over")
    job = prepare(start, rows, dev, recipe, learning_rate)
    try:
        with quiet_libraries():
            return _run(job, work.resolve(), done.resolve(), callbacks)
    finally:
        free_memory()


def require_one_device_each(recipe: Recipe) -> None:
    """Refuse several GPUs in one process: TRL has no such way to train.

    Raises:
        ConfigError: says how to start a process for each.
    """
    import torch

    from finetune.training.base_model import device_kind

    several = device_kind(recipe.trainer) == "cuda" and torch.cuda.device_count() > 1
    if several and "LOCAL_RANK" not in os.environ:
        raise ConfigError(
            f"{torch.cuda.device_count()} GPUs are visible to one process. Use all of them: "
            "accelerate launch $(which selfcheck) finetune RECIPE; or one: set "
            "CUDA_VISIBLE_DEVICES=0"
        )


def _run(job: Job, work: Path, done: Path, callbacks: Sequence[TrainerCallback]) -> Trained:
    from accelerate import PartialState

    from finetune.training.device_memory import start_counting
    from finetune.training.jobs import build_config, build_trainer
    from finetune.training.resume import last_checkpoint, open_ledger
    from finetune.training.saving import disk_full
    from finetune.training.stops import Clock

    config = build_config(job, work)
    state = PartialState()
    ledger = open_ledger(work, job.identity(state.num_processes))
    with state.main_process_first():
        checkpoint = last_checkpoint(work, state.num_processes)
    start_counting(job.precision.device)
    clock = Clock(ledger, job.precision.device, write=state.is_main_process)
    with disk_full(f"the trainer's last complete checkpoint in {work} is kept"):
        work.mkdir(parents=True, exist_ok=True)
        trainer = build_trainer(job, config, [clock, *callbacks])
        try:
            _train_and_save(trainer, checkpoint, job, done)
        finally:
            with suppress(OSError):
                clock.note()
    return _told(trainer, job, done, ledger, checkpoint)


def _train_and_save(trainer: Any, checkpoint: Path | None, job: Job, done: Path) -> None:
    from finetune.training.saving import save_finished
    from finetune.training.stops import TrainedBeforeError, require_finite

    if checkpoint is not None:
        log.info("Going on from %s", checkpoint)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except TrainedBeforeError:
        if trainer.args.load_best_model_at_end and trainer.state.best_model_checkpoint:
            trainer._load_best_model()
    model = trainer.accelerator.unwrap_model(trainer.model)
    require_finite(model)
    model.config.use_cache = True  # off for training; in its config.json it would slow generation
    save_finished(trainer, job.start.model, job.start.revision, done)


def _told(trainer: Any, job: Job, done: Path, ledger: Ledger, checkpoint: Path | None) -> Trained:
    from finetune.training.footprint import count
    from finetune.training.resume import step_of

    trainable, parameters = count(trainer.accelerator.unwrap_model(trainer.model))
    return Trained(
        folder=done,
        steps=trainer.state.global_step,
        epochs=float(trainer.state.epoch),
        log=list(trainer.state.log_history),
        seconds=ledger.seconds,
        peak_memory=ledger.peak_memory,
        peak_memory_of="cuda" if job.precision.device == "cuda" else "process",
        trainable=trainable,
        parameters=parameters,
        rows=len(job.kept.rows),
        dropped=job.dropped,
        resumed_from=step_of(checkpoint) if checkpoint else None,
    )
