"""A task in both runs: a row per metric."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness import stats
from harness.compare.pairing import Pairs
from harness.runs import Metric, TaskRun
from harness.stats import Interval, Test

LEVEL = 0.05
NONE = Interval(None, None, "no values")
Change = Literal["better", "worse", "higher", "lower", "no difference shown", "cannot be told"]


@dataclass(frozen=True)
class Row:
    """A metric of a task in both runs.

    Attributes:
        base, candidate: means, over the same documents where both runs have them.
        difference: candidate - base, in the metric's unit.
        interval: 95%, of the difference.
        p, adjusted_p: two-sided; Holm's over the whole comparison.
        n: documents to which it applies in both runs; unpaired: the smaller of both numbers.
        n_base, n_candidate: documents to which it applies in each.
        detectable: the smallest true difference found with 80% power at 5% over all tests.
        higher_is_better: its direction; None if it has none.
    """

    task: str
    metric: str
    base: float | None
    candidate: float | None
    difference: float | None
    interval: Interval
    test: str
    p: float | None
    adjusted_p: float | None
    n: int
    n_base: int
    n_candidate: int
    detectable: float | None
    higher_is_better: bool | None

    @property
    def verdict(self) -> Change:
        """What the adjusted p says, at 5%."""
        return change(self.difference, self.adjusted_p, self.higher_is_better)


def change(
    difference: float | None, adjusted_p: float | None, higher_is_better: bool | None
) -> Change:
    """Say what a difference comes to, at 5%.

    >>> change(0.2, 0.01, True), change(0.2, 0.01, None), change(0.2, 0.3, True)
    ('better', 'higher', 'no difference shown')
    """
    if adjusted_p is None or difference is None:
        return "cannot be told"
    if adjusted_p >= LEVEL or difference == 0:
        return "no difference shown"
    rises = difference > 0
    if higher_is_better is None:
        return "higher" if rises else "lower"
    return "better" if rises == higher_is_better else "worse"


def shared_metrics(base: TaskRun, candidate: TaskRun) -> dict[str, Metric]:
    """Give the metrics that both runs of a task have, as the base has them."""
    return {name: metric for name, metric in base.metrics.items() if name in candidate.metrics}


def compare_task(
    base: TaskRun, candidate: TaskRun, name: str, pairs: Pairs | None, tests: int = 1
) -> list[Row]:
    """Compare every metric that both runs of a task have; p is not adjusted yet.

    Args:
        pairs: the documents; None compares the recorded means, unpaired.
        tests: how many rows there will be in all; what is detectable depends on it.
    """
    shared = shared_metrics(base, candidate)
    if pairs is None:
        return [
            _unpaired(name, metric, ours, candidate.metrics[metric])
            for metric, ours in shared.items()
        ]
    return [_paired(name, metric, ours, pairs, tests) for metric, ours in shared.items()]


def _paired(task: str, name: str, metric: Metric, pairs: Pairs, tests: int) -> Row:
    told = pairs.of(name)
    test, changes = told.test(), told.changes
    return Row(
        task=task,
        metric=name,
        base=told.base.value,
        candidate=told.candidate.value,
        difference=None if told.lacking else _mean(changes),
        interval=told.interval(),
        test=test.method,
        p=test.p,
        adjusted_p=None,
        n=len(told),
        n_base=int(pairs.base.applies(name).sum()),
        n_candidate=int(pairs.candidate.applies(name).sum()),
        detectable=stats.detectable_effect(changes, told.clusters, tests=tests),
        higher_is_better=metric.higher_is_better,
    )


def _unpaired(task: str, name: str, base: Metric, candidate: Metric) -> Row:
    difference, told, test = None, NONE, Test(None, NONE.method)
    if base.value is not None and candidate.value is not None:
        difference = candidate.value - base.value
        told, test = stats.unpaired_difference(
            base.value, base.interval, candidate.value, candidate.interval
        )
    return Row(
        task=task,
        metric=name,
        base=base.value,
        candidate=candidate.value,
        difference=difference,
        interval=told,
        test=test.method,
        p=test.p,
        adjusted_p=None,
        n=min(base.n, candidate.n),
        n_base=base.n,
        n_candidate=candidate.n,
        detectable=None,
        higher_is_better=base.higher_is_better,
    )


def _mean(values: NDArray[np.float64]) -> float | None:
    return math.fsum(values) / len(values) if len(values) else None
