from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.stats import Interval, Test, interval, unpaired_difference

COUNTS = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def proportion(hits: int, n: int) -> tuple[float, Interval]:
    return hits / n, interval([1.0] * hits + [0.0] * (n - hits), range(n))


@given(COUNTS, COUNTS)
def test_unpaired_difference_of_wilson_intervals_is_newcombes(base, candidate):
    from statsmodels.stats.proportion import confint_proportions_2indep

    told, _ = unpaired_difference(*proportion(*base), *proportion(*candidate))
    low, high = confint_proportions_2indep(*candidate, *base, method="newcomb", compare="diff")
    assert (told.low, told.high) == pytest.approx((low, high), abs=1e-9)


def test_unpaired_difference_is_newcombes_published_example():
    # Newcombe 1998, table II (a): 56/70 - 48/80 = 0.2, method 10: 0.0524 to 0.3339
    told, test = unpaired_difference(*proportion(48, 80), *proportion(56, 70))
    assert (told.low, told.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert test.p is not None and test.p < 0.05


def test_unpaired_difference_by_hand():
    # below: hypot(0.03, 0.04) = 0.05; above: hypot(0.08, 0.06) = 0.10; d = 0.1 = 2 * 0.05:
    # z = 2 * 1.959964 = 3.919928, p = 8.857e-5
    told, test = unpaired_difference(0.5, Interval(0.44, 0.54, "a"), 0.6, Interval(0.57, 0.68, "b"))
    assert (told.low, told.high) == pytest.approx((0.05, 0.2))
    assert test.p == pytest.approx(8.857e-5, rel=1e-3)
    assert told.method == test.method == "unpaired, from intervals"


def test_unpaired_difference_of_symmetric_intervals_is_the_z_test():
    from scipy.stats import norm

    reach = 1.959964
    base, candidate = (
        Interval(-reach * 0.3, reach * 0.3, ""),
        Interval(1 - reach * 0.4, 1 + reach * 0.4, ""),
    )
    _, test = unpaired_difference(0.0, base, 1.0, candidate)
    assert test.p == pytest.approx(2 * norm.sf(1 / 0.5), rel=1e-5)  # error hypot(0.3, 0.4)


@given(COUNTS, COUNTS)
def test_unpaired_difference_mirrors_and_its_p_agrees_with_its_interval(base, candidate):
    told, test = unpaired_difference(*proportion(*base), *proportion(*candidate))
    back, same = unpaired_difference(*proportion(*candidate), *proportion(*base))
    assert (back.low, back.high) == pytest.approx((-told.high, -told.low))
    assert same.p == pytest.approx(test.p) and 0 <= test.p <= 1
    assume(min(abs(told.low), abs(told.high)) > 1e-9)  # rounding at the very edge
    assert (test.p < 0.05) == (told.low > 0 or told.high < 0)


@pytest.mark.parametrize("missing", [None, math.nan])
def test_unpaired_difference_of_something_unknown_says_what(missing):
    known, unknown = Interval(0.1, 0.3, "x"), Interval(None, None, "one cluster")
    for told in (
        unpaired_difference(missing, known, 0.2, known),
        unpaired_difference(0.2, unknown, 0.2, known),
    ):
        assert told == (Interval(None, None, "base unknown"), Test(None, "base unknown"))
    told = unpaired_difference(0.2, known, missing, known)
    assert told == (Interval(None, None, "candidate unknown"), Test(None, "candidate unknown"))


def test_unpaired_difference_of_points():
    point, other = Interval(0.5, 0.5, ""), Interval(0.7, 0.7, "")
    assert unpaired_difference(0.5, point, 0.5, point)[1].p == 1.0
    assert unpaired_difference(0.5, point, 0.7, other)[1].p == 0.0
