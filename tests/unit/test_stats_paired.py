from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import Interval, Test, flips, interval, paired_interval, paired_test

PAIRS = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1)), min_size=2)
LATTICE = st.lists(st.integers(-4, 4), min_size=2, max_size=9)


def by_all_patterns(sums: list[int]) -> float:
    """Share of all sign patterns whose sum is at least as far from zero, in whole numbers."""
    patterns = itertools.product((-1, 1), repeat=len(sums))
    told = [abs(sum(map(int.__mul__, sums, signs))) >= abs(sum(sums)) for signs in patterns]
    return sum(told) / len(told)


def test_paired_test_of_bits_is_exact_mcnemar():
    # 8 documents won, 2 lost: p = 2 * (1 + 10 + 45) / 1024 = 0.109375
    base, candidate = [0] * 8 + [1] * 2 + [1] * 30, [1] * 8 + [0] * 2 + [1] * 30
    told = paired_test(base, candidate, range(40))
    assert told == Test(pytest.approx(112 / 1024), "exact McNemar")


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2))
def test_paired_test_of_bits_agrees_with_statsmodels_and_with_the_sign_flips(pairs):
    from statsmodels.stats.contingency_tables import mcnemar

    base, candidate = np.array(pairs, dtype=float).T
    told = paired_test(base, candidate, range(len(pairs)))
    table = [[np.sum((base == a) & (candidate == b)) for b in (0, 1)] for a in (0, 1)]
    expected = mcnemar(table, exact=True).pvalue if table[0][1] + table[1][0] else 1.0
    assert told == Test(pytest.approx(float(expected)), "exact McNemar")
    assert flips.sign_flip_p(candidate - base, 0) == pytest.approx(told.p)


def test_paired_test_of_clustered_bits_flips_whole_clusters():
    # each of 3 clusters wins both of its documents: 2 of 8 patterns are as far from zero
    told = paired_test([0] * 6, [1] * 6, "aabbcc")
    assert told == Test(0.25, "paired permutation")


@given(LATTICE, st.sampled_from([1.0, 0.5, 1 / 3, 0.1]))
def test_paired_test_of_discrete_values_is_that_of_all_patterns(sums, unit):
    told = paired_test([0.0] * len(sums), [n * unit for n in sums], range(len(sums)))
    if set(sums) <= {0, 1} and unit == 1:
        assert told.method == "exact McNemar"
    assert told.p == pytest.approx(by_all_patterns(sums))


def test_paired_test_of_discrete_clusters_agrees_with_scipy():
    from scipy.stats import permutation_test

    rng = np.random.default_rng(4)
    clusters, differences = rng.integers(0, 12, 40), rng.integers(-2, 4, 40) / 4
    sums = np.bincount(clusters, weights=differences)
    expected = permutation_test(
        (sums,), np.sum, permutation_type="samples", vectorized=False, n_resamples=np.inf
    ).pvalue  # 2**12 patterns: all of them
    told = paired_test(np.zeros(40), differences, clusters)
    assert told.p == pytest.approx(expected)


@pytest.mark.parametrize("n", [5, 13])
def test_paired_test_of_few_continuous_values_agrees_with_scipy(n):
    from scipy.stats import permutation_test

    base, candidate = np.random.default_rng(n).random((2, n))
    expected = permutation_test(
        (candidate - base,), np.sum, permutation_type="samples", axis=0, n_resamples=np.inf
    ).pvalue
    assert paired_test(base, candidate, range(n)).p == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.05])
def test_paired_test_of_many_continuous_values_is_near_the_normal_one(shift):
    # the sum of flipped signs has mean 0 and variance sum(d**2)
    from scipy.stats import norm

    differences = np.random.default_rng(11).normal(shift, 0.3, 500)
    expected = 2 * norm.sf(abs(differences.sum()) / math.sqrt(np.sum(differences**2)))
    told = paired_test(np.zeros(500), differences, np.arange(500))
    error = math.sqrt(expected * (1 - expected) / 10_000)
    assert told.p == pytest.approx(expected, abs=4 * error + 0.003)


def test_paired_test_far_from_zero_counts_the_observed_pattern():
    # 50 values all above zero: none of 10,000 flips reaches them; 1 / 10,001
    told = paired_test(np.zeros(50), np.random.default_rng(0).random(50) + 1, range(50))
    assert told.p == 1 / 10_001


def test_sign_flips_exact_and_drawn_agree(monkeypatch):
    sums = np.random.default_rng(12).integers(-3, 4, 60) + 0.0
    exact = flips.sign_flip_p(sums, 0)
    monkeypatch.setattr(flips, "_multiples", lambda sizes: None)
    drawn = flips.sign_flip_p(sums, 0)
    assert 0.05 < exact < 1 and drawn != exact
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 10_000))


def test_sign_flips_all_patterns_and_lattice_agree_despite_rounding(monkeypatch):
    # in tenths, sums that should tie differ in the last bit: 0.1 + 0.2 > 0.3
    sums = np.array([0.1, 0.2, -0.3, 0.3, 0.1, 0.7, -0.2])
    lattice = flips.sign_flip_p(sums, 0)
    monkeypatch.setattr(flips, "_multiples", lambda sizes: None)
    expected = by_all_patterns([1, 2, -3, 3, 1, 7, -2])
    assert [flips.sign_flip_p(sums, 0), lattice] == pytest.approx([expected, expected])


