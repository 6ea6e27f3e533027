"""The normalised gain: arithmetic, linear values, intervals against independent computations."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats import (
    clustered_error,
    gain_bounds,
    gain_interval,
    gain_values,
    interval,
    mean,
    normalised_gain,
)
from harness.stats.bootstrap import percentile_ends
from harness.stats.clusters import Totals
from tests.benchmarks import coverage as bench

AFTER, BEFORE = [1.0, 0.5, 0.75, 1.0], [0.5, 0.5, 0.0, 1.0]
SHARES = st.integers(0, 10).map(lambda tenths: tenths / 10)
PARTS = st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=30)


def drawn(n: int, clusters: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """After, before and unequal clusters."""
    rng = np.random.default_rng(seed)
    places = np.sort(rng.integers(0, clusters, n))
    blind = rng.beta(2, 2, clusters)[places]
    return rng.binomial(10, (1 + blind) / 2) / 10, rng.binomial(10, blind) / 10, places


def test_normalised_gain_is_of_totals_not_of_documents():
    # (0.5 + 0 + 0.75 + 0) / (0.5 + 0.5 + 1 + 0) = 1.25 / 2; documents alone: 1, 0, 0.75, none
    assert normalised_gain(AFTER, BEFORE) == 0.625


@pytest.mark.parametrize(
    ("after", "before", "gain"),
    [
        ([1.0, 1.0], [0.2, 0.9], 1.0),
        ([0.2, 0.9], [0.2, 0.9], 0.0),
        ([0.0, 0.0], [0.9, 0.9], -9.0),  # all of 0.9 lost, where 0.1 was to be gained
        ([], [], None),
        ([1.0] * 100, [1.0] * 99 + [0.0], None),  # 0.99
        ([1.0] * 100, [1.0] * 98 + [0.0] * 2, 1.0),  # 0.98
    ],
)
def test_normalised_gain_at_its_ends(after, before, gain):
    assert normalised_gain(after, before) == (None if gain is None else pytest.approx(gain))


def test_gain_of_unequal_lengths_is_refused():
    for compute in (normalised_gain, gain_values, gain_bounds):
        with pytest.raises(ValueError, match="1 values after but 2 before"):
            compute([1.0], [0.0, 0.5])
    with pytest.raises(ValueError, match="2 values but 1 clusters"):
        gain_interval([1.0, 0.0], [0.0, 0.5], "a")


@pytest.mark.parametrize("parts", [([], []), ([1.0], [1.0])])
def test_gain_values_without_a_gain_are_refused(parts):
    with pytest.raises(ValueError, match=r"no document has both parts|0\.99 or more"):
        gain_values(*parts)


def test_gain_values_by_hand():
    # room 2 / 4 = 0.5; won - 0.625 left: 0.1875, -0.3125, 0.125, 0; over 0.5, plus 0.625
    np.testing.assert_allclose(gain_values(AFTER, BEFORE), [1.0, 0.0, 0.875, 0.625])


@given(PARTS)
def test_gain_values_average_to_the_gain_and_keep_to_their_bounds(parts):
    after, before = zip(*parts, strict=True)
    gain = normalised_gain(after, before)
    if gain is None:
        assert mean(before) >= 0.99 - 1e-9
        return
    values, (low, high) = gain_values(after, before), gain_bounds(after, before)
    assert mean(values) == pytest.approx(gain, abs=1e-9)
    assert low - 1e-9 <= values.min() and values.max() <= high + 1e-9


def test_gain_bounds_are_reached_by_the_worst_and_the_best_document():
    after, before = [0.0, 1.0, 0.5], [1.0, 0.0, 0.5]  # gain 0, room 0.5
    assert gain_bounds(after, before) == (-2.0, 2.0)
    np.testing.assert_allclose(gain_values(after, before), [-2.0, 2.0, 0.0])


def test_gain_error_is_that_of_the_delta_method_by_numerical_derivatives():
    # the variance of (mean after, mean before), carried through the gain's own slopes
    after, before, _ = drawn(200, 200)
    means, step = np.array([after.mean(), before.mean()]), 1e-6

    def gain(at: np.ndarray) -> float:
        return (at[0] - at[1]) / (1 - at[1])

    slopes = [(gain(means + one) - gain(means - one)) / (2 * step) for one in np.eye(2) * step]
    variance = slopes @ np.cov(after, before) @ slopes / len(after)
    error = clustered_error(gain_values(after, before), range(200))
    assert error == pytest.approx(math.sqrt(variance), rel=1e-6)


def test_gain_error_of_clusters_is_near_the_jackknife_over_clusters():
    after, before, places = drawn(800, 100)
    kept = [places != one for one in np.unique(places)]
    gains = np.array([normalised_gain(after[rows], before[rows]) for rows in kept])
    jackknife = math.sqrt((len(gains) - 1) / len(gains) * np.sum((gains - gains.mean()) ** 2))
    error = clustered_error(gain_values(after, before), places)
    assert error == pytest.approx(jackknife, rel=0.03)


@pytest.mark.parametrize("clusters", [40, 100])
def test_gain_interval_is_the_bootstrap_of_the_ratio_over_clusters(clusters):
    # by hand: whole clusters drawn again, the gain of each resample, expanded percentiles
    from scipy.stats import norm, t

    after, before, places = drawn(400, clusters)
    told = gain_interval(after, before, places)
    rng, rows = np.random.default_rng(7), [np.flatnonzero(places == one) for one in set(places)]
    gains = []
    for _ in range(4000):
        chosen = np.concatenate([rows[one] for one in rng.integers(0, len(rows), len(rows))])
        low = before[chosen].mean()
        gains.append((after[chosen].mean() - low) / (1 - low))
    g = len(rows)
    tail = norm.cdf(-math.sqrt(g / (g - 1)) * t.ppf(0.975, g - 1))
    assert told.method == "cluster bootstrap"
    assert (told.low, told.high) == pytest.approx(np.quantile(gains, [tail, 1 - tail]), abs=0.012)


def test_gain_interval_of_few_clusters_is_students_t_on_the_linear_values():
    from scipy.stats import t

    after, before, places = drawn(60, 8)
    gain = normalised_gain(after, before)
    reach = t.ppf(0.975, 7) * clustered_error(gain_values(after, before), places)
    told = gain_interval(after, before, places)
    assert told.method == "t, clustered error"
    assert (told.low, told.high) == pytest.approx((gain - reach, min(1.0, gain + reach)))


def test_gain_interval_depends_neither_on_order_nor_on_names():
    after, before, places = drawn(100, 30)
    order = np.random.default_rng(1).permutation(100)
    names = [f"story {place}" for place in places[order]]
    told = gain_interval(after, before, places)
    again = gain_interval(after[order], before[order], names)
    assert (again.low, again.high) == pytest.approx((told.low, told.high))


@pytest.mark.parametrize("n", [10, 50])
def test_gain_interval_of_equal_documents_counts_in_unseen_ones(n):
    # gain 0.5, room 0.5: values from 0.5 - 2 to 0.5 + 1; unseen: Wilson's share of 0 out of n
    unseen = interval([0.0] * n, range(n)).high
    told = gain_interval([0.75] * n, [0.5] * n, range(n))
    assert (told.low, told.high) == pytest.approx((0.5 - 2 * unseen, 0.5 + unseen))
    assert told.method == "all values equal, Wilson"


def test_gain_interval_never_promises_more_than_all():
    n = 10
    told = gain_interval([1.0] * n, np.linspace(0, 0.9, n), range(n))  # gain 1, whatever it was
    assert told.high == 1.0 and told.low < 1.0
    assert told.method == "all values equal, Wilson"
    after, before, places = drawn(12, 6)
    assert gain_interval(np.maximum(after, 0.9), before, places).high <= 1.0


@pytest.mark.parametrize(
    ("after", "before", "clusters", "reason"),
    [
        ([], [], [], "no document has both parts"),
        ([1.0, 0.5], [1.0, 1.0], "ab", "the part to be exceeded is 0.99 or more"),
        ([1.0, 0.5], [0.0, 0.5], "aa", "one cluster"),
        ([math.nan, 0.5], [0.0, 0.5], "ab", "values not finite"),
        ([1.0, 0.5], [0.0, -math.inf], "ab", "values not finite"),
    ],
)
def test_gain_interval_that_cannot_be_had_says_why(after, before, clusters, reason):
    told = gain_interval(after, before, clusters)
    assert (told.low, told.high, told.method) == (None, None, reason)


def test_gain_interval_of_resamples_without_room_is_empty_and_warns_of_nothing():
    # one cluster of 25 leaves room: 0.96**25 = 36% of the resamples leave none
    after, before = [0.5] + [1.0] * 12 + [0.9] * 12, [0.0] + [1.0] * 24
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = gain_interval(after, before, range(25))
    assert (told.low, told.high) == (None, None)
    assert told.method == "too few clusters leave anything to gain"


def test_percentile_ends_a_few_ratios_unknown_count_as_beyond_either_end():
    # 5 of 25 clusters leave room: 0.8**25 = 0.4% of the resamples leave none. The low end is then
    # the quantile of the known ones at (p - 0.004) / (1 - 0.004), the high end likewise
    rng = np.random.default_rng(3)
    room = np.repeat([1.0, 0.0], [5, 20])
    groups = Totals(room * rng.random(25) - (1 - room) * rng.random(25), room)
    low, high = percentile_ends(groups, 0)
    picks = rng.integers(0, 25, (20_000, 25))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = groups.sums[picks].sum(axis=1) / groups.counts[picks].sum(axis=1)
    unknown = ~np.isfinite(ratios)
    assert 0.002 < unknown.mean() < 0.006
    from scipy.stats import norm, t

    tail = norm.cdf(-math.sqrt(25 / 24) * t.ppf(0.975, 24))
    place = (tail - unknown.mean()) / (1 - unknown.mean())
    known = np.quantile(ratios[~unknown], [place, 1 - place])
    assert (low, high) == pytest.approx(known, rel=0.08)


@pytest.mark.slow
@pytest.mark.parametrize("case", bench.GAINS, ids=lambda case: case.name)
@pytest.mark.parametrize("places", [bench.alone(30), bench.alone(100), bench.grouped(100, 25)])
def test_gain_interval_covers(case, places):
    share, samples = bench.covered(case, places, 300).share, 300
    low, high = 0.92, 1.0 if case.name.endswith("0.9") else 0.98
    assert low - 2 * bench.noise(low, samples) <= share <= high + 2 * bench.noise(0.98, samples)


def test_paired_test_of_equal_gains_errs_in_at_most_five_percent():
    share = bench.rejected(bench.same_gain, bench.grouped(100, 25), 600)
    assert share <= 0.05 + 2 * bench.noise(0.05, 600)
