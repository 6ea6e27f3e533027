from __future__ import annotations

import math

import numpy as np
import pytest

from harness.stats import clustered_error, interval, mean


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


@pytest.mark.parametrize("values", [[], [1.0]])
def test_clustered_error_below_two_clusters_is_nan(values):
    assert math.isnan(clustered_error(values, range(len(values))))


def test_interval_proportion_is_wilson():
    # 8 of 10, by hand: centre (0.8 + z2/20) / (1 + z2/10), z2 = 1.96**2 = 3.8415
    z2 = 1.959964**2
    centre = (0.8 + z2 / 20) / (1 + z2 / 10)
    half = math.sqrt(z2) * math.sqrt(0.8 * 0.2 / 10 + z2 / 400) / (1 + z2 / 10)
    low, high, method = interval([1.0] * 8 + [0.0] * 2, range(10))
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-5)
    assert method == "Wilson"


def test_interval_few_clusters_uses_t_and_many_the_bootstrap():
    values = [float(n % 3 - 1) for n in range(60)]
    few = interval(values, [n // 12 for n in range(60)], (-1, 1))
    many = interval(values, range(60), (-1, 1))
    assert few.method == "t, clustered error" and many.method == "cluster bootstrap"
    assert many.low < mean(values) < many.high


def test_interval_few_unequal_clusters_is_centred_on_the_mean():
    # clusters of 8, 1 and 3 values: mean 8/12; deviations summed per cluster 8/3, -2/3, -2:
    # error sqrt(3/2 * (64 + 4 + 36) / 9) / 12 = 0.3469; t(2) = 4.3027
    told = interval([1.0] * 8 + [0.0] * 4, "aaaaaaaabccc", (-9, 9))
    reach = 4.302653 * math.sqrt(1.5 * 104 / 9) / 12
    assert (told.low, told.high) == pytest.approx((8 / 12 - reach, 8 / 12 + reach), abs=1e-5)


def test_interval_bootstrap_is_seeded_and_near_the_normal_interval():
    rng = np.random.default_rng(0)
    values = rng.choice([-1.0, 0.0, 1.0], 400).tolist()
    first, second = (interval(values, range(400), (-1, 1), seed=5) for _ in range(2))
    reach = 1.96 * clustered_error(values, range(400))
    assert first == second
    assert first.low == pytest.approx(mean(values) - reach, abs=0.01)
    assert first.high == pytest.approx(mean(values) + reach, abs=0.01)


def test_interval_clusters_widen_it():
    values = [float(n // 10 % 2) for n in range(400)]  # whole clusters agree
    apart = interval(values, range(400))
    together = interval(values, [n // 10 for n in range(400)])
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_interval_all_values_equal_is_not_certainty():
    low, high, _ = interval([0.0] * 16, range(16), (-1, 1))
    assert -0.25 < low < 0 < high < 0.25
    assert math.isnan(interval([3.0] * 16, range(16), None).low)


def test_interval_of_nothing_is_nan():
    assert interval([], [])[2] == "no values"


def test_interval_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="3 values but 2 clusters"):
        interval([1.0, 0.0, 1.0], ["a", "b"])
