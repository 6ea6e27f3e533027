"""Which documents of two runs are the same, and whether the runs may be compared at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import stats
from harness.errors import ComparisonError
from harness.run_files import StoredRun
from harness.run_scores import Column, Scores
from harness.runs import TaskRun
from harness.stats import Interval, Test

ROUNDING = 1e-12
SIMULATION = ("simulator", "simulator_chat_template")
"""Conditions that say who predicted the model's answers, and how that one was asked."""


@dataclass(frozen=True)
class Paired:
    """A metric over the n documents to which it applies in both runs.

    Attributes:
        base, candidate: its values, of the same documents; of gains linear ones over just these.
        clusters: shape (n,); equal numbers are one source.
        gains: whether it is a gain.
    """

    base: Column
    candidate: Column
    clusters: NDArray[np.int64]
    gains: bool

    def __len__(self) -> int:
        return len(self.clusters)

    @property
    def changes(self) -> NDArray[np.float64]:
        """Candidate - base; what of two gains is rounding only is no change."""
        told: NDArray[np.float64] = self.candidate.values - self.base.values
        if self.gains:
            told[np.abs(told) <= ROUNDING] = 0.0
        return told

    @property
    def lacking(self) -> str | None:
        """Why there is nothing to compare; None: there is, or there are no documents."""
        return self.base.lacking or self.candidate.lacking

    def test(self) -> Test:
        """Test whether both are the same."""
        if self.lacking:
            return Test(None, self.lacking)
        if self.gains:
            return stats.paired_test(np.zeros(len(self)), self.changes, self.clusters)
        return stats.paired_test(self.base.values, self.candidate.values, self.clusters)

    def interval(self) -> Interval:
        """Give a 95% interval of candidate - base."""
        if self.lacking:
            return Interval(None, None, self.lacking)
        ours, theirs = self.base.bounds, self.candidate.bounds
        if not self.gains or ours is None or theirs is None:
            return stats.paired_interval(
                self.base.values, self.candidate.values, self.clusters, ours
            )
        reach = (theirs[0] - ours[1], theirs[1] - ours[0])  # each gain's values have their own
        return stats.interval(self.changes, self.clusters, reach)


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

    def of(self, name: str) -> Paired:
        """Give a metric over the documents to which it applies in both."""
        both = self.base.applies(name) & self.candidate.applies(name)
        ours, theirs = self.base.of(name, both), self.candidate.of(name, both)
        gains = self.base.metrics[name].of is not None
        return Paired(ours, theirs, self.clusters[both], gains)


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
    chosen = ours.at([here[digest] for digest in common])
    other = theirs.at([there[digest] for digest in common])
    if chosen.clusters != other.clusters:
        raise ComparisonError(f"{name}: {base.name} and {candidate.name} have other clusters")
    return Pairs(chosen, other, _codes(chosen.clusters))


def other_simulators(base: TaskRun, candidate: TaskRun) -> bool:
    """Say whether two runs of a task were simulated by different models, or in different ways."""
    pairs = [(base.conditions.get(what), candidate.conditions.get(what)) for what in SIMULATION]
    return any(None not in pair and pair[0] != pair[1] for pair in pairs)


def incomparable(base: TaskRun, candidate: TaskRun) -> list[str]:
    """Name what keeps two runs of a task from being compared; what is unknown does not."""
    ours, theirs = _identity(base), _identity(candidate)
    shared = [
        (name, metric, candidate.metrics[name])
        for name, metric in base.metrics.items()
        if name in candidate.metrics
    ]
    turned = [
        f"other direction of {name}"
        for name, metric, other in shared
        if metric.higher_is_better is not other.higher_is_better
    ]
    turned += [f"other parts of {name}" for name, metric, other in shared if metric.of != other.of]
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


def _codes(clusters: Sequence[str]) -> NDArray[np.int64]:
    known: dict[str, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in clusters], dtype=np.int64)
