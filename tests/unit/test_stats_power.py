from __future__ import annotations

import math

import numpy as np
import pytest

from harness.stats import (
    Interval,
    clustered_error,
    detectable_effect,
    documents_to_settle,
    paired_interval,
)
from harness.stats.power import _standard_effect, fewest_changes


@pytest.mark.parametrize("n", [2, 3, 5, 8, 20, 100, 800])
def test_detectable_effect_has_eighty_percent_power(n):
    # the power of a two-sided t test at noncentrality effect / error, by scipy's nct; on the wrong
    # side it is below 1e-6
    from scipy.stats import nct, t

    differences = np.random.default_rng(n).normal(0, 0.4, n)
    effect = detectable_effect(differences, range(n))
    shift, edge = effect / clustered_error(differences, range(n)), t.ppf(0.975, n - 1)
    assert nct.sf(edge, n - 1, shift) == pytest.approx(0.8, abs=2e-4)


def test_detectable_effect_of_many_documents_is_near_the_normal_one():
    # (1.959964 + 0.841621) errors
    differences = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], 5000)
    expected = 2.801585 * clustered_error(differences, range(5000))
    assert detectable_effect(differences, np.arange(5000)) == pytest.approx(expected, rel=1e-3)


def test_detectable_effect_of_copies_in_clusters_is_that_of_one_each():
    differences = np.random.default_rng(2).normal(0, 1, 12)
    alone = detectable_effect(differences, range(12))
    assert detectable_effect(np.tile(differences, 3), list(range(12)) * 3) == pytest.approx(alone)


@pytest.mark.parametrize("n", [6, 7, 30, 800])
@pytest.mark.parametrize("value", [0.0, 0.25])
def test_detectable_effect_without_spread_is_the_share_that_a_sign_test_finds(n, value):
    # six changes in one direction: 2 * 0.5**6 = 0.031; five: 0.063
    from scipy.stats import binom, binomtest

    assert binomtest(6, 6).pvalue < 0.05 < binomtest(5, 5).pvalue
    share = detectable_effect([value] * n, range(n))
    assert binom.sf(5, n, share) == pytest.approx(0.8, abs=1e-9)


