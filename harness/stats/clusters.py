"""Means and their standard error; sums and numbers of values per cluster."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Values = Sequence[float] | NDArray[np.number[Any]]
Clusters = Sequence[Hashable] | NDArray[np.integer[Any]]

ROUNDING = 1e-12  # relative: sums of floats that differ by less are equal


class Totals(NamedTuple):
    """What g clusters hold: the sum and the number of each one's values."""

    sums: Floats
    counts: Floats

    @property
    def are_single(self) -> bool:
        """Whether each cluster has one value."""
        return bool(np.all(self.counts == 1))

    @property
    def have_equal_means(self) -> bool:
        """Whether all clusters have the same mean: they say nothing about their spread."""
        means = self.sums / self.counts
        return bool(np.ptp(means) <= ROUNDING * np.max(np.abs(means)))


def mean(values: Values) -> float:
    """Average, NaN of nothing."""
    return math.fsum(numbers(values).tolist()) / len(values) if len(values) else math.nan


def clustered_error(values: Values, clusters: Clusters) -> float:
    """Standard error of the mean of n values in g clusters; NaN from fewer than two clusters.

    The root of (g / (g - 1)) times the sum over clusters of squared summed deviations, over n. With
    one value a cluster it is the usual sd / sqrt(n). Source: Miller 2024, arXiv:2411.00640, eq. 4,
    with the small-sample factor of Cameron and Miller 2015.

    Args:
        values: n values, one a document.
        clusters: n names; equal names are one cluster. An integer array is the fastest.

    Raises:
        ValueError: not as many clusters as values.

    >>> round(clustered_error([0, 1, 1, 0], "abcd"), 4)
    0.2887
    """
    return error_of(totals(values, clusters))


def error_of(groups: Totals) -> float:
    """Clustered error of the mean, from the clusters' totals."""
    number, n = len(groups.sums), float(groups.counts.sum())
    if number < 2:
        return math.nan
    deviations = groups.sums - groups.counts * (math.fsum(groups.sums.tolist()) / n)
    return math.sqrt(number / (number - 1) * float(np.sum(deviations**2))) / n


def numbers(values: Values) -> Floats:
    """Values as an array of float64; the same array if it is one."""
    return np.asarray(values, dtype=np.float64)


def totals(values: Values, clusters: Clusters) -> Totals:
    """Sum up n values by cluster.

    Raises:
        ValueError: not as many clusters as values.
    """
    if len(values) != len(clusters):
        raise ValueError(f"{len(values)} values but {len(clusters)} clusters")
    where, number = _places(clusters)
    sums = np.bincount(where, weights=numbers(values), minlength=number)
    counts = np.bincount(where, minlength=number)
    return Totals(sums.astype(np.float64), counts.astype(np.float64))


def _places(clusters: Clusters) -> tuple[NDArray[np.intp], int]:
    """Give each document's cluster as a number from 0, and how many clusters there are."""
    if isinstance(clusters, np.ndarray) and clusters.dtype.kind in "iu":
        names, where = np.unique(clusters, return_inverse=True)
        return where, len(names)
    place = {name: index for index, name in enumerate(dict.fromkeys(clusters))}
    return np.array([place[name] for name in clusters], dtype=np.intp), len(place)
