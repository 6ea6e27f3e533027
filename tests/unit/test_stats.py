from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats import Interval, clustered_error, interval, mean

BITS = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=40)


def test_mean_of_array_and_list_agree_and_of_nothing_is_nan():
    values = [0.1, 0.2, 0.7]
    assert mean(values) == mean(np.array(values)) == pytest.approx(1 / 3)
    assert math.isnan(mean([])) and math.isnan(mean(np.array([])))


def test_clustered_error_one_value_a_cluster_is_lm_evals_standard_error():
    from lm_eval.api.metrics import mean_stderr

    values = [0.0, 1.0, 1.0, 0.5, -1.0]
    assert clustered_error(values, range(5)) == pytest.approx(mean_stderr(values))


def test_clustered_error_copies_in_a_cluster_add_no_information():
    # three copies of each of four values: the mean's error is that of the four
    values = [0.0, 1.0, 1.0, 0.0]
    alone = clustered_error(values, range(4))
    tripled = clustered_error(values * 3, list(range(4)) * 3)
    assert tripled == pytest.approx(alone)


def test_clustered_error_agrees_with_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    clusters = rng.integers(0, 12, 60)
    values = rng.normal(size=60) + clusters / 5
    fit = sm.OLS(values, np.ones(60)).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    groups = len(set(clusters.tolist()))
    expected = float(fit.bse[0]) * math.sqrt(groups / (groups - 1))
    assert clustered_error(values.tolist(), clusters.tolist()) == pytest.approx(expected)
    assert clustered_error(values, clusters) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_clustered_error_below_two_clusters_is_nan(values):
    assert math.isnan(clustered_error(values, range(len(values))))


def test_interval_proportion_is_wilson():
    # 8 of 10, by hand: centre (0.8 + z2/20) / (1 + z2/10), z2 = 1.96**2 = 3.8415
    z2 = 1.959964**2
    centre = (0.8 + z2 / 20) / (1 + z2 / 10)
    half = math.sqrt(z2) * math.sqrt(0.8 * 0.2 / 10 + z2 / 400) / (1 + z2 / 10)
    told = interval([1.0] * 8 + [0.0] * 2, range(10))
    assert (told.low, told.high) == pytest.approx((centre - half, centre + half), abs=1e-5)
    assert told.method == "Wilson"


@given(BITS)
def test_interval_proportion_agrees_with_scipy_and_mirrors(values):
    from scipy.stats import binomtest

    told = interval(values, range(len(values)))
    expected = binomtest(int(sum(values)), len(values)).proportion_ci(method="wilson")
    assert (told.low, told.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    mirrored = interval([1 - value for value in values], range(len(values)))
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - told.high, 1 - told.low), abs=1e-12)


def test_interval_few_clusters_uses_t_and_many_the_bootstrap():
    values = [float(n % 3 - 1) for n in range(60)]
    few = interval(values, [n // 12 for n in range(60)], (-1, 1))
    # 19 and 20 clusters are the two sides of the border
    methods = [interval(values[:n], range(n), (-1, 1)).method for n in (19, 20)]
    assert few.method == "all cluster means equal, Wilson"  # each dozen holds four of each value
    assert methods == ["t, clustered error", "cluster bootstrap"]


def test_interval_few_clusters_is_the_t_test_of_scipy():
    from scipy.stats import ttest_1samp

    values = np.random.default_rng(2).normal(0.4, 0.1, 12)
    told = interval(values, np.arange(12), None)
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (told.low, told.high) == pytest.approx((expected.low, expected.high))


def test_interval_few_unequal_clusters_is_centred_on_the_mean():
    # clusters of 8, 1 and 3 values: mean 8/12; deviations summed per cluster 8/3, -2/3, -2:
    # error sqrt(3/2 * (64 + 4 + 36) / 9) / 12 = 0.3469; t(2) = 4.3027
    told = interval([1.0] * 8 + [0.0] * 4, "aaaaaaaabccc", None)
    reach = 4.302653 * math.sqrt(1.5 * 104 / 9) / 12
    assert (told.low, told.high) == pytest.approx((8 / 12 - reach, 8 / 12 + reach), abs=1e-5)


def test_interval_few_clusters_keeps_to_the_bounds():
    told = interval([1.0] * 8 + [0.0] * 4, "aaaaaaaabccc")  # 0.667 +- 1.493, as above
    assert told == Interval(0.0, 1.0, "t, clustered error")


def test_interval_clusters_widen_it():
    values = [float(n // 10 % 2) for n in range(400)]  # whole clusters agree
    apart = interval(values, range(400))
    together = interval(values, [n // 10 for n in range(400)])
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_interval_all_values_equal_is_not_certainty():
    # none of 16 differs: by Wilson up to z2 / (16 + z2) = 3.8415 / 19.8415 of them may
    unseen = 3.8415 / 19.8415
    told = interval([0.0] * 16, range(16), (-1, 1))
    assert (told.low, told.high) == pytest.approx((-unseen, unseen), abs=1e-5)
    # from 0.5 in [0, 2]: half a unit may be lost, one and a half gained
    told = interval([0.5] * 16, range(16), (0, 2))
    assert (told.low, told.high) == pytest.approx((0.5 - unseen / 2, 0.5 + 1.5 * unseen), abs=1e-5)
    assert told.method == "all values equal, Wilson"
    assert interval([3.0] * 16, range(16), None) == Interval(None, None, "all values equal")


def test_interval_all_cluster_means_equal_is_not_certainty():
    # 30 pairs of 0.1 and 0.3: no spread between clusters; 3.8415 / 33.8415 of them may differ
    unseen = 3.8415 / 33.8415
    told = interval([0.1, 0.3] * 30, [n // 2 for n in range(60)])
    assert (told.low, told.high) == pytest.approx(
        (0.2 - 0.2 * unseen, 0.2 + 0.8 * unseen), abs=1e-5
    )
    assert told.method == "all cluster means equal, Wilson"


@pytest.mark.parametrize(
    ("values", "clusters", "why"),
    [
        ([], [], "no values"),
        ([0.2, 0.4], "aa", "one cluster"),
        ([0.2, math.inf], "ab", "values not finite"),
        ([math.nan] * 30, range(30), "values not finite"),
    ],
)
def test_interval_not_to_be_had_says_why(values, clusters, why):
    assert interval(values, clusters) == Interval(None, None, why)


def test_interval_of_one_value_is_that_of_equal_values():
    # Wilson of 0 of 1: z2 / (1 + z2)
    told = interval([0.5], ["a"])
    assert told.low == pytest.approx(0.5 - 0.5 * 3.8415 / 4.8415, abs=1e-5)
    assert interval([1.0], ["a"]).method == "Wilson"


@pytest.mark.parametrize("clusters", [["a", "b"], np.array([0, 1])])
def test_interval_unequal_lengths_are_refused(clusters):
    with pytest.raises(ValueError, match="3 values but 2 clusters"):
        interval([1.0, 0.0, 1.0], clusters)


@pytest.mark.parametrize("groups", [9, 40])
def test_interval_names_arrays_and_the_order_of_documents_do_not_matter(groups):
    rng = np.random.default_rng(3)
    clusters, values = rng.integers(0, groups, 200), rng.integers(0, 5, 200) / 4
    told = interval(values, clusters)
    mixed = rng.permutation(200)
    assert interval(values.tolist(), [f"story {n}" for n in clusters]) == told
    again = interval(values[mixed], clusters[mixed])
    assert (again.low, again.high) == pytest.approx((told.low, told.high), abs=1e-12)
