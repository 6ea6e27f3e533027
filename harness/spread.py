"""How far a number depends on the wording of the prompts: its spread over a task's variants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import pstdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.runs import TaskRun


@dataclass(frozen=True)
class Spread:
    """A metric over the variants of a task.

    Attributes:
        default: its value in the task as its file has it; None if it applies to no document.
        lowest, highest: the variants' values at the ends, by the variant's name.
        deviation: population standard deviation over the variants.
        variants: how many have a value.
    """

    default: float | None
    lowest: tuple[str, float]
    highest: tuple[str, float]
    deviation: float
    variants: int


def spread(tasks: Mapping[str, TaskRun]) -> dict[str, dict[str, Spread]]:
    """Give the spread of every metric, task by task, where a task was run in several variants."""
    told: dict[str, dict[str, Spread]] = {}
    for base in dict.fromkeys(task.variant_of for task in tasks.values()):
        family = {name: task for name, task in tasks.items() if task.variant_of == base}
        if len(family) > 1:
            told[base] = _spread_of(base, family)
    return told


def _spread_of(base: str, family: Mapping[str, TaskRun]) -> dict[str, Spread]:
    told = {}
    for metric in dict.fromkeys(metric for task in family.values() for metric in task.metrics):
        found = {
            name: value
            for name, task in family.items()
            if metric in task.metrics and (value := task.metrics[metric].value) is not None
        }
        if found:
            lowest, highest = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
            told[metric] = Spread(
                found.get(base),
                (lowest, found[lowest]),
                (highest, found[highest]),
                pstdev(found.values()),
                len(found),
            )
    return told
