"""How per-document values become lm-eval's numbers: one aggregation, one standard error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import lm_eval.evaluator_utils as evaluator

from harness import stats


class ClusteredValue(float):
    """A metric's value for one document, which remembers its cluster.

    lm-eval hands an aggregation nothing but the values, after gathering them from all ranks.
    """

    cluster: str

    def __new__(cls, value: float, cluster: str) -> ClusteredValue:
        """Make the value; both parts survive pickling."""
        self = super().__new__(cls, value)
        self.cluster = cluster
        return self

    def __getnewargs__(self) -> tuple[float, str]:  # type: ignore[override]
        return float(self), self.cluster


def applicable_mean(values: Sequence[ClusteredValue | None]) -> float:
    """Average the values that apply (are not None); NaN if none does.

    >>> applicable_mean([ClusteredValue(1, "a"), None, ClusteredValue(0, "b")])
    0.5
    """
    return stats.mean([value for value in values if value is not None])


def applicable_error(values: Sequence[ClusteredValue | None]) -> float:
    """Standard error of `applicable_mean`, clustered; NaN below two clusters."""
    told = [value for value in values if value is not None]
    return stats.clustered_error(told, [value.cluster for value in told])


def _teach_stderr() -> None:
    original = cast(Callable[..., Any], evaluator.stderr_for_metric)
    if getattr(original, "knows_applicable_mean", False):
        return

    def stderr_for_metric(metric: Any, bootstrap_iters: int) -> Any:
        if metric is applicable_mean:
            return applicable_error
        return original(metric=metric, bootstrap_iters=bootstrap_iters)

    stderr_for_metric.knows_applicable_mean = True  # type: ignore[attr-defined]
    evaluator.stderr_for_metric = stderr_for_metric


_teach_stderr()
