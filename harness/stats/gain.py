"""The normalised gain: the share that was gained of what there was to gain.

Of n documents with a score `before` and one `after`, both in [0, 1], it is

    gain = (mean after - mean before) / (1 - mean before)

from the totals, not a mean over documents: a document that left nothing to gain has no gain of its
own. It is 1 where all scores are 1 afterwards, 0 where nothing is gained, and unbounded below. The
delta method makes it a mean: with room = 1 - mean before, the values

    gain + ((after - before) - gain (1 - before)) / room

have exactly the gain for their mean, and their clustered error is that of the ratio. So whatever
compares means compares gains.

Source: Hake 1998, American Journal of Physics 66, 64-74; of explanations Mayne et al. 2026,
arXiv:2602.02639. Ratio and delta method: Cochran 1977, Sampling Techniques, chapter 6.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from harness.stats.clusters import ROUNDING, Clusters, Floats, Totals, Values, mean, numbers, totals
from harness.stats.intervals import Interval, clustered_interval

MOST_BEFORE = 0.99
NO_ROOM = f"the part to be exceeded is {MOST_BEFORE:g} or more"
NO_PARTS = "no document has both parts"


def normalised_gain(after: Values, before: Values) -> float | None:
    """Give the share that was gained of what there was to gain.

    Args:
        after, before: n values each in [0, 1], of the same documents in the same order.
    Returns:
        At most 1; None: there are no documents, or the mean of `before` is 0.99 or more.

    Raises:
        ValueError: unequal lengths.

    >>> normalised_gain([1, 0.5], [0.5, 0])
    0.6666666666666666
    """
    told = _parts(after, before)
    return None if told is None else told.gain


def gain_values(after: Values, before: Values) -> Floats:
    """Give each document the value whose mean is the gain, with the gain's error (delta method).

    They depend on all the documents given: take exactly those that the gain is of.

    Raises:
        ValueError: unequal lengths, or there is no gain.
    """
    told = _known(after, before)
    values: Floats = told.gain + (told.won - told.gain * told.left) / told.room
    return values


def gain_bounds(after: Values, before: Values) -> tuple[float, float]:
    """Give the lowest and highest value that `gain_values` could have, with this gain and room.

    The lowest is of a document that falls from 1 to 0, the highest of one that rises from 0 to 1.

    Raises:
        ValueError: as `gain_values`.
    """
    told = _known(after, before)
    return told.gain - 1 / told.room, told.gain + (1 - told.gain) / told.room


def gain_interval(after: Values, before: Values, clusters: Clusters, seed: int = 0) -> Interval:
    """Give a 95% interval of the gain.

    From 20 clusters up an expanded percentile bootstrap of the ratio over clusters; below,
    Student's t on `gain_values`. Where those are all equal, or few clusters differ, clusters that
    are unseen count as in `interval`, by `gain_bounds`. No end is above 1.

    Args:
        after, before: n values each in [0, 1], of the same documents in the same order.
        clusters: n names; equal names are one cluster. An integer array is the fastest.
        seed: of the bootstrap.

    Raises:
        ValueError: unequal lengths.
    """
    told = _parts(after, before)
    if told is None:
        return Interval(None, None, NO_ROOM if len(after) else NO_PARTS)
    if not math.isfinite(told.gain):
        return Interval(None, None, "values not finite")
    values, won = gain_values(after, before), totals(told.won, clusters)
    found = clustered_interval(
        values,
        totals(values, clusters),
        gain_bounds(after, before),
        Totals(won.sums, totals(told.left, clusters).sums),
        seed,
    )
    if found.low is None or found.high is None:
        return found
    return Interval(min(found.low, 1.0), min(found.high, 1.0), found.method)


class _Parts(NamedTuple):
    """What each document won, and what there was left to win; their ratio; the mean of `left`."""

    won: Floats
    left: Floats
    gain: float
    room: float


def _parts(after: Values, before: Values) -> _Parts | None:
    second, first = numbers(after), numbers(before)
    if len(second) != len(first):
        raise ValueError(f"{len(second)} values after but {len(first)} before")
    if not len(first) or mean(first) >= MOST_BEFORE - ROUNDING:
        return None
    with np.errstate(invalid="ignore"):  # of two infinities: NaN, which is told as not finite
        won, left = second - first, 1 - first
    total = math.fsum(left.tolist())
    return _Parts(won, left, math.fsum(won.tolist()) / total, total / len(left))


def _known(after: Values, before: Values) -> _Parts:
    told = _parts(after, before)
    if told is None:
        raise ValueError(NO_ROOM if len(after) else NO_PARTS)
    return told
