"""The checks: one generator each, reading like the protocol in its paper."""

from collections.abc import Callable, Mapping

from harness.checks.case import Case
from harness.checks.counterfactual import counterfactual
from harness.checks.importance import importance
from harness.checks.redaction import redaction
from harness.questions import Dialogue

CHECKS: Mapping[str, Callable[[Case], Dialogue]] = {
    "counterfactual": counterfactual,
    "importance": importance,
    "redaction": redaction,
}

__all__ = ["CHECKS", "Case"]
