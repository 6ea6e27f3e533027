"""Score ends of the mean of bounded values: what no value has shown yet is counted in.

The low end is the mean mu at which (mean - mu)**2 = z**2 variance / g, with z = 1.96 and the
variance of the likeliest distribution of mean mu: the seen values weighted anew, and unseen ones
at the lowest possible value where the seen ones cannot bring the mean so far down (Wilson 1927
for the equation, Owen 1988, Biometrika 75, for the weights). With y the distances of the g values
from the lowest possible one it comes down to

    mean - z**2 / (g + z**2) * (mean(y) + k),   mean(y + k) * mean(1 / (y + k)) = 1 + z**2 / g,

k = 0 where that product is smaller even there: then it is Wilson's bound of 0 out of g, times the
distance. Of zeros and ones this is Wilson's interval whole; of -1, 0 and 1 it is Tango's of the
difference of paired proportions (1998, Statistics in Medicine 17, 891-908).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from harness.stats.clusters import ROUNDING, Floats, Totals

Z2 = NormalDist().inv_cdf(0.975) ** 2
ENOUGH = 10  # clusters of average size below the median: then it is known how far down they go


def score_ends(values: Floats, bounds: tuple[float, float]) -> tuple[float, float]:
    """Give the ends of the 95% score interval of the mean of values that are not all equal."""
    return _low_end(values, bounds[0]), -_low_end(-values, -bounds[1])


def unseen_ends(groups: Totals, bounds: tuple[float, float]) -> tuple[float, float]:
    """Give score ends for clusters that are not all equal, for a spread that may be known.

    Where few clusters lie below the median, unseen ones may be anywhere down to the bound. With
    each that does (of average size), up to ten or half of all, a further tenth or more of the way
    from the lowest seen to the bound is ruled out: by rule of thumb, so that values that hardly
    repeat are not widened for the sake of far bounds, and further losses never raise the low end.
    A cluster counts as the mean plus its summed deviation over the average cluster's size, as in
    `clustered_error`.
    """
    mirrored = Totals(-groups.sums, groups.counts)
    low, high = _low_unseen(groups, bounds[0]), -_low_unseen(mirrored, -bounds[1])
    return max(low, bounds[0]), min(high, bounds[1])


def _low_unseen(groups: Totals, bound: float) -> float:
    value = math.fsum(groups.sums.tolist()) / float(groups.counts.sum())
    linear = value + (groups.sums - groups.counts * value) / float(np.mean(groups.counts))
    lowest = float(linear.min())
    return _low_end(linear, lowest - _unknown(groups) * max(0.0, lowest - bound))


def _unknown(groups: Totals) -> float:
    """Share of the way below the lowest cluster that is not ruled out."""
    means = groups.sums / groups.counts
    below = means < np.median(means) - ROUNDING * np.max(np.abs(means))
    seen = float(np.sum(groups.counts[below]) / np.mean(groups.counts))
    return max(0.0, 1 - seen / min(ENOUGH, len(means) // 2))


def _low_end(values: Floats, bound: float) -> float:
    """The low end; `bound` is at most the lowest of the values."""
    from scipy.optimize import brentq

    away, count = np.sort(values) - bound, len(values)
    middle = float(np.mean(away))

    def excess(shift: float) -> float:  # falls, from at least 0 where the lowest is 0
        return (middle + shift) * float(np.mean(1 / (away + shift))) - 1 - Z2 / count

    shift = max(0.0, middle / (2 * (count + Z2)) - float(away[0]))
    if excess(shift) > 0:
        most = float(np.std(away)) * math.sqrt(count / Z2)  # excess is below variance / shift**2
        shift = brentq(excess, shift, 2 * most, xtol=1e-12 * middle)
    return bound + middle - Z2 / (count + Z2) * (middle + shift)
