"""Simulations: what is promised of intervals and tests holds for known distributions.

The whole table, with widths: python -m tests.benchmarks.coverage.
"""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats import detectable_effect, interval, paired_test
from tests.benchmarks import coverage as bench

pytestmark = pytest.mark.slow

LIFT, SKEWED, CHANGE = bench.ALONE[1:]
CLUSTERED_BINARY, CLUSTERED_LIFT, CLUSTERED_SKEWED, CLUSTERED_CHANGE = bench.CLUSTERED
FEW = [
    (LIFT, bench.alone(30)),
    (SKEWED, bench.alone(100)),
    (CHANGE, bench.alone(30)),
    (CHANGE, bench.alone(100)),
    (CLUSTERED_BINARY, bench.grouped(30, 20)),
    (CLUSTERED_LIFT, bench.grouped(30, 20)),
    (CLUSTERED_CHANGE, bench.grouped(100, 25)),
]
ALL = [
    *((one, bench.alone(n)) for one in (LIFT, SKEWED, CHANGE) for n in (30, 100, 800)),
    *(
        (one, bench.grouped(n, clusters))
        for one in bench.CLUSTERED
        for n, clusters in bench.SIZES
        if clusters >= 20
    ),
]


def named(case: object) -> str | None:
    if isinstance(case, tuple):
        return f"{case[0].name}, {len(case[1])} in {case[1][-1] + 1}"
    return None


def assert_covers(case, places, samples: int, allowed: tuple[float, float] = bench.COVERED) -> None:
    """Between the two, but for two errors of simulation."""
    share = bench.covered(case, places, samples).share
    low, high = allowed
    assert low - 2 * bench.noise(low, samples) <= share <= high + 2 * bench.noise(high, samples)


@pytest.mark.parametrize("case", FEW, ids=named)
def test_interval_covers(case):
    assert_covers(*case, samples=600)


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL, ids=named)
def test_interval_covers_in_every_cell(case):
    assert_covers(*case, samples=3000)


@pytest.mark.slow
@pytest.mark.parametrize("case", bench.CLUSTERED, ids=lambda case: case.name)
def test_interval_of_ten_unequal_clusters_covers_less_than_promised(case):
    # Student's t supposes normal cluster means of one variance; skew and unequal sizes cost
    # up to five points: 0.90 where 0.95 is written. More clusters are the only remedy
    assert_covers(case, bench.grouped(100, 10), samples=3000, allowed=(0.89, 0.97))


@pytest.mark.parametrize("n", [10, 30, 100])
def test_interval_wilson_covers_on_average_over_proportions(n):
    # exact, all n + 1 outcomes; the mean over true proportions 0.05, 0.055, ..., 0.95. At a
    # single proportion it may be lower: 0.899 for n = 10 within that range
    from scipy.stats import binom

    told = [interval([1.0] * k + [0.0] * (n - k), range(n)) for k in range(n + 1)]
    proportions = np.linspace(0.05, 0.95, 181)[:, None]
    holds = ([one.low for one in told] <= proportions) & (proportions <= [one.high for one in told])
    covered = (binom.pmf(np.arange(n + 1), n, proportions) * holds).sum(axis=1)
    assert 0.92 <= covered.mean() <= 0.98
    assert covered.min() > 0.89


@pytest.mark.parametrize("changing", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("n", [6, 12, 25])
def test_paired_test_of_bits_errs_in_at_most_five_percent(n, changing):
    assert bench.mcnemar_size(n, changing) <= 0.05  # exact, all outcomes


@pytest.mark.parametrize("n", [5, 8])
def test_paired_test_of_small_numbers_errs_in_at_most_five_percent(n):
    # exact: given the sizes of the differences, all sign patterns are equally likely
    sizes = np.random.default_rng(n).integers(1, 4, n) / 2
    patterns = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    found = [paired_test(np.zeros(n), sizes * signs, range(n)).p < 0.05 for signs in patterns]
    assert np.mean(found) <= 0.05


@pytest.mark.parametrize(
    ("draw", "places"),
    [
        (bench.same_lift, bench.alone(30)),
        (bench.same_skewed, bench.alone(100)),
        (bench.same_clustered, bench.grouped(100, 25)),
    ],
)
def test_paired_test_errs_in_at_most_five_percent_of_equal_models(draw, places):
    assert bench.rejected(draw, places, 1000) <= 0.05 + 2 * bench.noise(0.05, 1000)


@pytest.mark.parametrize(
    ("case", "places"), [(LIFT, bench.alone(100)), (CLUSTERED_CHANGE, bench.grouped(800, 100))]
)
def test_detectable_effect_is_found_in_eighty_percent(case, places):
    # with ten clusters of unequal sizes it is found in 73 to 76%: see the benchmark
    _, power = bench.power_at_detectable(case, places, 600)
    assert power == pytest.approx(0.8, abs=0.05)


def test_detectable_share_is_found_in_eighty_percent():
    share = detectable_effect(np.zeros(50), range(50))

    def changed(rng, places):
        return np.zeros(len(places)), (rng.random(len(places)) < share).astype(float)

    power = bench.rejected(changed, bench.alone(50), 2000)
    assert power == pytest.approx(0.8, abs=3 * bench.noise(0.8, 2000))


def test_documents_to_settle_do_settle_eighty_percent():
    _, share = bench.settled(-0.01, 0.05, 400)
    assert share == pytest.approx(0.8, abs=3 * bench.noise(0.8, 400))
