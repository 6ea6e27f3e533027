from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from harness.stats import bootstrap, clustered_error, interval, mean
from harness.stats.bootstrap import percentile_ends, resampled_means
from harness.stats.clusters import totals


def expanded_tail(groups: int) -> float:
    """Hesterberg 2015, by scipy.stats."""
    from scipy.stats import norm, t

    return float(norm.cdf(-np.sqrt(groups / (groups - 1)) * t.ppf(0.975, groups - 1)))


def test_bootstrap_is_seeded():
    values = np.random.default_rng(0).random(60)
    first, second, other = (interval(values, range(60), seed=seed) for seed in (5, 5, 6))
    assert first == second and first != other


def test_bootstrap_is_near_the_t_interval():
    from scipy.stats import t

    values = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 400)
    told = interval(values, range(400), (-1, 1), seed=5)
    reach = t.ppf(0.975, 399) * clustered_error(values, range(400))
    assert told.low == pytest.approx(mean(values) - reach, abs=0.005)
    assert told.high == pytest.approx(mean(values) + reach, abs=0.005)


def test_bootstrap_of_two_values_is_the_binomials_quantile():
    # 12 of 50 documents have 1/2, the others 0: a resample's mean is Binomial(50, 0.24) / 100
    from scipy.stats import binom

    told = interval([0.5] * 12 + [0.0] * 38, range(50))
    ends = binom.ppf([expanded_tail(50), 1 - expanded_tail(50)], 50, 0.24) / 100
    assert [told.low, told.high] == pytest.approx(ends, abs=0.0101)  # a step: seeds differ


@pytest.mark.parametrize("groups", [25, 200])
@pytest.mark.parametrize("decimals", [0, 3])  # discrete, and almost continuous
def test_bootstrap_of_clusters_agrees_with_scipy(groups, decimals):
    from scipy import stats

    rng = np.random.default_rng(7)
    clusters = np.repeat(np.arange(groups), rng.integers(1, 5, groups))
    values = np.round(rng.gamma(2, 1, len(clusters)) + rng.random(groups)[clusters], decimals)
    sums, counts = np.bincount(clusters, weights=values), np.bincount(clusters)
    expected = stats.bootstrap(
        (sums, counts),
        lambda sums, counts, axis: sums.sum(axis=axis) / counts.sum(axis=axis),
        paired=True,
        n_resamples=20_000,
        confidence_level=1 - 2 * expanded_tail(groups),
        method="percentile",
        rng=np.random.default_rng(1),
    )
    told = interval(values, clusters, None)
    error = clustered_error(values, clusters)  # the simulation's: about 2% of it
    assert told.low == pytest.approx(expected.confidence_interval.low, abs=0.1 * error)
    assert told.high == pytest.approx(expected.confidence_interval.high, abs=0.1 * error)


def test_bootstrap_from_counts_agrees_with_drawing_each_cluster(monkeypatch):
    # 300 clusters of one or two values of three: at most 3 + 5 kinds
    clusters = np.repeat(np.arange(300), [1, 2] * 150)
    groups = totals(np.random.default_rng(8).integers(0, 3, 450) / 2, clusters)
    from_counts = np.sort(resampled_means(groups, 0))
    monkeypatch.setattr(bootstrap, "MOST_KINDS", 0)
    drawn = np.sort(resampled_means(groups, 0))
    # two samples of 10,000 from one distribution: Kolmogorov-Smirnov
    from scipy.stats import ks_2samp

    assert not np.array_equal(from_counts, drawn)
    assert ks_2samp(from_counts, drawn, method="asymp").pvalue > 0.001


def test_bootstrap_kept_and_streamed_draws_agree(monkeypatch):
    groups = totals(np.random.default_rng(9).random(333), np.arange(333))
    kept = resampled_means(groups, 3)
    monkeypatch.setattr(bootstrap, "MOST_KEPT", 0)
    assert np.array_equal(resampled_means(groups, 3), kept)


@pytest.mark.parametrize("size", [10, 1000, 1 << 30])
def test_bootstrap_draws_as_many_clusters_as_there_are_in_chunks_of_any_size(monkeypatch, size):
    monkeypatch.setattr(bootstrap, "CHUNK", size)
    drawn = np.concatenate(list(bootstrap._drawn(37, 0)))
    assert drawn.shape == (10_000, 37)
    assert np.all(drawn.sum(axis=1) == 37)
    # 370,000 draws over 37 clusters: 10,000 each, deviation sqrt(10,000 * 36 / 37) = 98.6
    assert np.all(np.abs(drawn.sum(axis=0, dtype=int) - 10_000) < 5 * 98.6)


def test_bootstrap_does_not_hold_many_draws_at_once(monkeypatch):
    monkeypatch.setattr(bootstrap, "MOST_KEPT", 0)
    groups = totals(np.random.default_rng(1).random(1000), np.arange(1000))
    tracemalloc.start()
    percentile_ends(groups, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000  # bytes; all draws together would take 80,000,000
