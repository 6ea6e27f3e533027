"""Checkpoints beside what they are measured against: the base, or another one made for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from finetune.stages import Stage
from harness import stats
from harness.compare import Comparison, Row, compare, pair_documents
from harness.errors import ComparisonError
from harness.run_files import StoredRun
from harness.runs import TaskRun

BASE = "base"
"""The name of the run of the model before training."""


@dataclass(frozen=True)
class Beside:
    """Two runs in pairs.

    Attributes:
        against: name of the run that is the base of the comparison.
        arm: name of its candidate.
    """

    against: str
    arm: str
    comparison: Comparison


@dataclass(frozen=True)
class Headline:
    """A task's headline metric in such a pair.

    Attributes:
        row: its `adjusted_p` and `detectable` are over all headlines that are told together.
    """

    against: str
    arm: str
    row: Row


def wanted(stages: Sequence[Stage], runs: Mapping[str, StoredRun]) -> list[tuple[str, str]]:
    """Say which runs are to be compared: (against, arm).

    The base with the result, which comes last of the stages; then each stage with each of its
    baselines that was scored.
    """
    if not runs:
        return []
    pairs = [
        (against, stage.name) for stage in stages for against in stage.baselines if against in runs
    ]
    return [(BASE, stages[-1].name), *pairs]


def compare_wanted(
    stages: Sequence[Stage], runs: Mapping[str, StoredRun]
) -> tuple[list[Beside], list[str]]:
    """Compare all pairs that are wanted.

    Returns:
        The comparisons in order, and why others could not be made.

    Raises:
        RecordError: samples are damaged.
    """
    made, faults = [], []
    for against, arm in wanted(stages, runs):
        try:
            made.append(Beside(against, arm, compare(runs[against], runs[arm], flips=0)))
        except ComparisonError as err:  # every task failed, or has another simulator
            faults.append(str(err))
    return made, faults


def find_failures(
    stages: Sequence[Stage], runs: Mapping[str, StoredRun], faults: Sequence[str]
) -> list[str]:
    """Say why a finetuning has failed though all was trained and scored; empty: it has not.

    Args:
        faults: why comparisons could not be made, as `compare_wanted` gives them.
    """
    names = [name for name in (BASE, *(stage.name for stage in stages)) if name in runs]
    failed = [
        f"{task} failed on {name}: {told.failed}"
        for name in names
        for task, told in runs[name].tasks.items()
        if told.failed
    ]
    return [*failed, *faults]


def headlines(pairs: Sequence[Beside]) -> list[Headline]:
    """Give the headline metrics of pairs as one family: p by Holm over all of them.

    Raises:
        RecordError: samples are damaged.
    """
    told = [
        Headline(pair.against, pair.arm, row)
        for pair in pairs
        for row in pair.comparison.rows
        if row.metric == _headline(pair.comparison, row.task)
    ]
    adjusted = stats.holm([one.row.p for one in told])
    runs = {(pair.against, pair.arm): pair.comparison for pair in pairs}
    return [
        replace(one, row=_of_family(one.row, p, runs[one.against, one.arm], len(told)))
        for one, p in zip(told, adjusted, strict=True)
    ]


def headline_of(tasks: Sequence[TaskRun]) -> str | None:
    """Name the metric that boards rank a task by; None: there is none.

    Args:
        tasks: the task in several runs: a model that simulates itself has no gain to be ranked by.
    """
    return next((task.headline for task in tasks if task.headline is not None), None)


def _headline(told: Comparison, task: str) -> str | None:
    return headline_of([told.base.tasks[task], told.candidate.tasks[task]])


def _of_family(row: Row, adjusted: float | None, told: Comparison, tests: int) -> Row:
    pairs = pair_documents(told.base, told.candidate, row.task)
    if pairs is None:
        return replace(row, adjusted_p=adjusted)
    both = pairs.of(row.metric)
    effect = stats.detectable_effect(both.changes, both.clusters, tests=tests)
    return replace(row, adjusted_p=adjusted, detectable=effect)
