"""Score intervals: what is known of Wilson's and Tango's, and what unseen values may do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import Interval, interval, paired_interval, paired_test
from harness.stats.clusters import totals
from harness.stats.score import score_ends, unseen_ends
from tests.benchmarks import coverage as bench

pytestmark = pytest.mark.slow

Z2 = 1.959963984540054**2
PAIRED, LIFT, LIFT_DIFFERENCE = (bench.RARE[place] for place in (0, 2, 4))


def changed(n: int, better: int, worse: int) -> tuple[np.ndarray, np.ndarray]:
    """Base and candidate, zeros and ones."""
    base = np.repeat([0.0, 1.0, 1.0], [better, worse, n - better - worse])
    return base, np.repeat([1.0, 0.0, 1.0], [better, worse, n - better - worse])


def paired(n: int, better: int, worse: int) -> Interval:
    return paired_interval(*changed(n, better, worse), np.arange(n))


def tangos_low_end(n: int, better: int, worse: int) -> float:
    """Tango 1998 as published: the likeliest share of losses given the difference, in closed form.

    Its root is where the score statistic is 1.96.
    """
    from scipy.optimize import brentq

    def excess(difference: float) -> float:
        linear = -better - worse + (2 * n - better + worse) * difference
        constant = -worse * difference * (1 - difference)
        share = (math.sqrt(max(0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
        variance = n * (2 * share + difference * (1 - difference))
        return better - worse - n * difference - math.sqrt(Z2 * max(0, variance))

    return brentq(excess, -1 + 1e-12, (better - worse) / n - 1e-12, xtol=1e-14)


@pytest.mark.parametrize(
    ("better", "worse", "n", "low", "high"),
    [
        # Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33, 2850-2875: airway
        # hyper-responsiveness; complete response (the digits are those of R's contingencytables)
        (1, 7, 21, -0.517, -0.026),
        (6, 16, 161, -0.1240, -0.0054),
    ],
)
def test_paired_interval_of_bits_is_tangos_as_published(better, worse, n, low, high):
    told = paired(n, better, worse)
    digits = 3 if n == 21 else 4
    assert (round(told.low, digits), round(told.high, digits)) == (low, high)
    assert told.method == "paired score, Tango"


@pytest.mark.parametrize("n", [3, 8, 30])
def test_paired_interval_of_bits_agrees_with_tangos_closed_form(n):
    for better in range(n):
        for worse in range(better == 0, n - better):
            told = paired(n, better, worse)
            assert told.low == pytest.approx(tangos_low_end(n, better, worse), abs=1e-9)
            assert told.high == pytest.approx(-tangos_low_end(n, worse, better), abs=1e-9)


@pytest.mark.parametrize("n", [1, 30, 70])
def test_paired_interval_without_change_is_tangos_too(n):
    # the likeliest losses for a difference d below 0 are -d: n d**2 = z2 d (1 - d)
    told = paired(n, 0, 0)
    assert (told.low, told.high) == pytest.approx((-Z2 / (n + Z2), Z2 / (n + Z2)))
    assert told.low == pytest.approx(tangos_low_end(n, 0, 0))


@settings(max_examples=50)
@given(st.integers(2, 60), st.data())
def test_score_ends_of_bits_are_wilsons(n, data):
    from scipy.stats import binomtest

    ones = data.draw(st.integers(1, n - 1))
    expected = binomtest(ones, n).proportion_ci(method="wilson")
    told = score_ends(np.repeat([1.0, 0.0], [ones, n - ones]), (0, 1))
    assert told == pytest.approx((expected.low, expected.high), abs=1e-10)


def test_score_end_is_where_the_likeliest_distribution_is_just_tenable():
    # by maximising the likelihood of five values' weights and the bound's, under a given mean
    from scipy.optimize import brentq, minimize

    values = np.array([0.0, 0.1, 0.1, 0.3, 0.9])
    points = np.append(values, -0.5)

    def excess(mean: float) -> float:
        best = minimize(
            lambda w: -np.sum(np.log(w[:5])),
            np.full(6, 1 / 6),
            bounds=[(1e-9, 1)] * 5 + [(0, 1)],
            constraints=[
                {"type": "eq", "fun": lambda w: w.sum() - 1},
                {"type": "eq", "fun": lambda w: w @ points - mean},
            ],
            options={"ftol": 1e-13, "maxiter": 500},
        ).x
        return (values.mean() - mean) ** 2 - Z2 * (best @ (points - mean) ** 2) / 5

    expected = brentq(excess, -0.3, 0.2, xtol=1e-6)
    assert score_ends(values, (-0.5, 1.0))[0] == pytest.approx(expected, abs=1e-4)


@settings(max_examples=60)
@given(st.integers(1, 90), st.integers(0, 90), st.integers(0, 90))
def test_paired_interval_of_bits_is_mirrored_by_swapping(better, worse, same):
    n = better + worse + same
    told, swapped = paired(n, better, worse), paired(n, worse, better)
    assert (swapped.low, swapped.high) == (-told.high, -told.low)
    assert -1 <= told.low <= (better - worse) / n <= told.high <= 1


def test_paired_interval_of_bits_excludes_zero_where_mcnemar_finds_a_difference():
    # Tango's is the inverted McNemar test without continuity correction, which the exact one
    # is never below; where both differ the exact p is at most that of 4 to none, 2 * 0.5**4
    for changes in range(1, 41):
        for better in range(changes + 1):
            p = paired_test(*changed(60, better, changes - better), np.arange(60)).p
            told = paired(60, better, changes - better)
            excludes = told.low > 0 or told.high < 0
            assert excludes == ((2 * better - changes) ** 2 > Z2 * changes)
            assert excludes if p < 0.05 else (not excludes or p <= 0.125)


def test_paired_interval_of_bits_in_other_bounds_or_clusters_is_not_tangos():
    base, candidate = changed(60, 5, 9)
    assert paired_interval(base, candidate, range(60), (0, 2)).method == "cluster bootstrap"
    pairs = [n // 2 for n in range(60)]
    assert paired_interval(base, candidate, pairs).method == "cluster bootstrap"
    told = paired_interval(base, candidate, [n // 6 for n in range(60)])
    assert told.method == "t, clustered error"


@pytest.mark.parametrize("n", [30, 70, 100, 400])
@pytest.mark.parametrize("case", [PAIRED, LIFT, LIFT_DIFFERENCE], ids=lambda case: case.name)
@pytest.mark.parametrize("gains", [0, 3])
def test_more_losses_never_raise_an_end(n, case, gains):
    told = [
        bench.interval_of(
            case, np.repeat([1.0, -1.0, 0.0], [gains, losses, n - gains - losses]), np.arange(n)
        )
        for losses in range(11)
    ]
    for end in ([one.low for one in told], [one.high for one in told]):
        assert np.all(np.diff(end) <= 1e-12)
    assert told[1].high > (gains - 1) / n + 0.5 / n  # one loss does not tell that none is won


def test_more_lost_clusters_never_raise_an_end():
    clusters = bench.grouped(100, 25)  # of 1, 7, 3, 5 and 4 documents
    told = [paired_interval(np.ones(100), 1.0 - (clusters < lost), clusters) for lost in range(11)]
    assert np.all(np.diff([one.low for one in told]) < 0)
    assert np.all(np.diff([one.high for one in told]) <= 0)


SIZES = sorted({*range(30, 201, 10), 32, 62, 72})


@pytest.mark.parametrize("margin", [0.05, 0.1])
@pytest.mark.parametrize("gain", [0.0, 0.02, 0.1])
def test_a_loss_of_the_margin_passes_a_gate_of_bits_in_three_percent(margin, gain):
    # exact; promised are 2.5%. Over every n from 30 to 200 and gains of up to 20%: 2.8%
    sizes = SIZES if gain < 0.1 else SIZES[::5]
    assert max(bench.wrong_passes(PAIRED, n, margin, gain) for n in sizes) <= 0.03


@pytest.mark.parametrize("margin", [0.05, 0.1])
def test_a_loss_of_the_margin_passes_a_gate_of_lift_in_three_percent(margin):
    assert max(bench.wrong_passes(LIFT, n, margin) for n in SIZES) <= 0.03


@pytest.mark.parametrize("case", bench.RARE, ids=lambda case: case.name)
@pytest.mark.parametrize("n", [30, 70, 100])
def test_intervals_of_rare_changes_cover(case, n):
    share = bench.covered(case, bench.alone(n), 500).share
    assert share >= 0.93 - 2 * bench.noise(0.93, 500)


def test_unseen_clusters_may_be_at_the_bound_until_ten_are_seen_on_that_side():
    # 100 values, 0 but for k of -0.1. Five of ten below the median: half the way from -0.1 to the
    # bound -1 is open; and 0 of 100 by Wilson may lie there, z2 / (100 + z2)
    values = np.zeros(100)
    values[:5] = -0.1
    low, _ = unseen_ends(totals(values, range(100)), (-1, 1))
    assert low == pytest.approx(-0.005 - Z2 / (100 + Z2) * (-0.005 + 0.55))
    values[:10] = -0.1
    ten = totals(values, range(100))
    assert unseen_ends(ten, (-1, 1))[0] == unseen_ends(ten, (-0.1, 1))[0]


def test_values_that_do_not_repeat_are_not_widened_by_far_bounds():
    for n in (9, 10, 30):
        values = np.random.default_rng(n).normal(0, 0.01, n)
        near, far = (interval(values, range(n), bounds) for bounds in ((-0.1, 0.1), (-9, 9)))
        assert near == far
        free = interval(values, range(n), None)
        assert far.high - far.low <= 1.15 * (free.high - free.low)


def test_unbounded_values_have_no_floor():
    values = [0.0] * 69 + [-1.0]
    assert interval(values, range(70), None).high <= 0 < interval(values, range(70), (-1, 1)).high


def test_ends_keep_to_the_bounds_with_clusters_of_unequal_sizes():
    values = [0.0] * 40 + [1.0] * 3
    clusters = [0] * 20 + list(range(1, 24))
    told = interval(values, clusters)
    assert 0 <= told.low < told.high <= 1
