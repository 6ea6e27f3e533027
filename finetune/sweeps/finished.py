"""Finetunings that are at their end, as their own folders tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from finetune import checkpoints
from finetune.beside import BASE
from finetune.stages import Stage
from finetune.workspace import Workspace
from harness.errors import RecordError
from harness.run_files import StoredRun, read_run
from harness.strict_json import read_json

TOLD = "training.json"


@dataclass(frozen=True)
class Finished:
    """A finetuning that is at its end.

    Attributes:
        stages: its checkpoints in order; the last is the result.
        runs: "base" and the names of stages -> what they scored; empty: it was not scored.
    """

    stages: Sequence[Stage]
    runs: Mapping[str, StoredRun]


class _Stage(Struct):
    name: str
    checkpoint: str
    facts: dict[str, float | None]
    baseline: str | None = None


class _Told(Struct):
    stages: list[_Stage]
    runs: dict[str, str]


def read_finished(folder: Path, scored: bool) -> Finished | str:
    """Read what a finetuning has come to; the recipe of its folder is not looked at.

    Args:
        folder: of the finetuning; it may have been moved.
        scored: whether it must have been scored to be at its end.

    Returns:
        What is lacking, if it is not at its end, or not whole.
    """
    file = folder / TOLD
    try:
        told = read_json(file.read_bytes(), _Told)
    except FileNotFoundError:
        return "it was not done to its end"
    except (OSError, ValueError) as err:
        return f"{file} cannot be read: {err}"
    workspace = Workspace(folder)
    stages = [_stage(workspace, stage) for stage in told.stages]
    fault = _fault(stages)
    if fault is not None:
        return fault
    return _with_runs(workspace, stages, told.runs, scored)


def _stage(workspace: Workspace, told: _Stage) -> Stage:
    place = workspace.checkpoint(Path(told.checkpoint).name)
    return Stage(told.name, place, told.facts, told.baseline)


def _fault(stages: Sequence[Stage]) -> str | None:
    """Say what keeps the checkpoints from being whole."""
    for stage in stages:
        if wrong := checkpoints.fault(stage.checkpoint):
            return f"{stage.checkpoint}: {wrong}"
    return None if stages else "it has no checkpoint"


def _with_runs(
    workspace: Workspace, stages: Sequence[Stage], ids: Mapping[str, str], scored: bool
) -> Finished | str:
    names = [BASE, *(stage.name for stage in stages)]
    lacking = [name for name in names if name not in ids]
    if lacking:
        told = f"not scored: {', '.join(lacking)}"
        return told if scored else Finished(stages, {})
    runs = {}
    for name in names:
        try:
            runs[name] = read_run(workspace.run(name))
        except RecordError as err:
            return str(err)
        if runs[name].id != ids[name]:
            return f"{runs[name].folder} is another run than {TOLD} tells of"
        for task, one in runs[name].tasks.items():
            if one.failed:
                return f"{task} failed on {name}: {one.failed}"
    return Finished(stages, runs)
