"""May a candidate ship? Each gated metric passes, fails, or cannot be told yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, NamedTuple

from harness import stats
from harness.compare import (
    Row,
    compare_task,
    documents_note,
    incomparable,
    notes_on,
    pair_documents,
)
from harness.errors import ComparisonError, ConfigError
from harness.gate.margins import GateConfig, Margin, check_names
from harness.run_files import StoredRun
from harness.runs import TaskRun
from harness.stats import Interval

Status = Literal["pass", "fail", "inconclusive", "not comparable"]
EXIT: dict[Status, int] = {"pass": 0, "fail": 3, "inconclusive": 4, "not comparable": 5}
"""Exit statuses; 1 and 2 are Python's and the argument parser's."""
GRAVEST: tuple[Status, ...] = ("fail", "not comparable", "inconclusive", "pass")


ALL = "all metrics"
"""Stands for the metrics of a task that failed in the baseline: nobody knows them."""


class Planned(NamedTuple):
    """What is to be checked."""

    task: str
    metric: str
    margin: Margin


@dataclass(frozen=True)
class Check:
    """One gated metric of one task.

    Attributes:
        row: the comparison that it rests on; None: there is none.
        reason: why the status is what it is.
        settle: documents that would settle it in four of five cases; None if it is settled, or
            no number would.
    """

    task: str
    metric: str
    margin: Margin
    status: Status
    reason: str
    row: Row | None = None
    settle: int | None = None

    @property
    def name(self) -> str:
        """Task and metric."""
        return f"{self.task}::{self.metric}"


@dataclass(frozen=True)
class Verdict:
    """What a gate says.

    Attributes:
        notes: how the runs differ, and what was not gated.
    """

    checks: list[Check]
    notes: list[str]

    @property
    def status(self) -> Status:
        """The gravest of all: a failure first, then what could not be compared at all."""
        found = {check.status for check in self.checks}
        return next(status for status in GRAVEST if status in found)


def planned(baseline: StoredRun, config: GateConfig, strict: bool = True) -> list[Planned]:
    """List what a gate checks: it depends on the baseline alone.

    Args:
        strict: every metric and task of the configuration must be there, and is checked; not so
            for the default, which leaves out metrics that apply to no document of the baseline.

    Raises:
        ConfigError: it checks nothing, names what is not there, or a metric has no direction.
    """
    if strict:
        check_names(config, baseline.tasks)
    checks: list[Planned] = []
    for name, task in baseline.tasks.items():
        margins = config.of_task(name)
        if task.failed and margins:
            checks.append(Planned(name, ALL, Margin(0.0)))
        checks += [
            Planned(name, metric, _directed(name, metric, margin, task))
            for metric, margin in margins.items()
            if metric in task.metrics and (strict or task.metrics[metric].n)
        ]
    if not checks:
        raise ConfigError(f"{baseline.name} has no metric that the gate has a margin for")
    return checks


def _directed(name: str, metric: str, margin: Margin, task: TaskRun) -> Margin:
    recorded = task.metrics[metric]
    if recorded.bounds is not None and margin.margin >= recorded.bounds[1] - recorded.bounds[0]:
        low, high = recorded.bounds
        raise ConfigError(
            f"{metric} of {name} lies between {low:g} and {high:g}: a margin of "
            f"{margin.margin:g} holds nothing"
        )
    if margin.better is not None:
        return margin
    if recorded.higher_is_better is None:
        raise ConfigError(
            f"{metric} of {name} has no direction of its own: give it one, as in "
            f"`{metric}: {{margin: {margin.margin:g}, better: higher}}`"
        )
    return Margin(margin.margin, "higher" if recorded.higher_is_better else "lower")


def gate(
    baseline: StoredRun, candidate: StoredRun, config: GateConfig, strict: bool = True
) -> Verdict:
    """Check every gated metric of the baseline on the candidate.

    Args:
        strict: as in `planned`.

    Raises:
        ConfigError: as in `planned`.
        RecordError: samples are damaged.
    """
    checks: list[Check] = []
    common = [name for name in baseline.tasks if name in candidate.tasks]
    notes = notes_on(baseline, candidate, common)
    for name, wanted in groupby(planned(baseline, config, strict), key=lambda told: told.task):
        mine = list(wanted)
        fault = _fault(baseline, candidate, name)
        if fault is None:
            told, more = _check_task(baseline, candidate, name, mine)
            checks, notes = checks + told, notes + more
        else:
            checks += [Check(*one, *fault) for one in mine]
    gated = {check.task for check in checks}
    left = [name for name in baseline.tasks if name not in gated]
    return Verdict(checks, notes + ([f"not gated: {', '.join(left)}"] if left else []))


def _fault(baseline: StoredRun, candidate: StoredRun, name: str) -> tuple[Status, str] | None:
    ours, theirs = baseline.tasks[name], candidate.tasks.get(name)
    if ours.failed:
        return "not comparable", f"the task failed in {baseline.name}: {ours.failed}"
    if theirs is None:
        return "not comparable", f"{candidate.name} has no such task"
    if theirs.failed:
        return "fail", f"the task failed in {candidate.name}: {theirs.failed}"
    different = incomparable(ours, theirs)
    return ("not comparable", "; ".join(different)) if different else None


def _check_task(
    baseline: StoredRun, candidate: StoredRun, name: str, wanted: Sequence[Planned]
) -> tuple[list[Check], list[str]]:
    ours, theirs = baseline.tasks[name], candidate.tasks[name]
    try:
        pairs = pair_documents(baseline, candidate, name)
    except ComparisonError as err:
        return [Check(*told, "not comparable", str(err)) for told in wanted], []
    rows = {row.metric: row for row in compare_task(ours, theirs, name, pairs)}
    size = Size(len(pairs) if pairs else theirs.documents, theirs.data.get("documents"))
    checks = [_check(told, rows.get(told.metric), size) for told in wanted]
    return checks, documents_note(baseline, candidate, name, pairs)


class Size(NamedTuple):
    """How many documents of a task were compared, and how many its split has (None: unknown)."""

    compared: int
    split: int | None


def _check(told: Planned, row: Row | None, size: Size) -> Check:
    if row is None:
        return Check(*told, "not comparable", "the candidate has no such metric")
    if row.n_base and not row.n_candidate:
        lost = f"it applies to {row.n_base} documents of the baseline, and to none of the candidate"
        return Check(*told, "fail", lost, row)
    gain = _as_gain(row, lower_is_better=told.margin.better == "lower")
    if gain is None:
        reason = f"no difference can be told: {row.interval.method}"
        return Check(*told, "inconclusive", reason, row)
    value, interval = gain
    status, reason = judge(interval, told.margin.margin)
    if status != "inconclusive":
        return Check(*told, status, reason, row)
    needed = stats.documents_to_settle(value, interval, told.margin.margin, row.n)
    if needed is None:
        return Check(*told, status, f"{reason}; no number of documents would settle it", row)
    settle = math.ceil(needed * size.compared / row.n)  # it may apply to some of them only
    reason += f"; about {settle:,} documents would settle it"
    reason += f" (the split has {size.split:,})" if size.split else ""
    return Check(*told, status, reason, row, settle)


def judge(gain: Interval, margin: float) -> tuple[Status, str]:
    """Judge a gain, positive where the candidate is better, against what may be lost.

    Raises:
        ValueError: the interval is unknown.
    """
    if gain.low is None or gain.high is None:
        raise ValueError(f"no interval: {gain.method}")
    told = f"[{gain.low:+.3f}, {gain.high:+.3f}]"
    if gain.low > -margin:
        return "pass", f"the change, {told}, is above -{margin:g}"
    if gain.high < -margin:
        return "fail", f"the change, {told}, is below -{margin:g}"
    return "inconclusive", f"the change, {told}, may be on either side of -{margin:g}"


def _as_gain(row: Row, lower_is_better: bool) -> tuple[float, Interval] | None:
    told = row.interval
    if row.difference is None or told.low is None or told.high is None:
        return None
    if lower_is_better:
        return -row.difference, Interval(-told.high, -told.low, told.method)
    return row.difference, told
