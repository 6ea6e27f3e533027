"""Callbacks of a training: what stops it, what it keeps for resuming, what it says meanwhile."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Any

from transformers import ProgressCallback, TrainerCallback

from finetune.training.device_memory import peak_memory
from finetune.training.resume import Ledger, age_by_step
from finetune.training.trl_config import PARTS
from harness.errors import TrainingError

log = logging.getLogger(__name__)

WATCHED = ("loss", "grad_norm", "eval_loss", "train_loss")


class TrainedBeforeError(Exception):
    """The checkpoint to go on from is that of a training that had ended."""


class Watch(TrainerCallback):  # type: ignore[misc]
    """Stops a training that diverged, and does not go on with one that had ended.

    Trainer would go on: at the last step inside an epoch it trains one step more, and after an
    early stop another epoch.
    """

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look at the state that was loaded."""
        if state.best_global_step:  # as an absolute path in the state: the folder may have moved
            best = Path(args.output_dir) / f"checkpoint-{state.best_global_step}"
            state.best_model_checkpoint = str(best)
        told = state.stateful_callbacks.get("TrainerControl", {})
        if told.get("args", {}).get("should_training_stop"):
            raise TrainedBeforeError

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Look at each loss.

        Raises:
            TrainingError: it is not finite.
        """
        for name in WATCHED:
            value = (logs or {}).get(name)
            if value is None or math.isfinite(value) or (args.fp16 and name == "grad_norm"):
                continue  # in float16 a step whose gradient overflowed is left out, and scaled down
            rate, norm = f"{args.learning_rate:g}", f"{args.max_grad_norm:g}"
            raise TrainingError(
                f"training diverged at step {state.global_step}: {name} is {value}. Lower the "
                f"learning rate ({rate}: trainer.learning_rate, of EC-SFT data.learning_rates) or "
                f"trainer.max_grad_norm ({norm}), and give another output folder; nothing was "
                "saved as finished"
            )


class SaveOften(TrainerCallback):  # type: ignore[misc]
    """Saves between the epochs, where Trainer saves at their ends only.

    Not at the end itself: a checkpoint from before the evaluation would lose it.
    """

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a checkpoint as often as without epochs."""
        if state.global_step % state.save_steps == 0 and not float(state.epoch).is_integer():
            control.should_save = True


class Clock(TrainerCallback):  # type: ignore[misc]
    """Keeps the time and memory that a training took, over all its parts.

    Args:
        write: whether this process writes it down.
    """

    def __init__(self, ledger: Ledger, device: str, *, write: bool) -> None:
        self.ledger, self.device, self.writes = ledger, device, write
        self.before, self.began = ledger.seconds, math.nan

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begin."""
        self.began = time.monotonic()
        self._age()
        self.note()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write down what was spent until this checkpoint."""
        self._age()
        self.note()

    def note(self) -> None:
        """Bring the ledger up to date.

        Raises:
            OSError: it cannot be written.
        """
        if math.isfinite(self.began):
            self.ledger.seconds = self.before + time.monotonic() - self.began
        peaks = (self.ledger.peak_memory, peak_memory(self.device))
        self.ledger.peak_memory = max((peak for peak in peaks if peak), default=None)
        if self.writes:
            self.ledger.write()

    def _age(self) -> None:
        if self.writes:
            age_by_step(self.ledger.file.parent)


class Lines(TrainerCallback):  # type: ignore[misc]
    """Says how far a training is, in a line for each part of it."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Log a line."""
        told = logs or {}
        due = "eval_loss" in told or state.global_step % part(state.max_steps) == 0
        shown = (
            "loss", "loss_answer", "loss_explanation", "eval_loss", "rewards/margins",
            "rewards/accuracies",
        )  # fmt: skip
        values = [f"{name} {told[name]:.4g}" for name in shown if name in told]
        if state.is_world_process_zero and due and values:
            log.info("step %d of %d: %s", state.global_step, state.max_steps, ", ".join(values))


class Bar(ProgressCallback):  # type: ignore[misc]
    """A progress bar that carries the loss, in place of a line at each step."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the last loss."""
        if self.training_bar is not None and logs and "loss" in logs:
            self.training_bar.set_postfix_str(f"loss {logs['loss']:.4g}")


def part(steps: int) -> int:
    """Give the length of a part of a training, in steps.

    >>> part(1000), part(7)
    (50, 1)
    """
    return max(1, math.ceil(steps / PARTS))


def require_finite(model: Any) -> None:
    """Check what was trained, before it is saved.

    Raises:
        TrainingError: a weight is NaN or infinite.
    """
    import torch

    for name, weight in model.named_parameters():
        if weight.requires_grad and not bool(torch.isfinite(weight).all()):
            raise TrainingError(
                f"training diverged: {name} is not finite at its end. Lower the learning rate, "
                "and give another output folder; nothing was saved as finished"
            )
