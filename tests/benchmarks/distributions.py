"""Distributions with a known truth: what `coverage` draws samples from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from harness import stats

Floats = NDArray[np.float64]
Places = NDArray[np.int64]  # the cluster of each document
SIZES = {  # documents and clusters: the sizes of clusters, over and over
    (30, 20): (1, 2, 1, 2),
    (30, 10): (1, 5, 2, 4),
    (100, 25): (1, 7, 3, 5, 4),
    (100, 10): (4, 16, 8, 12, 10),
    (800, 100): (1, 15, 4, 12, 8),
}


def alone(n: int) -> Places:
    return np.arange(n)


def grouped(n: int, clusters: int) -> Places:
    """Clusters of unequal sizes."""
    pattern = SIZES[n, clusters]
    sizes = [pattern[place % len(pattern)] for place in range(clusters)]
    assert sum(sizes) == n
    return np.repeat(np.arange(clusters), sizes)


@dataclass(frozen=True)
class Distribution:
    """Values of documents, with the mean that an interval should cover.

    `paired`: they are differences of zeros and ones, and given as such. `gain`: they are two rows,
    after and before, and the truth is the normalised gain.
    """

    name: str
    truth: float
    bounds: tuple[float, float]
    draw: Callable[[Generator, Places], Floats]
    paired: bool = False
    gain: bool = False


def often(rng: Generator, places: Places) -> Floats:
    return (rng.random(len(places)) < 0.9).astype(np.float64)


def lift(rng: Generator, places: Places) -> Floats:
    return rng.choice([-1.0, 0.0, 1.0], len(places), p=[0.1, 0.6, 0.3])


def rare_lift(rng: Generator, places: Places) -> Floats:
    return rng.choice([-1.0, 0.0, 1.0], len(places), p=[0.01, 0.94, 0.05])


def rare_losses(rng: Generator, places: Places) -> Floats:
    return -(rng.random(len(places)) < 0.05).astype(np.float64)


def skewed(rng: Generator, places: Places) -> Floats:
    return rng.beta(0.5, 3, len(places))


def pair(rng: Generator, places: Places) -> tuple[Floats, Floats]:
    """Base and candidate: mostly the same value, sometimes a fresh and higher one."""
    base = rng.beta(2, 2, len(places))
    fresh = rng.random(len(places)) < 0.5
    return base, np.where(fresh, rng.beta(3, 2, len(places)), base)


def change(rng: Generator, places: Places) -> Floats:
    base, candidate = pair(rng, places)
    return candidate - base


def clustered(concentration: float, mean: float, rng: Generator, places: Places) -> Floats:
    """Each cluster's own mean, beta distributed."""
    means = rng.beta(mean * concentration, (1 - mean) * concentration, places[-1] + 1)
    return means[places]


def clustered_lift(rng: Generator, places: Places) -> Floats:
    """-1, 0, 1; means of clusters between -1 and 1; intra-cluster correlation 0.2 and more."""
    shares = clustered(2, 0.6, rng, places)
    second = rng.random(len(places)) < shares
    return (rng.random(len(places)) < shares).astype(float) - 1.0 + second


def clustered_binary(rng: Generator, places: Places) -> Floats:
    """Intra-cluster correlation 1 / (1 + 3) = 0.25."""
    return (rng.random(len(places)) < clustered(3, 0.7, rng, places)).astype(np.float64)


def clustered_skewed(rng: Generator, places: Places) -> Floats:
    means = np.clip(clustered(4, 0.2, rng, places), 1e-6, 1 - 1e-6)
    return rng.beta(4 * means, 4 * (1 - means))


def clustered_change(rng: Generator, places: Places) -> Floats:
    """The whole cluster's shift, and the document's own."""
    shift = rng.normal(0.05, 0.1, places[-1] + 1)[places]
    return np.clip(shift + rng.normal(0, 0.15, len(places)), -1, 1)


ASKED = 10  # follow-up questions about a document
GAIN = 0.4


def agreement(blind: float, rng: Generator, places: Places) -> Floats:
    """Shares of the follow-ups, after and before; each cluster has its own chances.

    Beta distributed around blind + 0.4 (1 - blind), and around blind.
    """
    after = clustered(5, blind + GAIN * (1 - blind), rng, places)
    before = clustered(5, blind, rng, places)
    return rng.binomial(ASKED, np.stack([after, before])) / ASKED


def gains(blind: float) -> Distribution:
    name = f"gain 0.4 over blind {blind:g}"
    return Distribution(name, GAIN, (-math.inf, 1), partial(agreement, blind), gain=True)


ALONE = [
    Distribution("proportion 0.9", 0.9, (0, 1), often),
    Distribution("lift", 0.2, (-1, 1), lift),
    Distribution("skewed, beta(0.5, 3)", 0.5 / 3.5, (0, 1), skewed),
    Distribution("paired difference", 0.05, (-1, 1), change),
]
RARE = [
    Distribution("paired bits, 5% losses", -0.05, (0, 1), rare_losses, paired=True),
    Distribution("paired bits, 5% gains, 1% losses", 0.04, (0, 1), rare_lift, paired=True),
    Distribution("lift, 5% losses", -0.05, (-1, 1), rare_losses),
    Distribution("lift, 5% gains, 1% losses", 0.04, (-1, 1), rare_lift),
    Distribution("lift difference, 5% losses", -0.05, (-2, 2), rare_losses),
]
CLUSTERED = [
    Distribution("proportion 0.7", 0.7, (0, 1), clustered_binary),
    Distribution("lift", 0.2, (-1, 1), clustered_lift),
    Distribution("skewed, mean 0.2", 0.2, (0, 1), clustered_skewed),
    Distribution("paired difference", 0.05, (-1, 1), clustered_change),
]
GAINS = [gains(blind) for blind in (0.3, 0.6, 0.9)]
CASES = [
    *((one, alone(n)) for one in ALONE for n in (10, 30, 100, 800)),
    *((one, alone(n)) for one in RARE for n in (30, 70, 100, 800)),
    *((one, grouped(*size)) for one in CLUSTERED for size in SIZES),
    *((one, alone(n)) for one in GAINS for n in (30, 100)),
    *((one, grouped(*size)) for one in GAINS for size in SIZES),
]


Pair = Callable[[Generator, Places], tuple[Floats, Floats]]


def same_lift(rng: Generator, places: Places) -> tuple[Floats, Floats]:
    return lift(rng, places), lift(rng, places)


def same_skewed(rng: Generator, places: Places) -> tuple[Floats, Floats]:
    return skewed(rng, places), skewed(rng, places)


def same_clustered(rng: Generator, places: Places) -> tuple[Floats, Floats]:
    """Two models that each do well on their own clusters."""
    return clustered_skewed(rng, places), clustered_skewed(rng, places)


def same_gain(rng: Generator, places: Places) -> tuple[Floats, Floats]:
    """Two models of one gain, with the values that make it a mean."""
    told = [agreement(0.6, rng, places) for _ in range(2)]
    return stats.gain_values(*told[0]), stats.gain_values(*told[1])


def skewed_change(rng: Generator, places: Places) -> tuple[Floats, Floats]:
    """Equal means, but not exchangeable: the permutation test promises nothing exact here."""
    return np.full(len(places), 1 / 7), skewed(rng, places)
