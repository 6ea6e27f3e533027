"""Which documents of two runs are the same, and whether the runs may be compared at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import ComparisonError
from harness.run_files import StoredRun
from harness.run_scores import Scores
from harness.runs import TaskRun


@dataclass(frozen=True)
class Pairs:
    """The documents that two runs of a task have in common, n of them, in one order.

    Attributes:
        base, candidate: what they scored.
        clusters: shape (n,); equal numbers are one source.
    """

    base: Scores
    candidate: Scores
    clusters: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.base.hashes)


def pair_documents(base: StoredRun, candidate: StoredRun, name: str) -> Pairs | None:
    """Pair the documents of a task by their hashes; None if one of the runs has no samples of it.

    Raises:
        ComparisonError: the runs have no document of the task in common, or other clusters.
        RecordError: samples are damaged.
    """
    if not (base.has_samples(name) and candidate.has_samples(name)):
        return None
    ours, theirs = base.scores(name), candidate.scores(name)
    here, there = _places(ours), _places(theirs)
    common = sorted(here.keys() & there.keys())
    if not common:
        raise ComparisonError(
            f"{name}: {base.name} and {candidate.name} have no document in common "
            f"({len(here)} and {len(there)} documents); use the same --subset and --subset-seed"
        )
    chosen = _take(ours, [here[digest] for digest in common])
    other = _take(theirs, [there[digest] for digest in common])
    if chosen.clusters != other.clusters:
        raise ComparisonError(f"{name}: {base.name} and {candidate.name} have other clusters")
    return Pairs(chosen, other, _codes(chosen.clusters))


def incomparable(base: TaskRun, candidate: TaskRun) -> list[str]:
    """Name what keeps two runs of a task from being compared; what is unknown does not."""
    ours, theirs = _identity(base), _identity(candidate)
    turned = [
        f"other direction of {name}"
        for name, metric in base.metrics.items()
        if name in candidate.metrics
        and metric.higher_is_better is not candidate.metrics[name].higher_is_better
    ]
    return turned + [
        f"other {what}: {ours[what]!r} and {theirs[what]!r}"
        for what in ours
        if what in theirs and None not in (ours[what], theirs[what]) and ours[what] != theirs[what]
    ]


def unknown_of(base: TaskRun, candidate: TaskRun) -> list[str]:
    """Name what only one of two runs of a task tells of itself."""
    ours, theirs = _identity(base), _identity(candidate)
    names = dict.fromkeys([*ours, *theirs])
    return [what for what in names if (ours.get(what) is None) != (theirs.get(what) is None)]


def _identity(task: TaskRun) -> dict[str, Any]:
    fewshot = task.data.get("fewshot")
    shown = fewshot if isinstance(fewshot, dict) else {}
    return {
        "task version": None if task.version is None else str(task.version),
        "data (fingerprint of the split)": task.data.get("fingerprint"),
        "few-shot examples (fingerprint)": shown.get("fingerprint"),
        "cluster": task.data.get("cluster"),
        **task.conditions,
    }


def _places(scores: Scores) -> dict[str, int]:
    return {digest: place for place, digest in enumerate(scores.hashes)}


def _take(scores: Scores, places: list[int]) -> Scores:
    return Scores(
        [scores.hashes[place] for place in places],
        [scores.clusters[place] for place in places],
        {name: column[places] for name, column in scores.values.items()},
    )


def _codes(clusters: Sequence[str]) -> NDArray[np.int64]:
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in clusters], dtype=np.int64)
