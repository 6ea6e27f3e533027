"""What a comparison could have found, and how many documents would settle it."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from harness.stats.clusters import Clusters, Values, error_of, numbers, totals
from harness.stats.intervals import NO_SPREAD, Interval

LEVEL = 0.05  # two-sided
POWER = 0.8


def detectable_effect(differences: Values, clusters: Clusters, *, tests: int = 1) -> float | None:
    """Give the smallest true mean difference that would be found in 80% of samples like this one.

    Found: by a two-sided t test over the clusters, with the spread these differences have, at 5%
    divided by the number of tests: that is Holm's first step, which one real difference among
    many tests has to pass. Differences (or cluster means) that are all equal have no spread to go
    by; then it is the share of documents that must change by one unit, all in one direction, so
    that an exact two-sided sign test finds it in 80% of samples.

    Args:
        differences: n values of candidate - base, one a document.
        clusters: n names; equal names are one cluster.
        tests: how many p values are adjusted together.
    Returns:
        A difference above zero in the values' unit; None: too few clusters, or not finite.

    Raises:
        ValueError: not as many clusters as differences, or less than one test.
    """
    if tests < 1:
        raise ValueError(f"tests must be at least 1: got {tests}")
    told, groups = numbers(differences), totals(differences, clusters)
    count = len(groups.sums)
    if count < 2 or not np.isfinite(told).all():
        return None
    if groups.have_equal_means:
        return _share_that_must_change(count, tests)
    effect = _standard_effect(count, tests)
    return None if effect is None else effect * math.sqrt(count) * error_of(groups)


@lru_cache(maxsize=4096)
def _standard_effect(count: int, tests: int = 1) -> float | None:
    """Detectable effect of a one-sample t test in standard deviations; None: no solution.

    Found on the wrong side is, at this power, next to impossible and not counted.
    """
    from scipy.special import nctdtrinc, stdtrit  # the noncentrality; the quantile of Student's t

    edge = stdtrit(count - 1, 1 - LEVEL / tests / 2)
    effect = float(nctdtrinc(count - 1, 1 - POWER, edge)) / math.sqrt(count)
    return effect if math.isfinite(effect) and effect > 0 else None


@lru_cache(maxsize=4096)
def _share_that_must_change(count: int, tests: int) -> float | None:
    """The q for which a binomial of (count, q) reaches the fewest changes in 80% of samples."""
    from scipy.special import betaincinv  # P(Binomial(n, q) >= k) = I_q(k, n - k + 1)

    fewest = fewest_changes(tests)
    if count < fewest:
        return None
    return float(betaincinv(fewest, count - fewest + 1, POWER))


def fewest_changes(tests: int = 1) -> int:
    """The smallest k with 2 * 0.5**k <= 5% / tests: changes, all one way, that a sign test finds.

    >>> fewest_changes()
    6
    """
    return math.ceil(math.log2(2 * tests / LEVEL))


def documents_to_settle(difference: float, interval: Interval, margin: float, n: int) -> int | None:
    """Give the number of documents with which a gate would be settled in 80% of samples.

    The gate passes if the interval lies wholly above -margin and fails if wholly below. Supposed:
    the true difference is the observed one, and the interval shrinks with the root of n. Settled
    in 80% of samples, if the distance to -margin is (1.96 + 0.84) / 1.96 times the reach. Where no
    spread was seen (all values equal), the reach is Wilson's 1.96**2 / (n + 1.96**2) of the range.
    Where few documents changed the interval shrinks faster than that: the number is then too high,
    up to about three times.

    Args:
        difference: observed mean of candidate - base.
        interval: its 95% interval.
        margin: how far the candidate may fall; at least 0, in the values' unit.
        n: documents that the interval rests on.
    Returns:
        A number above n; None: the difference is -margin itself, or the interval is unknown.

    Raises:
        ValueError: margin is below 0.
    """
    if not margin >= 0:
        raise ValueError(f"margin must be at least 0: got {margin}")
    if interval.low is None or interval.high is None:
        return None
    distance = difference + margin
    if not math.isfinite(distance) or math.isclose(difference, -margin, abs_tol=1e-12):
        return None
    reach = difference - interval.low if distance > 0 else interval.high - difference
    level = NormalDist().inv_cdf(1 - LEVEL / 2)
    if interval.method in NO_SPREAD:
        settled = reach * (n + level**2) / abs(distance) - level**2
        return max(n + 1, math.ceil(settled + 1e-9))
    stretch = (level + NormalDist().inv_cdf(POWER)) / level
    return max(n + 1, math.ceil(n * (stretch * reach / abs(distance)) ** 2))
