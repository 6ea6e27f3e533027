"""The difference of two published means of which only the intervals are known."""

from __future__ import annotations

import math
from statistics import NormalDist

from harness.stats.intervals import Interval
from harness.stats.paired import Test

METHOD = "unpaired, from intervals"


def unpaired_difference(
    base_value: float | None,
    base_interval: Interval,
    candidate_value: float | None,
    candidate_interval: Interval,
) -> tuple[Interval, Test]:
    """Give a 95% interval of candidate - base, and its test, as if the documents were not shared.

    MOVER (method of variance estimates recovery): the distance from each mean to its interval's
    end stands for 1.96 standard errors on that side. Of two Wilson intervals it is Newcombe's
    hybrid score interval. p < 0.05 exactly where the interval excludes zero; further out p takes
    the distance to zero, in units of the interval's reach, for normal. Models compared on the
    same documents usually agree more than this supposes: then `paired_interval` is narrower.

    Args:
        base_value, candidate_value: the two means; None or NaN: unknown.
        base_interval, candidate_interval: their 95% intervals.

    Source: Zou and Donner 2008, Statistics in Medicine 27, 1693-1702; Newcombe 1998, ibid. 17,
        873-890, method 10.
    """
    base = _parts(base_value, base_interval)
    candidate = _parts(candidate_value, candidate_interval)
    if base is None or candidate is None:
        reason = "base unknown" if base is None else "candidate unknown"
        return Interval(None, None, reason), Test(None, reason)
    difference = candidate[0] - base[0]
    below = math.hypot(candidate[1], base[2])
    above = math.hypot(candidate[2], base[1])
    told = Interval(difference - below, difference + above, METHOD)
    return told, Test(_p(abs(difference), below if difference > 0 else above), METHOD)


def _parts(value: float | None, interval: Interval) -> tuple[float, float, float] | None:
    """Value, distance to the low end, distance to the high end; None if any is unknown."""
    if value is None or interval.low is None or interval.high is None:
        return None
    told = value, value - interval.low, interval.high - value
    return told if all(map(math.isfinite, told)) else None


def _p(distance: float, reach: float) -> float:
    from scipy.special import ndtr

    if distance == 0:
        return 1.0
    if reach == 0:
        return 0.0
    return float(2 * ndtr(-NormalDist().inv_cdf(0.975) * distance / reach))
