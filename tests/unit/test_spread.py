"""The spread of a metric over variants, by hand."""

from __future__ import annotations

from harness.runs import TaskRun
from harness.spread import Spread, spread
from tests.records import task_run


def task(base: str, **values: float | None) -> TaskRun:
    told = {name: [value] * 4 for name, value in values.items()}
    return task_run(told, variant_of=base)


def test_spread_over_three_variants():
    told = spread(
        {
            "t": task("t", lift=0.2, size=None),
            "t+you": task("t", lift=0.5, size=0.1),
            "t+human": task("t", lift=-0.1, size=0.1),
            "other": task("other", lift=1.0),
        }
    )
    assert list(told) == ["t"]
    lift = told["t"]["lift"]
    assert (lift.default, lift.lowest, lift.highest) == (0.2, ("t+human", -0.1), ("t+you", 0.5))
    assert lift.variants == 3 and abs(lift.deviation - (0.18 / 3) ** 0.5) < 1e-12
    assert told["t"]["size"] == Spread(None, ("t+you", 0.1), ("t+you", 0.1), 0.0, 2)


def test_spread_of_failed_variants_is_that_of_the_others():
    told = spread({"t": task("t"), "t+you": task("t", lift=0.5)})
    assert told["t"]["lift"].variants == 1 and told["t"]["lift"].default is None
