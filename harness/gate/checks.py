"""May a candidate ship? Each gated metric passes, fails, or cannot be told yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, NamedTuple

from harness import stats
from harness.compare import Row, compare_task, incomparable, pair_documents
from harness.errors import ComparisonError, ConfigError
from harness.gate.margins import GateConfig, Margin, check_names
from harness.run_files import StoredRun
from harness.runs import TaskRun
from harness.stats import Interval

Status = Literal["pass", "fail", "inconclusive", "not comparable"]
EXIT: dict[Status, int] = {"pass": 0, "fail": 3, "inconclusive": 4, "not comparable": 5}
"""Exit statuses; 1 and 2 are Python's and the argument parser's."""
GRAVEST: tuple[Status, ...] = ("fail", "not comparable", "inconclusive", "pass")


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


def status_of(checks: Sequence[Check]) -> Status:
    """Give the gravest status: a failure first, then what could not be compared at all."""
    return next(status for status in GRAVEST if any(check.status == status for check in checks))


def planned(baseline: StoredRun, config: GateConfig, strict: bool = True) -> list[Planned]:
    """List what a gate checks: it depends on the baseline alone.

    Args:
        strict: every metric and task of the configuration must be there; not so for the default.

    Raises:
        ConfigError: it checks nothing, names what is not there, or a metric has no direction.
    """
    if strict:
        check_names(config, baseline.tasks)
    checks: list[Planned] = []
    for name, task in baseline.tasks.items():
        margins = config.of_task(name)
        if task.failed and margins:
            checks.append(Planned(name, "all metrics", Margin(0.0, "higher")))
        checks += [
            Planned(name, metric, _directed(name, metric, margin, task))
            for metric, margin in margins.items()
            if metric in task.metrics
        ]
    if not checks:
        raise ConfigError(f"{baseline.name} has no metric that the gate has a margin for")
    return checks


def _directed(name: str, metric: str, margin: Margin, task: TaskRun) -> Margin:
    if margin.better is not None:
        return margin
    higher = task.metrics[metric].higher_is_better
    if higher is None:
        raise ConfigError(
            f"{metric} of {name} has no direction of its own: give it one, as in "
            f"`{metric}: {{margin: {margin.margin:g}, better: higher}}`"
        )
    return Margin(margin.margin, "higher" if higher else "lower")


def gate(
    baseline: StoredRun, candidate: StoredRun, config: GateConfig, strict: bool = True
) -> list[Check]:
    """Check every gated metric of the baseline on the candidate.

    Args:
        strict: as in `planned`.

    Raises:
        ConfigError: as in `planned`.
        RecordError: samples are damaged.
    """
    checks: list[Check] = []
    for name, wanted in groupby(planned(baseline, config, strict), key=lambda told: told.task):
        mine = list(wanted)
        fault = _fault(baseline, candidate, name)
        if fault is None:
            checks += _check_task(baseline, candidate, name, mine)
        else:
            checks += [Check(*told, *fault) for told in mine]
    return checks


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
) -> list[Check]:
    ours, theirs = baseline.tasks[name], candidate.tasks[name]
    try:
        pairs = pair_documents(baseline, candidate, name)
    except ComparisonError as err:
        return [Check(*told, "not comparable", str(err)) for told in wanted]
    rows = {row.metric: row for row in compare_task(ours, theirs, name, pairs)}
    have = theirs.data.get("documents")
    return [_check(told, rows.get(told.metric), have) for told in wanted]


def _check(told: Planned, row: Row | None, documents: int | None) -> Check:
    if row is None:
        return Check(*told, "not comparable", "the candidate has no such metric")
    gain = _as_gain(row, lower_is_better=told.margin.better == "lower")
    if gain is None:
        reason = f"no difference can be told: {row.interval.method}"
        return Check(*told, "inconclusive", reason, row)
    value, interval = gain
    status, reason = judge(interval, told.margin.margin)
    settle = None
    if status == "inconclusive":
        settle = stats.documents_to_settle(value, interval, told.margin.margin, row.n)
        reason += f"; about {settle:,} documents would settle it" if settle else ""
        reason += f" (the split has {documents:,})" if settle and documents else ""
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