def test_sign_flips_kept_and_streamed_coins_agree(monkeypatch):
    values = np.random.default_rng(13).normal(0.1, 1, 301)
    kept = flips.sign_flip_p(values, 2)
    monkeypatch.setattr(flips, "MOST_KEPT", 0)
    assert flips.sign_flip_p(values, 2) == kept
    assert flips.sign_flip_p(values, 3) != kept


def test_sign_flips_coins_are_fair():
    tossed = np.concatenate(list(flips._coins(21, 0)))
    heads = np.unpackbits(tossed, axis=1, count=21)
    assert heads.shape == (10_000, 21)
    # 10,000 tosses each: 5,000 heads, deviation 50
    assert np.all(np.abs(heads.sum(axis=0, dtype=int) - 5000) < 5 * 50)


@settings(max_examples=40)
@given(PAIRS, st.randoms(use_true_random=False))
def test_paired_test_is_a_chance_that_order_and_names_of_models_leave_alone(pairs, random):
    clusters = [random.randrange(len(pairs)) for _ in pairs]
    clusters[:2] = [0, 1]
    base, candidate = np.array(pairs).T
    told = paired_test(base, candidate, clusters)
    assert told.p is not None and 0 <= told.p <= 1
    assert paired_test(candidate, base, clusters).p == pytest.approx(told.p)
    mixed = random.sample(range(len(pairs)), len(pairs))
    again = paired_test(base[mixed], candidate[mixed], [clusters[n] for n in mixed])
    assert again.p == pytest.approx(told.p)
    assert paired_test(base.tolist(), candidate.tolist(), np.array(clusters)).p == told.p


@pytest.mark.parametrize("values", [[0.0, 1.0, 1.0], [0.3, 0.2, 0.7]])
def test_paired_test_without_any_difference_is_one(values):
    assert paired_test(values, values, range(3)).p == 1.0


@pytest.mark.parametrize(
    ("base", "candidate", "clusters", "why"),
    [
        ([], [], [], "no values"),
        ([0.0], [1.0], "a", "one cluster"),
        ([0.0, 0.5], [1.0, 1.0], "aa", "one cluster"),
        ([0.0, math.inf], [0.5, math.inf], "ab", "values not finite"),
        ([0.0, math.nan], [0.5, 0.5], "ab", "values not finite"),
    ],
)
def test_paired_test_that_cannot_be_made_says_why(base, candidate, clusters, why):
    assert paired_test(base, candidate, clusters) == Test(None, why)


@pytest.mark.parametrize("compare", [paired_test, paired_interval])
def test_paired_unequal_lengths_are_refused(compare):
    with pytest.raises(ValueError, match="2 values of the base but 1 of the candidate"):
        compare([0.0, 1.0], [1.0], range(2))
    with pytest.raises(ValueError, match="2 values but 3 clusters"):
        compare([0.0, 1.0], [1.0, 1.0], range(3))


def test_paired_interval_is_that_of_the_differences():
    base, candidate = np.random.default_rng(14).random((2, 40))
    assert paired_interval(base, candidate, range(40), seed=4) == interval(
        candidate - base, range(40), (-1, 1), seed=4
    )


def test_paired_interval_without_any_difference_reaches_as_far_as_values_may_differ():
    # Wilson of 0 of 10: 3.8415 / 13.8415 of the documents may differ unseen, by up to 2
    told = paired_interval([0.5] * 10, [0.5] * 10, range(10), (-1, 1))
    assert (told.low, told.high) == pytest.approx((-2 * 0.277535, 2 * 0.277535), abs=1e-5)
    unbounded = paired_interval([0.5] * 10, [0.5] * 10, range(10), None)
    assert unbounded == Interval(None, None, "all values equal")


def test_paired_interval_is_narrower_than_unpaired_where_models_agree():
    from harness.stats import mean, unpaired_difference

    base = np.random.default_rng(15).random(60)
    candidate = np.clip(base + np.random.default_rng(16).normal(0.02, 0.05, 60), 0, 1)
    paired = paired_interval(base, candidate, range(60))
    unpaired, _ = unpaired_difference(
        mean(base), interval(base, range(60)), mean(candidate), interval(candidate, range(60))
    )
    assert paired.high - paired.low < 0.5 * (unpaired.high - unpaired.low)


@pytest.mark.parametrize("n", [9, 30])
def test_paired_interval_counts_bounds_and_clusters(n):
    # one of n clusters changed: how far the others may lie unseen depends on the bounds
    base, candidate = np.full(2 * n, 0.5), np.full(2 * n, 0.5)
    candidate[:2] = 0.25
    clusters = [place // 2 for place in range(2 * n)]
    near, far, free = (
        paired_interval(base, candidate, clusters, bounds) for bounds in ((0, 1), (-9, 9), None)
    )
    assert far.low < near.low < free.low
    assert far.high > near.high > free.high
    apart = paired_interval(base, candidate, range(2 * n))
    assert apart.high - apart.low < 0.8 * (near.high - near.low)
    bits = paired_interval([1.0] * 2 * n, [0.0] * 2 + [1.0] * (2 * n - 2), clusters)
    alone = paired_interval([1.0] * 2 * n, [0.0] * 2 + [1.0] * (2 * n - 2), range(2 * n))
    assert bits.method != alone.method == "paired score, Tango"
    assert bits.low < alone.low
