"""Means over documents, with their uncertainty. Pure: numbers in, numbers out.

Documents that come from one source (a story, a passage) are one cluster: they are resampled and
averaged together, or the intervals would be too narrow (Miller 2024, arXiv:2411.00640).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
FEWEST_CLUSTERS_TO_RESAMPLE = 20


class Interval(NamedTuple):
    """A 95% interval of a mean; `method` says how it was made. NaN bounds: not to be had."""

    low: float
    high: float
    method: str


def mean(values: Sequence[float]) -> float:
    """Average, NaN of nothing."""
    return math.fsum(values) / len(values) if values else math.nan


def clustered_error(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Standard error of the mean of n values in g clusters; NaN from fewer than two clusters.

    The root of (g / (g - 1)) times the sum over clusters of squared summed deviations, over n. With
    one value a cluster it is the usual sd / sqrt(n). Source: Miller 2024, arXiv:2411.00640, eq. 4,
    with the small-sample factor of Cameron and Miller 2015.

    >>> round(clustered_error([0, 1, 1, 0], "abcd"), 4)
    0.2887
    """
    sums, counts = _totals(values, clusters)
    if len(sums) < 2:
        return math.nan
    deviations = sums - counts * mean(values)
    factor = len(sums) / (len(sums) - 1)
    return float(math.sqrt(factor * float(np.sum(deviations**2))) / len(values))


def interval(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    bounds: tuple[float, float] | None = (0.0, 1.0),
    seed: int = 0,
) -> Interval:
    """Give a 95% interval of the mean.

    Proportions over unclustered documents: Wilson. Otherwise, from 20 clusters up, a seeded
    percentile bootstrap over clusters; below, Student's t with the clustered error. Values that
    are all equal say nothing about their spread: then the mean moves by at most the share of
    clusters that may differ unseen (the Wilson bound of 0 out of g), as far as `bounds` allow.

    Args:
        values: n values, one a document.
        clusters: n names; equal names are one cluster.
        bounds: the lowest and highest value possible, None if unbounded.
        seed: of the bootstrap.
    """
    if not values:
        return Interval(math.nan, math.nan, "no values")
    sums, counts = _totals(values, clusters)
    independent = len(sums) == len(values)
    if independent and bounds == (0.0, 1.0) and set(values) <= {0.0, 1.0}:
        return Interval(*_wilson(int(sum(values)), len(values)), "Wilson")
    if min(values) == max(values):
        return _constant(values[0], len(sums), bounds)
    if len(sums) >= FEWEST_CLUSTERS_TO_RESAMPLE:
        return _bootstrap(sums, counts, seed)
    return _student(mean(values), clustered_error(values, clusters), len(sums), bounds)


def _totals(
    values: Sequence[float], clusters: Sequence[Hashable]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values but {len(clusters)} clusters")
    place = {name: index for index, name in enumerate(dict.fromkeys(clusters))}
    where = [place[name] for name in clusters]
    weights = np.asarray(values, dtype=np.float64)
    sums = np.bincount(where, weights=weights, minlength=len(place)).astype(np.float64)
    counts = np.bincount(where, minlength=len(place)).astype(np.float64)
    return sums, counts


def _wilson(successes: int, n: int) -> tuple[float, float]:
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(successes, n, alpha=0.05, method="wilson")
    return float(low), float(high)


def _constant(value: float, clusters: int, bounds: tuple[float, float] | None) -> Interval:
    if bounds is None:
        return Interval(math.nan, math.nan, "all values equal")
    unseen = _wilson(0, clusters)[1]
    low, high = bounds
    return Interval(
        value - unseen * (value - low), value + unseen * (high - value), "all values equal, Wilson"
    )


def _bootstrap(sums: NDArray[np.float64], counts: NDArray[np.float64], seed: int) -> Interval:
    kinds, numbers = np.unique(np.stack([sums, counts], axis=1), axis=0, return_counts=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(sums), numbers / len(sums), size=RESAMPLES)
    means = (drawn @ kinds[:, 0]) / (drawn @ kinds[:, 1])
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(low), float(high), "cluster bootstrap")


def _student(
    value: float, error: float, clusters: int, bounds: tuple[float, float] | None
) -> Interval:
    from scipy import stats

    if clusters < 2:
        return Interval(math.nan, math.nan, "one cluster")
    reach = float(stats.t.ppf(0.975, clusters - 1)) * error
    low, high = value - reach, value + reach
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Interval(low, high, "t, clustered error")
