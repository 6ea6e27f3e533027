"""Finetunings that are at their end, as their own folders tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from finetune import checkpoints
from finetune.beside import BASE, compare_wanted, find_failures
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
        inputs: what it was made from (`finetune.inputs`).
    """

    stages: Sequence[Stage]
    runs: Mapping[str, StoredRun]
    inputs: Mapping[str, str]


class _Stage(Struct):
    name: str
    checkpoint: str
    facts: dict[str, float | None]
    baselines: tuple[str, ...]


class _Told(Struct):
    stages: list[_Stage]
    runs: dict[str, str]
    inputs: dict[str, str]


def read_finished(folder: Path, scored: bool) -> Finished | str:
    """Read what a finetuning has come to; the recipe of its folder is not looked at.

    Args:
        folder: of the finetuning; it may have been moved.
        scored: whether it must have been scored to be at its end.

    Returns:
        What is lacking, if it is not at its end, or not whole, or has failed.
    """
    file = folder / TOLD
    try:
        told = read_json(file.read_bytes(), _Told)
    except FileNotFoundError:
        return f"it was not done to its end: {TOLD} is not there"
    except (OSError, ValueError) as err:
        return f"{file} cannot be read: {err}"
    workspace = Workspace(folder)
    stages = [_stage(workspace, stage) for stage in told.stages]
    fault = _fault(stages)
    if fault is not None:
        return fault
    lacking = [name for name in (BASE, *(stage.name for stage in stages)) if name not in told.runs]
    if lacking:
        fault = f"not scored: {', '.join(lacking)}"
        return fault if scored else Finished(stages, {}, told.inputs)
    runs = _read_runs(workspace, stages, told.runs)
    return runs if isinstance(runs, str) else Finished(stages, runs, told.inputs)


def _stage(workspace: Workspace, told: _Stage) -> Stage:
    place = workspace.checkpoint(Path(told.checkpoint).name)
    return Stage(told.name, place, told.facts, told.baselines)


def _fault(stages: Sequence[Stage]) -> str | None:
    """Say what keeps the checkpoints from being whole."""
    for stage in stages:
        if wrong := checkpoints.fault(stage.checkpoint):
            return f"{stage.checkpoint}: {wrong}"
    return None if stages else "it has no checkpoint"


def _read_runs(
    workspace: Workspace, stages: Sequence[Stage], ids: Mapping[str, str]
) -> dict[str, StoredRun] | str:
    """Read the runs, or say what keeps them from being whole and compared."""
    try:
        runs = {
            name: read_run(workspace.run(name)) for name in (BASE, *(one.name for one in stages))
        }
        for name, run in runs.items():
            if run.id != ids[name]:
                return f"{run.folder} is another run than {TOLD} tells of"
        _, faults = compare_wanted(stages, runs)
    except RecordError as err:
        return str(err)
    return "; ".join(find_failures(stages, runs, faults)) or runs
