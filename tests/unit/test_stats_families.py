from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import benjamini_hochberg, holm

PS = st.lists(st.none() | st.floats(0, 1), max_size=12)


def test_holm_by_hand():
    # ascending 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.04 -> never falling
    assert holm([0.02, 0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.06, 0.04, 0.06])


def test_benjamini_hochberg_by_hand():
    # ascending 0.01, 0.03, 0.04, 0.5 times 4/1, 4/2, 4/3, 4/4: 0.04, 0.06, 0.0533, 0.5;
    # the least from each on: 0.04, 0.0533, 0.0533, 0.5
    expected = [0.16 / 3, 0.5, 0.04, 0.16 / 3]
    assert benjamini_hochberg([0.03, 0.5, 0.01, 0.04]) == pytest.approx(expected)


@settings(max_examples=8)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_benjamini_hochberg_agrees_with_scipy(ps):
    from scipy.stats import false_discovery_control

    assert benjamini_hochberg(ps) == pytest.approx(false_discovery_control(ps).tolist())


@settings(max_examples=8)
@given(PS)
def test_families_rank_holm_above_benjamini_hochberg_above_raw(ps):
    for raw, found, family in zip(ps, benjamini_hochberg(ps), holm(ps), strict=True):
        if raw is None:
            assert found is None and family is None
        else:
            assert raw <= found * (1 + 1e-12) and found <= family * (1 + 1e-12) and family <= 1


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_families_none_does_not_count(adjust):
    assert adjust([None, 0.03, None]) == [None, pytest.approx(0.03), None]
    assert adjust([]) == [] and adjust([None, None]) == [None, None]


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_families_refuse_what_is_no_chance(adjust, wrong):
    with pytest.raises(ValueError, match=r"p must be in \[0, 1\]"):
        adjust([0.5, None, wrong])
