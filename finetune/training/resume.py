"""What a training that was stopped goes on from: its last complete checkpoint, and its ledger."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import TrainingError
from harness.whole_files import write_text

log = logging.getLogger(__name__)

LEDGER = "selfcheck.json"
SHARDED = ("pytorch_model_fsdp*", "global_step*")
"""What FSDP and ZeRO-3 keep in place of weights and optimizer."""


@dataclass
class Ledger:
    """What is known of a training over all its parts.

    Attributes:
        file: where it is kept.
        identity: which training it is: name of a setting -> its value.
        seconds: spent on it.
        peak_memory: bytes, the most of all its parts.
    """

    file: Path
    identity: dict[str, Any]
    seconds: float = 0.0
    peak_memory: int | None = None

    def write(self) -> None:
        """Keep it: whole, or as it was."""
        told = {name: getattr(self, name) for name in ("identity", "seconds", "peak_memory")}
        write_text(self.file, json.dumps(told, indent=1))


def open_ledger(work: Path, identity: dict[str, Any]) -> Ledger:
    """Take up the ledger of a training, or start one.

    Raises:
        TrainingError: the folder holds another training: names what differs.
    """
    ledger = Ledger(work / LEDGER, json.loads(json.dumps(identity, default=str)))
    try:
        told = json.loads(ledger.file.read_text(encoding="utf-8"))
        known, spent, peak = dict(told["identity"]), float(told["seconds"]), told["peak_memory"]
        if not (peak is None or isinstance(peak, int)):
            raise TypeError(f"peak_memory is {peak!r}")
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as err:
        if any(work.glob("checkpoint-*")):
            raise TrainingError(
                f"{work}: holds checkpoints of an unknown training: {LEDGER} is not there or "
                f"damaged. Give another output folder, or remove {work}"
            ) from err
        return ledger
    differ = [name for name, value in ledger.identity.items() if known.get(name) != value]
    if differ:
        raise TrainingError(
            f"{work}: holds another training: {', '.join(differ)} differ. Give another output "
            f"folder, or remove {work}"
        )
    ledger.seconds, ledger.peak_memory = spent, peak
    return ledger


def last_checkpoint(work: Path, ranks: int = 1) -> Path | None:
    """Give the newest complete checkpoint of Trainer; newer ones, half-written, are removed."""
    folders = [path for path in work.glob("checkpoint-*") if _step(path) is not None]
    for folder in sorted(folders, key=lambda path: _step(path) or 0, reverse=True):
        problem = _fault(folder, ranks)
        if problem is None:
            return folder
        log.warning("%s is not gone on from: %s", folder, problem)
        shutil.rmtree(folder, ignore_errors=True)
    return None


def age_by_step(work: Path) -> None:
    """Give the folders of checkpoints times in the order of their steps, long ago.

    Trainer removes those that it takes for the oldest by their times: after the clock was set back,
    that is each new one.
    """
    for folder in work.glob("checkpoint-*"):
        if (step := _step(folder)) is not None:
            with suppress(FileNotFoundError):
                os.utime(folder, (step, step))


def step_of(checkpoint: Path) -> int:
    """Give the step at which a checkpoint was saved."""
    step = _step(checkpoint)
    assert step is not None
    return step


def _step(folder: Path) -> int | None:
    found = re.fullmatch(r"checkpoint-(\d+)", folder.name)
    return int(found[1]) if found else None


def _fault(folder: Path, ranks: int) -> str | None:
    """Say what a checkpoint lacks; its state is written last, and may be removed last."""
    try:
        state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
        step, best = state["global_step"], state["best_global_step"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as err:
        return f"half-written: trainer_state.json cannot be read ({type(err).__name__})"
    if step != _step(folder):
        return f"its state is that of step {step}"
    if not any(any(folder.glob(name)) for name in SHARDED):
        problem = _weights_fault(folder) or _unreadable(folder, ranks)
        if problem:
            return problem
    if best and best != step:
        return _weights_fault(folder.with_name(f"checkpoint-{best}"), "the best so far: ")
    return None


def _weights_fault(folder: Path, what: str = "") -> str | None:
    from finetune.checkpoints import fault

    problem = fault(folder) if folder.is_dir() else "is not there"
    return f"{what}{folder.name}: {problem}" if problem else None


def _unreadable(folder: Path, ranks: int) -> str | None:
    """Name a file of torch that is not there or not whole."""
    from finetune.weight_files import DamagedError, check_archive

    random = [f"rng_state_{rank}.pth" for rank in range(ranks)] if ranks > 1 else ["rng_state.pth"]
    for name in ("optimizer.pt", "scheduler.pt", *random):
        try:
            check_archive(folder / name)
        except (DamagedError, OSError) as err:
            return f"half-written: {name}: {err}"
    return None
