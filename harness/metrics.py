"""How per-document values become lm-eval's numbers: two aggregations, a standard error each.

applicable_mean   ClusteredValue   the mean over the documents to which a metric applies
applicable_gain   GainValue        the normalised gain of one metric over another, from totals
"""

from __future__ import annotations

import math
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


class GainValue(float):
    """What a document adds to a gain: after - before as a number, and the two by themselves.

    The gain is no mean of these: both aggregation and error read the parts.
    """

    after: float
    before: float
    cluster: str

    def __new__(cls, after: float, before: float, cluster: str) -> GainValue:
        """Make the value; all parts survive pickling."""
        self = super().__new__(cls, after - before)
        self.after, self.before, self.cluster = after, before, cluster
        return self

    def __getnewargs__(self) -> tuple[float, float, str]:  # type: ignore[override]
        return self.after, self.before, self.cluster

    @classmethod
    def over(cls, after: ClusteredValue | None, before: ClusteredValue | None) -> GainValue | None:
        """Make it of two metrics of a document; None unless both apply."""
        if after is None or before is None:
            return None
        return cls(float(after), float(before), after.cluster)


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


def applicable_gain(values: Sequence[GainValue | None]) -> float:
    """Give the normalised gain over the documents to which it applies; NaN where it is empty.

    >>> applicable_gain([GainValue(1, 0.5, "a"), None, GainValue(0.5, 0, "b")])
    0.6666666666666666
    """
    told = [value for value in values if value is not None]
    gain = stats.normalised_gain([one.after for one in told], [one.before for one in told])
    return math.nan if gain is None else gain


def gain_error(values: Sequence[GainValue | None]) -> float:
    """Standard error of `applicable_gain`, clustered, by the delta method; NaN where unknown."""
    told = [value for value in values if value is not None]
    after, before = [one.after for one in told], [one.before for one in told]
    if stats.normalised_gain(after, before) is None:
        return math.nan
    return stats.clustered_error(
        stats.gain_values(after, before), [value.cluster for value in told]
    )


ERRORS: dict[Callable[..., float], Callable[..., float]] = {
    applicable_mean: applicable_error,
    applicable_gain: gain_error,
}


def _teach_stderr() -> None:
    original = cast(Callable[..., Any], evaluator.stderr_for_metric)
    if getattr(original, "knows_applicable_mean", False):
        return

    def stderr_for_metric(metric: Any, bootstrap_iters: int) -> Any:
        for known, error in ERRORS.items():
            if metric is known:
                return error
        return original(metric=metric, bootstrap_iters=bootstrap_iters)

    stderr_for_metric.knows_applicable_mean = True  # type: ignore[attr-defined]
    evaluator.stderr_for_metric = stderr_for_metric


_teach_stderr()
