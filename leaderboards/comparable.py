"""Whether the models' scores of a task may stand in one table: same task, same documents."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from harness.compare import incomparable, other_simulators, unknown_of
from harness.errors import ComparisonError
from harness.questions import SELF
from harness.run_scores import Scores
from harness.runs import TaskRun
from leaderboards.entries import Entry

MOST_FAULTS = 20
MOST_NAMES = 5


@dataclass(frozen=True)
class Documents:
    """What the models scored on the n documents of a task, all in one order.

    Attributes:
        clusters: shape (n,); equal numbers are one source.
        scores: by model. Models without samples, or that failed, are not there.
    """

    clusters: NDArray[np.intp]
    scores: Mapping[str, Scores]


def scored(entries: Sequence[Entry], task: str) -> dict[str, TaskRun]:
    """Give the models that have scores of a task."""
    told = {entry.name: entry.tasks.get(task) for entry in entries}
    return {name: run for name, run in told.items() if run is not None and run.metrics}


def leave_out_simulated(
    entries: Sequence[Entry], tasks: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Leave out tasks that different models simulated; give those left, and a note on the others.

    Raises:
        ComparisonError: none is left.
    """
    runs = {task: list(scored(entries, task).values()) for task in tasks}
    apart = [
        task
        for task, told in runs.items()
        if any(other_simulators(*pair) for pair in combinations(told, 2))
    ]
    left = [task for task in tasks if task not in apart]
    note = f"left out, the simulators differ: {', '.join(apart)}; score all with one --simulator"
    if not left:
        raise ComparisonError(f"the models cannot stand on one board: {note}")
    return left, [note] if apart else []


def read_documents(entries: Sequence[Entry], tasks: Sequence[str]) -> dict[str, Documents]:
    """Read the documents of every task; only what may be compared is given.

    Raises:
        ComparisonError: names the models, the tasks and the differences.
        RecordError: samples are damaged.
    """
    _refuse([fault for task in tasks for fault in _task_faults(task, scored(entries, task))])
    documents, faults = {}, []
    for task in tasks:
        documents[task], fault = _read_task(task, entries)
        faults += fault
    _refuse(faults)
    return documents


def names_of(models: Sequence[str]) -> str:
    """Name some models, and count the rest."""
    more = len(models) - MOST_NAMES
    return ", ".join(models[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _refuse(faults: Sequence[str]) -> None:
    if not faults:
        return
    more = len(faults) - MOST_FAULTS
    told = [f"  {fault}" for fault in faults[:MOST_FAULTS]]
    told += [f"  and {more} more"] if more > 0 else []
    raise ComparisonError(
        "the models cannot stand on one board (--tasks leaves tasks out):\n" + "\n".join(told)
    )


def _task_faults(task: str, runs: Mapping[str, TaskRun]) -> list[str]:
    """Compare each model with all that differ from each other in what they tell of the task.

    What is unknown of one may be known of two others, and differ: to compare all with the first
    is not enough.
    """
    faults: list[str] = []
    kinds: dict[str, TaskRun] = {}
    for name, run in runs.items():
        found = {other: _differences(known, run) for other, known in kinds.items()}
        faults += [
            f"{task}: {other} and {name}: {fault}" for other in found for fault in found[other]
        ]
        if not any(_tell_the_same(known, run) for known in kinds.values()):
            kinds[name] = run
    return faults


def _differences(ours: TaskRun, theirs: TaskRun) -> list[str]:
    faults = incomparable(ours, theirs)
    ranked_by = (ours.headline, theirs.headline)
    simulated = SELF in (ours.simulated_by, theirs.simulated_by)  # its headline is another one
    if None not in ranked_by and ranked_by[0] != ranked_by[1] and not simulated:
        faults.append(f"other headline: {ours.headline!r} and {theirs.headline!r}")
    for name, metric in ours.metrics.items():
        told = metric.higher_is_better, getattr(theirs.metrics.get(name), "higher_is_better", None)
        if None not in told and told[0] != told[1]:
            faults.append(f"{name}: higher is better in one, lower in the other")
    return faults


def _tell_the_same(ours: TaskRun, theirs: TaskRun) -> bool:
    return (
        not unknown_of(ours, theirs)
        and not _differences(ours, theirs)
        and (ours.headline, _directions(ours)) == (theirs.headline, _directions(theirs))
    )


def _directions(task: TaskRun) -> dict[str, bool | None]:
    return {name: metric.higher_is_better for name, metric in task.metrics.items()}


def _read_task(task: str, entries: Sequence[Entry]) -> tuple[Documents, list[str]]:
    runs = scored(entries, task)
    faults = _other_documents(task, {name: run.documents for name, run in runs.items()})
    read: dict[str, Scores] = {}
    for entry in entries:
        if entry.name in runs and entry.run_of(task).has_samples(task):
            read[entry.name] = _in_order(entry.run_of(task).scores(task))
    faults = faults or _other_documents(
        task, {name: tuple(scores.hashes) for name, scores in read.items()}
    )
    first = next(iter(read.values()), Scores([], [], {}))
    clusters = np.unique(np.array(first.clusters, dtype=object), return_inverse=True)[1]
    return Documents(clusters, read), faults


def _other_documents(task: str, documents: Mapping[str, Hashable]) -> list[str]:
    """Name the models whose documents, or their number, are not the first one's."""
    groups: dict[Hashable, list[str]] = {}
    for name, told in documents.items():
        groups.setdefault(told, []).append(name)
    (first, ours), *others = groups.items() or [(None, [])]
    return [
        f"{task}: {names_of(ours)} and {names_of(theirs)} scored other documents "
        f"({_overlap(first, told)}); give all runs the same --subset and --subset-seed"
        for told, theirs in others
    ]


def _overlap(ours: Hashable, theirs: Hashable) -> str:
    if isinstance(ours, tuple) and isinstance(theirs, tuple):
        return f"{len(ours)} and {len(theirs)}, {len({*ours} & {*theirs})} in common"
    return f"{ours} and {theirs}"


def _in_order(scores: Scores) -> Scores:
    """Sort the documents by their hashes: equal documents are then at equal places."""
    return scores.at(sorted(range(len(scores.hashes)), key=scores.hashes.__getitem__))
