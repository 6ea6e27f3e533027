"""Recipes, task files, data, follow-ups and annotations that are not as they should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.input_targets import INPUT_TARGETS
from tests.fuzz.trying import Target, assert_survives

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("target", INPUT_TARGETS, ids=lambda target: target.name)
def test_a_damaged_input_is_refused_by_name_or_read_as_it_is(
    target: Target, tmp_path: Path
) -> None:
    assert_survives(target, tmp_path, seed=10, cases=30)
