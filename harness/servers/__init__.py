"""Servers: lm-eval's clients, asked so that a fault costs a repetition and not the run.

`guard` wraps a client once. From then on what fails in passing is asked again after a while, an
answer that is none is never taken for one, and no more is sent than the run's `Limits` allow.
"""

from harness.servers.choices import scores_no_choices
from harness.servers.faults import RefusedError
from harness.servers.guarding import draws_at_random, guard
from harness.servers.limits import BudgetSpentError, Limits, limited

__all__ = [
    "BudgetSpentError", "Limits", "RefusedError", "draws_at_random", "guard",
    "limited", "scores_no_choices",
]  # fmt: skip
