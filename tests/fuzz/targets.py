"""All that reads files."""

from __future__ import annotations

from tests.fuzz.input_targets import INPUT_TARGETS
from tests.fuzz.model_targets import MODEL_TARGETS
from tests.fuzz.run_targets import RUN_TARGETS
from tests.fuzz.trying import Target

TARGETS: tuple[Target, ...] = (*RUN_TARGETS, *INPUT_TARGETS, *MODEL_TARGETS)
BY_NAME = {target.name: target for target in TARGETS}
