"""What a finetuning has come to: a table over its checkpoints, and before against after."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from finetune.stages import Stage
from finetune.workspace import Workspace
from harness.compare import Comparison, compare
from harness.compare.output import WIDTH, as_csv, as_text
from harness.errors import ComparisonError, printable
from harness.report import plain_table, show_interval, show_number
from harness.run_files import StoredRun
from harness.runs import Metric
from harness.spreadsheet import guard
from harness.whole_files import write_text

BASE = "base"


@dataclass(frozen=True)
class Report:
    """What was trained, and what it scored.

    Attributes:
        stages: the checkpoints in order; the last is the result.
        runs: "base" and the names of stages -> what they scored; empty if nothing was scored.
        comparison: base against result; None if nothing was scored.
        notes: what the reader should know.
    """

    stages: Sequence[Stage]
    runs: Mapping[str, StoredRun]
    comparison: Comparison | None
    notes: Sequence[str]

    @property
    def failed(self) -> bool:
        """Whether a task failed, or nothing could be compared."""
        failed = any(task.failed for run in self.runs.values() for task in run.tasks.values())
        return failed or (bool(self.runs) and self.comparison is None)


def build_report(
    stages: Sequence[Stage], runs: Mapping[str, StoredRun], notes: Sequence[str]
) -> Report:
    """Compare the base with the result."""
    told = list(notes)
    comparison = None
    if runs:
        try:
            comparison = compare(runs[BASE], runs[stages[-1].name], flips=0)
        except ComparisonError as err:  # every task failed, or has another simulator
            told.append(str(err))
    return Report(stages, runs, comparison, told)


def write_report(report: Report, workspace: Workspace) -> None:
    """Write the tables beside the runs.

    Raises:
        OSError: they cannot be written.
    """
    write_text(workspace.folder / "progress.csv", progress_csv(report))
    if report.comparison is not None:
        write_text(workspace.folder / "comparison.csv", as_csv(report.comparison))
        lines = io.StringIO()
        Console(file=lines, width=WIDTH).print(as_text(report.comparison))
        write_text(workspace.folder / "comparison.txt", lines.getvalue())


def show(report: Report, folder: Path) -> Group:
    """Lay the report out for the terminal."""
    parts: list[Text | Table | Group] = [progress_table(report), Text()]
    if report.comparison is not None:
        parts += [as_text(report.comparison), Text()]
    parts += [Text(printable(f"note: {note}")) for note in report.notes]
    return Group(*parts, Text(f"\n{folder}"))


def progress_table(report: Report) -> Table:
    """Lay out a column per checkpoint: facts of its training, then every metric."""
    names = _columns(report)
    table = plain_table(("task", "metric"), names)
    for fact in _facts(report.stages):
        cells = [_fact(stage.facts.get(fact)) for stage in report.stages]
        table.add_row(Text("training"), Text(fact), *([Text("")] if report.runs else []), *cells)
    table.add_section()
    shown = ""
    for task, metric in _metrics(report):
        cells = [_cell(report.runs[name], task, metric) for name in names]
        table.add_row(Text("" if task == shown else task), Text(metric), *cells)
        shown = task
    return table


def progress_csv(report: Report) -> str:
    """Write the same as CSV, a row per checkpoint, task and metric, with intervals and n."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(["checkpoint", "task", "metric", "value", "low", "high", "n"])
    for stage in report.stages:
        for fact, value in stage.facts.items():
            writer.writerow([guard(stage.name), "training", fact, value, None, None, None])
    for name, run in report.runs.items():
        for task, metric in _metrics(report):
            told = _metric(run, task, metric)
            if told is not None:
                low, high = told.interval.low, told.interval.high
                row = [guard(name), task, metric, told.value, low, high, told.n]
                writer.writerow(row)
    return lines.getvalue()


def headline_lines(run: StoredRun) -> list[str]:
    """Say a line per metric of a run: name, value, interval and n."""
    return [
        f"| {name} | {metric} | {show_number(told.value)} | {show_interval(told.interval)} "
        f"| {told.n} |"
        for name, task in run.tasks.items()
        for metric, told in task.metrics.items()
    ]


def _columns(report: Report) -> list[str]:
    return list(report.runs) or [stage.name for stage in report.stages]


def _facts(stages: Sequence[Stage]) -> list[str]:
    return list(dict.fromkeys(fact for stage in stages for fact in stage.facts))


def _fact(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


def _metrics(report: Report) -> list[tuple[str, str]]:
    return list(
        dict.fromkeys(
            (name, metric)
            for run in report.runs.values()
            for name, task in run.tasks.items()
            for metric in task.metrics
        )
    )


def _metric(run: StoredRun, task: str, metric: str) -> Metric | None:
    return run.tasks[task].metrics.get(metric) if task in run.tasks else None


def _cell(run: StoredRun, task: str, metric: str) -> str:
    told = _metric(run, task, metric)
    return "failed" if told is None else show_number(told.value)
