"""Runs and lm-eval's output that are not as they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.run_targets import RUN_TARGETS
from tests.fuzz.trying import Target, assert_survives

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("target", RUN_TARGETS, ids=lambda target: target.name)
def test_a_damaged_run_is_refused_by_name_or_read_as_it_is(target: Target, tmp_path: Path) -> None:
    assert_survives(target, tmp_path, seed=10, cases=40)
