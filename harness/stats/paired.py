"""Two models on the same documents: the difference, document by document."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from harness.stats.clusters import Clusters, Floats, Values, numbers, totals
from harness.stats.flips import sign_flip_p
from harness.stats.intervals import Bounds, Interval, are_binary, interval
from harness.stats.score import score_ends


@dataclass(frozen=True)
class Test:
    """A two-sided test that two means are equal.

    Attributes:
        p: in [0, 1]; None: cannot be computed, `method` says why.
        method: "exact McNemar", "paired permutation", "unpaired, from intervals" or the reason.
    """

    __test__: ClassVar[bool] = False  # to pytest it is no test, whatever its name

    p: float | None
    method: str


def paired_test(base: Values, candidate: Values, clusters: Clusters, seed: int = 0) -> Test:
    """Test whether the candidate's mean differs from the base's.

    Zeros and ones over unclustered documents: exact McNemar. Otherwise a permutation test: were
    there no difference, each cluster's summed difference could as well have the other sign; p is
    the share of sign patterns whose sum is at least as far from zero. It is exact where that is
    cheap, else from 10,000 seeded flips, the observed one counted in. Neither the order of the
    documents nor which model is called base matters.

    Args:
        base, candidate: n values each, of the same documents in the same order.
        clusters: n names; equal names are one cluster. An integer array is the fastest.
        seed: of the flips.

    Raises:
        ValueError: unequal lengths.
    """
    first, second = numbers(base), numbers(candidate)
    groups = totals(_differences(first, second), clusters)
    if not len(first):
        return Test(None, "no values")
    if not np.isfinite(groups.sums).all():
        return Test(None, "values not finite")
    if len(groups.sums) < 2:
        return Test(None, "one cluster")
    if groups.are_single and are_binary(first) and are_binary(second):
        return Test(_mcnemar(first, second), "exact McNemar")
    return Test(sign_flip_p(groups.sums, seed), "paired permutation")


def paired_interval(
    base: Values,
    candidate: Values,
    clusters: Clusters,
    bounds: Bounds = (0.0, 1.0),
    seed: int = 0,
) -> Interval:
    """Give a 95% interval of the mean of candidate - base.

    Zeros and ones over unclustered documents: Tango's score interval of the difference of paired
    proportions. Without any change that is Wilson's bound of 0 out of n, either way, which is what
    `interval` gives there. Otherwise by `interval`. Tango's excludes 0 wherever exact McNemar has
    p < 0.05, and in some cases more: of 4 changes, all one way, where p = 0.125.

    Args:
        base, candidate: n values each, of the same documents in the same order.
        clusters: n names; equal names are one cluster.
        bounds: the lowest and highest value possible (not difference), None if unbounded.
        seed: of the bootstrap.

    Raises:
        ValueError: unequal lengths.
    """
    first, second = numbers(base), numbers(candidate)
    differences = _differences(first, second)
    if bounds == (0.0, 1.0) and are_binary(first) and are_binary(second):
        single = totals(differences, clusters).are_single
        if single and len(differences) and np.ptp(differences) > 0:
            return Interval(*score_ends(differences, (-1.0, 1.0)), "paired score, Tango")
    reach = None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])
    return interval(differences, clusters, reach, seed)


def _differences(base: Floats, candidate: Floats) -> Floats:
    if len(base) != len(candidate):
        raise ValueError(f"{len(base)} values of the base but {len(candidate)} of the candidate")
    with np.errstate(invalid="ignore"):  # of two infinities: NaN, which is told as not finite
        return candidate - base


def _mcnemar(base: Floats, candidate: Floats) -> float:
    """Test the documents that changed: as many for better as for worse?"""
    return _sign_p(int(np.sum(candidate > base)), int(np.sum(candidate < base)))


@lru_cache(maxsize=4096)
def _sign_p(better: int, worse: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(better, better + worse, 0.5).pvalue) if better + worse else 1.0
