"""The sign-flip distribution: sums of given sizes, each with a fair coin for its sign."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.stats.clusters import ROUNDING, Floats

FLIPS = 10_000
MOST_TO_ENUMERATE = 13  # sizes: 2**13 patterns
MOST_PARTS = 12  # the smallest size may be this many units, where all are whole multiples of one
MOST_KEPT = 25_000_000  # bytes of signs (8 in one) that are kept for the next call
CHUNK = 1 << 18  # signs that are worked on at a time: 2 MiB as float64, within a core's cache
TIE = 1e-11  # of the sum of sizes: sums that differ by less are equal


def sign_flip_p(sums: Floats, seed: int) -> float:
    """Give the chance that flipped signs bring the sum at least as far from zero as it is.

    Args:
        sums: one finite number a cluster. Neither their order nor a change of all signs matters.
        seed: of the flips, where the distribution is not computed whole.
    """
    sizes = np.sort(np.abs(sums))
    sizes = sizes[sizes > ROUNDING * sizes[-1]]
    if not len(sizes):
        return 1.0
    observed = abs(math.fsum(sums.tolist()))
    whole = _multiples(sizes)
    if whole is not None and _cost(whole) <= FLIPS * len(sizes):
        return _lattice_p(whole, round(observed / float(sizes[0]) * int(whole[0])))
    least = observed - TIE * float(sizes.sum())
    if len(sizes) <= MOST_TO_ENUMERATE:
        return float(np.mean(np.abs(_patterns(len(sizes)) @ sizes) >= least))
    hits = sum(int(np.sum(np.abs(flipped) >= least)) for flipped in _flipped(sizes, seed))
    return (1 + hits) / (1 + FLIPS)


def _multiples(sizes: Floats) -> NDArray[np.int64] | None:
    """Give ascending sizes as multiples of a common unit, None if none is found."""
    for parts in range(1, MOST_PARTS + 1):
        scaled: Floats = sizes / sizes[0] * parts
        whole = np.rint(scaled)
        if np.all(np.abs(scaled - whole) <= 1e-7):
            multiples: NDArray[np.int64] = whole.astype(np.int64)
            return multiples
    return None


def _cost(whole: NDArray[np.int64]) -> float:
    """Multiplications that `_lattice_p` takes, to be weighed against those of the flips."""
    kinds, numbers = np.unique(whole, return_counts=True)
    lengths = kinds.astype(np.float64) * numbers
    return float(np.sum(np.cumsum(lengths)[:-1] * lengths[1:]) + lengths.sum())


def _lattice_p(whole: NDArray[np.int64], observed: int) -> float:
    """Exact: equal sizes that keep their sign are binomial in number, the kinds add up."""
    distribution = np.ones(1)
    for kind, number in zip(*np.unique(whole, return_counts=True), strict=True):
        part = np.zeros(kind * number + 1)
        part[::kind] = _heads(int(number))
        distribution = np.convolve(distribution, part)
    sums = 2 * np.arange(len(distribution)) - int(whole.sum())
    return min(1.0, float(distribution[np.abs(sums) >= observed].sum()))


@lru_cache(maxsize=64)
def _heads(coins: int) -> Floats:
    from scipy.stats import binom

    chances: Floats = binom.pmf(np.arange(coins + 1), coins, 0.5)
    return chances


@lru_cache(maxsize=MOST_TO_ENUMERATE)
def _patterns(count: int) -> Floats:
    """All patterns of `count` signs, one a row."""
    bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    signs: Floats = (2 * bits - 1).astype(np.float64)
    return signs


def _flipped(sizes: Floats, seed: int) -> Iterator[Floats]:
    """Give 10,000 sums with random signs, some at a time."""
    count = len(sizes)
    if FLIPS * count > 8 * MOST_KEPT:
        chunks = _coins(count, seed)
    else:
        kept, rows = _kept(count, seed), max(1, CHUNK // count)
        chunks = (kept[start : start + rows] for start in range(0, FLIPS, rows))
    for chunk in chunks:
        signs = np.unpackbits(chunk, axis=1, count=count).astype(np.float64)
        yield 2.0 * (signs @ sizes) - sizes.sum()


@lru_cache(maxsize=2)
def _kept(count: int, seed: int) -> NDArray[np.uint8]:
    """The signs depend on no size, so they are kept."""
    return np.concatenate(list(_coins(count, seed)))


def _coins(count: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Toss, some rows of `count` coins at a time, eight in a byte."""
    rng = np.random.default_rng(seed)
    rows, width = max(1, CHUNK // count), (count + 7) // 8
    for start in range(0, FLIPS, rows):
        shape = (min(rows, FLIPS - start), width)
        yield np.frombuffer(rng.bytes(shape[0] * width), dtype=np.uint8).reshape(shape)