def test_detectable_effect_of_equal_cluster_means_has_no_spread_to_go_by():
    pairs = [0.1, 0.3] * 8
    assert detectable_effect(pairs, [n // 2 for n in range(16)]) == pytest.approx(
        detectable_effect([0.0] * 8, range(8))
    )


@pytest.mark.parametrize(
    "differences", [[], [0.5], [0.0] * 5, [0.0, math.nan, 1.0], [0.0, math.inf, 1.0]]
)
def test_detectable_effect_that_is_not_to_be_had_is_none(differences):
    assert detectable_effect(differences, range(len(differences))) is None


def test_detectable_effect_of_one_cluster_is_none():
    assert detectable_effect([0.1, 0.5], "aa") is None


@pytest.mark.parametrize("tests", [1, 40])
def test_standard_effect_is_found_for_every_number_of_clusters_and_falls(tests):
    # for 73 and 1458 the solver of statsmodels comes upon a root below zero, for 5 and 40 tests
    # upon one with a power of 45%
    counts = [*range(2, 100), 1000, 1458, 10_000, 100_000, 1_000_000]
    effects = [_standard_effect(count, tests) for count in counts]
    assert None not in effects
    assert effects == sorted(effects, reverse=True)


def test_documents_to_settle_by_hand():
    # 100 documents, -0.01 +- 0.04, margin 0.03: distance 0.02, reach 0.04;
    # 2.801585 / 1.959964 * 0.04 / 0.02 = 2.858812; 100 * 2.858812**2 = 817.28
    told = documents_to_settle(-0.01, Interval(-0.05, 0.03, ""), 0.03, 100)
    assert told == 818


@pytest.mark.parametrize(("difference", "reach"), [(0.0, 0.1), (-0.1, 0.02)])
def test_documents_to_settle_looks_at_the_end_on_the_margins_side(difference, reach):
    # distance 0.05 either way; below the difference the reach is 0.1, above it is 0.02
    skewed = Interval(difference - 0.1, difference + 0.02, "")
    expected = math.ceil(400 * (2.801585 / 1.959964 * reach / 0.05) ** 2)
    told = documents_to_settle(difference, skewed, 0.05, 400)
    assert told == pytest.approx(max(401, expected), abs=1)


def test_documents_to_settle_is_at_least_one_more():
    assert documents_to_settle(0.5, Interval(0.4, 0.6, ""), 0.1, 50) == 51
    assert documents_to_settle(0.5, Interval(0.5, 0.5, ""), 0.1, 50) == 51


@pytest.mark.parametrize(
    ("difference", "interval"),
    [
        (-0.05, Interval(-0.1, 0.0, "")),
        (0.1 - 0.15, Interval(-0.1, 0.0, "")),  # -0.05 but for rounding
        (0.0, Interval(None, None, "one cluster")),
        (math.nan, Interval(-0.1, 0.0, "")),
    ],
)
def test_documents_to_settle_that_no_number_settles_is_none(difference, interval):
    assert documents_to_settle(difference, interval, 0.05, 100) is None


@pytest.mark.parametrize("margin", [-0.01, math.nan])
def test_documents_to_settle_margin_below_zero_is_refused(margin):
    with pytest.raises(ValueError, match="margin must be at least 0"):
        documents_to_settle(0.0, Interval(-0.1, 0.1, ""), margin, 100)


@pytest.mark.parametrize(("value", "bounds", "reach"), [(1.0, (0, 1), 1), (0.5, (-1, 1), 2)])
@pytest.mark.parametrize("margin", [0.02, 0.05, 0.1])
def test_documents_to_settle_without_any_change_is_the_fewest_that_do(value, bounds, reach, margin):
    # bits and lift; no difference in n: the reach is z2 / (n + z2) of the range, z2 = 3.8415;
    # for bits below 0.05 from n > 0.95 / 0.05 * 3.8415 = 72.99 documents
    def high(n: int) -> float:
        return paired_interval([value] * n, [value] * n, range(n), bounds).high

    told = paired_interval([value] * 30, [value] * 30, range(30), bounds)
    n = documents_to_settle(0.0, told, margin, 30)
    assert high(n) < margin <= high(n - 1)
    assert n == math.ceil((reach / margin - 1) * 3.841459)
    assert reach == 2 or margin != 0.05 or n == 73


def test_detectable_effect_of_clusters_is_larger_than_of_as_many_documents():
    differences = np.repeat(np.random.default_rng(3).normal(0, 1, 12), 3)
    clusters = list(range(12)) * 3
    clusters.sort()
    assert detectable_effect(differences, clusters) > 1.5 * detectable_effect(
        differences, range(36)
    )
    # without any spread: 12 clusters, not 36 documents, can change
    assert detectable_effect([0.0] * 36, clusters) == detectable_effect([0.0] * 12, range(12))


@pytest.mark.parametrize("tests", [1, 3, 40])
@pytest.mark.parametrize("n", [5, 30, 800])
def test_detectable_effect_among_many_tests_is_found_at_a_share_of_the_level(n, tests):
    from scipy.stats import nct, t

    differences = np.random.default_rng(n).normal(0, 0.4, n)
    effect = detectable_effect(differences, range(n), tests=tests)
    shift = effect / clustered_error(differences, range(n))
    edge = t.ppf(1 - 0.025 / tests, n - 1)
    assert nct.sf(edge, n - 1, shift) == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize(("tests", "fewest"), [(1, 6), (2, 7), (3, 7), (10, 9), (40, 11)])
def test_detectable_share_among_many_tests_takes_more_changes(tests, fewest):
    from scipy.stats import binom, binomtest

    level = 0.05 / tests
    assert binomtest(fewest, fewest).pvalue <= level < binomtest(fewest - 1, fewest - 1).pvalue
    assert fewest_changes(tests) == fewest
    share = detectable_effect([0.0] * 60, range(60), tests=tests)
    assert binom.sf(fewest - 1, 60, share) == pytest.approx(0.8, abs=1e-9)
    assert detectable_effect([0.0] * (fewest - 1), range(fewest - 1), tests=tests) is None


def test_detectable_effect_of_no_test_is_refused():
    with pytest.raises(ValueError, match="tests must be at least 1: got 0"):
        detectable_effect([0.0, 1.0], range(2), tests=0)
