"""95% intervals of a mean over documents."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.stats.bootstrap import FEWEST_CLUSTERS, percentile_ends
from harness.stats.clusters import Clusters, Floats, Totals, Values, error_of, mean, numbers, totals
from harness.stats.score import unseen_ends

Bounds = tuple[float, float] | None
EQUAL, EQUAL_MEANS = "all values equal", "all cluster means equal"
_BY_WILSON = ", Wilson"
NO_SPREAD = {EQUAL + _BY_WILSON, EQUAL_MEANS + _BY_WILSON}
"""Methods of intervals of samples whose spread is unknown: their reach shrinks with n."""
NO_RATIO = "too few clusters leave anything to gain"
"""Of a ratio only: too many resamples have zero below the line."""


@dataclass(frozen=True)
class Interval:
    """A 95% interval; `method` says how it was made.

    Attributes:
        low, high: its ends in the values' unit; None: not to be had, `method` says why.
        method: for example "Wilson", "cluster bootstrap", "t, clustered error", "one cluster".
    """

    low: float | None
    high: float | None
    method: str


def interval(
    values: Values, clusters: Clusters, bounds: Bounds = (0.0, 1.0), seed: int = 0
) -> Interval:
    """Give a 95% interval of the mean.

    Proportions over unclustered documents: Wilson. Otherwise, from 20 clusters up, a seeded
    expanded percentile bootstrap over clusters; below, Student's t with the clustered error.
    Values (or cluster means) that are all equal say nothing about their spread: then the mean
    moves by at most the share of clusters that may differ unseen (the Wilson bound of 0 out of
    g), as far as `bounds` allow. Where few clusters differ, bootstrap and t know little more, and
    either end reaches at least as far as the score interval that counts unseen clusters in (see
    score.py). Unbounded values have no such floor: where few of them differ, the interval is too
    narrow. The order of the documents does not matter.

    Args:
        values: n values, one a document.
        clusters: n names; equal names are one cluster. An integer array is the fastest.
        bounds: the lowest and highest value possible, None if unbounded.
        seed: of the bootstrap.

    Raises:
        ValueError: not as many clusters as values.
    """
    told, groups = numbers(values), totals(values, clusters)
    if bounds == (0.0, 1.0) and len(told) and groups.are_single and are_binary(told):
        return Interval(*_wilson(int(told.sum()), len(told)), "Wilson")
    return clustered_interval(told, groups, bounds, groups, seed)


def clustered_interval(
    values: Floats, groups: Totals, bounds: Bounds, resampled: Totals, seed: int
) -> Interval:
    """Give the interval of a mean, or of a ratio of sums by values that have it for their mean.

    Args:
        values: n values, one a document.
        groups: their totals by cluster.
        bounds: the lowest and highest value possible, None if unbounded.
        resampled: per cluster, the sums whose ratio is bootstrapped; of a mean the totals.
        seed: of the bootstrap.
    """
    if not len(values):
        return Interval(None, None, "no values")
    if not np.isfinite(values).all():
        return Interval(None, None, "values not finite")
    if values.min() == values.max():
        return _constant(float(values[0]), len(groups.sums), bounds, EQUAL)
    if len(groups.sums) < 2:
        return Interval(None, None, "one cluster")
    value = mean(values)
    if groups.have_equal_means:
        return _constant(value, len(groups.sums), bounds, EQUAL_MEANS)
    if len(groups.sums) < FEWEST_CLUSTERS:
        return _widened(_student_ends(value, groups, bounds), groups, bounds, "t, clustered error")
    ends = percentile_ends(resampled, seed)
    if ends is None:
        return Interval(None, None, NO_RATIO)
    return _widened(ends, groups, bounds, "cluster bootstrap")


def are_binary(values: Floats) -> bool:
    """Whether all values are 0 or 1."""
    return bool(np.all((values == 0) | (values == 1)))


@lru_cache(maxsize=4096)
def _wilson(successes: int, n: int) -> tuple[float, float]:
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, n, alpha=0.05, method="wilson")
    return float(low), float(high)


def _constant(value: float, clusters: int, bounds: Bounds, what: str) -> Interval:
    if bounds is None:
        return Interval(None, None, what)
    unseen = _wilson(0, clusters)[1]
    low, high = bounds
    return Interval(
        value - unseen * (value - low), value + unseen * (high - value), what + _BY_WILSON
    )


def _student_ends(value: float, groups: Totals, bounds: Bounds) -> tuple[float, float]:
    from scipy.special import stdtrit  # the quantile of Student's t

    reach = float(stdtrit(len(groups.sums) - 1, 0.975)) * error_of(groups)
    least, most = bounds or (-math.inf, math.inf)
    return max(value - reach, least), min(value + reach, most)


def _widened(ends: tuple[float, float], groups: Totals, bounds: Bounds, method: str) -> Interval:
    """At least as wide as unseen clusters demand."""
    if bounds is None:
        return Interval(*ends, method)
    unseen = unseen_ends(groups, bounds)
    return Interval(min(ends[0], unseen[0]), max(ends[1], unseen[1]), method)
