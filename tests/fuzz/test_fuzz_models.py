"""Models, answers that were kept, and folders of finetunings that are not as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.model_targets import MODEL_TARGETS
from tests.fuzz.trying import Target, assert_survives

pytestmark = pytest.mark.slow
FEW = {"finetuning": 10, "checkpoint": 25}


@pytest.mark.parametrize("target", MODEL_TARGETS, ids=lambda target: target.name)
def test_damaged_state_is_refused_by_name_or_never_believed(target: Target, tmp_path: Path) -> None:
    assert_survives(target, tmp_path, seed=10, cases=FEW.get(target.name, 40))
