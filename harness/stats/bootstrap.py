"""The cluster bootstrap of a mean: clusters are drawn again with replacement, whole.

Source: Hesterberg 2015, "What Teachers Should Know about the Bootstrap", The American
Statistician 69(4), arXiv:1411.5279, the expanded percentile interval: a percentile interval of a
small sample is too narrow by sqrt((g - 1) / g) and by the t quantile over the normal one, so
quantiles further out are read. It keeps to the values' range and follows their skew.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.stats.clusters import Floats, Totals

RESAMPLES = 10_000
FEWEST_CLUSTERS = 20
MOST_KINDS = 64  # of clusters, to draw how many of each instead of which ones; and for speed
FEWEST_OF_A_KIND = 10  # on average
MOST_KEPT = 100_000_000  # bytes of draws that are kept for the next call: 10,000 clusters
CHUNK = 1 << 18  # draws that are worked on at a time: 2 MiB as float64, within a core's cache


def percentile_ends(groups: Totals, seed: int) -> tuple[float, float] | None:
    """Give the ends of the 95% expanded percentile interval of the mean.

    Args:
        groups: totals of at least two clusters; their order does not matter. With other sums in
            the place of the counts it is the interval of the ratio of both.
        seed: equal seeds and clusters give equal ends.
    Returns:
        None: the counts are such sums, and in too many resamples they add up to zero. Where those
        are few, their ratios count as beyond either end.
    """
    means, tail = resampled_means(groups, seed), _expanded_tail(len(groups.sums))
    known = means[np.isfinite(means)]
    if len(known) < len(means):
        place = tail * (len(means) - 1) - (len(means) - len(known))
        if place < 0:
            return None
        tail = place / (len(known) - 1)
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


@lru_cache(maxsize=1024)
def _expanded_tail(clusters: int) -> float:
    """Phi(-sqrt(g / (g - 1)) t), t the 97.5% quantile of Student's t with g - 1 degrees."""
    from scipy.special import ndtr, stdtrit

    stretch = np.sqrt(clusters / (clusters - 1))
    return float(ndtr(-stretch * stdtrit(clusters - 1, 0.975)))


def resampled_means(groups: Totals, seed: int) -> Floats:
    """Give the means of 10,000 resamples of as many clusters as there are.

    Clusters of the same sum and size are of one kind. Where there are few kinds (values are
    discrete), how many are drawn of each is multinomial: the same distribution, without the draws.
    """
    order = np.lexsort((groups.counts, groups.sums))
    ordered = np.stack([groups.sums[order], groups.counts[order]], axis=1)
    starts = np.flatnonzero(np.append(True, np.any(np.diff(ordered, axis=0) != 0, axis=1)))
    if len(starts) <= min(MOST_KINDS, len(order) // FEWEST_OF_A_KIND):
        shares = np.diff(np.append(starts, len(order))) / len(order)
        numbers = np.random.default_rng(seed).multinomial(len(order), shares, size=RESAMPLES)
        drawn = numbers @ ordered[starts]
    else:
        drawn = _drawn_totals(ordered, seed)
    with np.errstate(divide="ignore", invalid="ignore"):  # told by percentile_ends
        means: Floats = drawn[:, 0] / drawn[:, 1]
    return means


def _drawn_totals(ordered: Floats, seed: int) -> Floats:
    """Sum and number of values of each resample, from those of each cluster."""
    clusters = len(ordered)
    if clusters * RESAMPLES > MOST_KEPT:
        chunks = _drawn(clusters, seed)
    else:
        kept, rows = _kept(clusters, seed), max(1, CHUNK // clusters)
        chunks = (kept[start : start + rows] for start in range(0, RESAMPLES, rows))
    return np.concatenate([chunk.astype(np.float64) @ ordered for chunk in chunks])


@lru_cache(maxsize=1)
def _kept(clusters: int, seed: int) -> NDArray[np.uint8]:
    """How often each cluster is in each resample: that depends on no value, so it is kept."""
    kept = np.empty((RESAMPLES, clusters), dtype=np.uint8)
    done = 0
    for chunk in _drawn(clusters, seed):
        kept[done : done + len(chunk)] = chunk
        done += len(chunk)
    return kept


def _drawn(clusters: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Draw, a few resamples at a time; a byte is enough: 1/256! bounds the odds of more."""
    rng = np.random.default_rng(seed)
    rows = max(1, CHUNK // clusters)
    for start in range(0, RESAMPLES, rows):
        shape = (min(rows, RESAMPLES - start), clusters)
        places = rng.integers(0, clusters, shape, dtype=np.int32)
        places += np.arange(shape[0], dtype=np.int32)[:, None] * np.int32(clusters)
        yield np.bincount(places.ravel(), minlength=places.size).astype(np.uint8).reshape(shape)
