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

from finetune.beside import BASE, Beside, Headline, compare_wanted, find_failures, headlines
from finetune.stages import Stage
from finetune.workspace import Workspace
from harness.compare import Comparison
from harness.compare.output import WIDTH, as_csv, as_text, row_cells
from harness.errors import printable
from harness.report import plain_table, show_interval, show_number
from harness.run_files import StoredRun
from harness.runs import Metric
from harness.spreadsheet import guard
from harness.whole_files import write_text

BESIDE = """\
difference = arm - against, with its 95% interval; headline metrics alone, all others are in the
files comparison-ARM-with-AGAINST; p: adjusted by Holm over all rows of this table, and mde at 5%
over them (letters, n and mde as above)"""


@dataclass(frozen=True)
class Report:
    """What was trained, and what it scored.

    Attributes:
        stages: the checkpoints in order; the last is the result.
        runs: "base" and the names of stages -> what they scored; empty if nothing was scored.
        comparisons: base against result first, then stages against their baselines; without those
            that could not be made.
        notes: what the reader should know.
        failures: tasks that failed, and comparisons that could not be made.
    """

    stages: Sequence[Stage]
    runs: Mapping[str, StoredRun]
    comparisons: Sequence[Beside]
    notes: Sequence[str]
    failures: Sequence[str]

    @property
    def comparison(self) -> Comparison | None:
        """Base against result; None: nothing was scored, or they cannot be compared."""
        return next((told.comparison for told in self.comparisons if told.against == BASE), None)

    @property
    def others(self) -> list[Beside]:
        """Stages against their baselines."""
        return [told for told in self.comparisons if told.against != BASE]

    @property
    def failed(self) -> bool:
        """Whether a task failed, or what was to be compared could not be."""
        return bool(self.failures)


def build_report(
    stages: Sequence[Stage], runs: Mapping[str, StoredRun], notes: Sequence[str]
) -> Report:
    """Compare the base with the result, and stages with their baselines.

    Raises:
        RecordError: samples are damaged.
    """
    comparisons, faults = compare_wanted(stages, runs)
    failures = find_failures(stages, runs, faults)
    return Report(stages, runs, comparisons, [*notes, *faults], failures)


def write_report(report: Report, workspace: Workspace) -> None:
    """Write the tables beside the runs.

    Raises:
        OSError: they cannot be written.
    """
    write_text(workspace.folder / "progress.csv", progress_csv(report))
    for told in report.comparisons:
        name = "comparison"
        if told.against != BASE:
            name += f"-{told.arm}-with-{told.against}"
        write_text(workspace.folder / f"{name}.csv", as_csv(told.comparison))
        lines = io.StringIO()
        Console(file=lines, width=WIDTH).print(as_text(told.comparison))
        write_text(workspace.folder / f"{name}.txt", lines.getvalue())


def show(report: Report, folder: Path) -> Group:
    """Lay the report out for the terminal."""
    parts: list[Text | Table | Group] = [progress_table(report), Text()]
    if report.comparison is not None:
        parts += [as_text(report.comparison), Text()]
    if report.others:
        parts += [beside_table(headlines(report.others)), Text(BESIDE, style="dim"), Text()]
    parts += [Text(printable(f"note: {note}")) for note in report.notes]
    return Group(*parts, Text(f"\n{folder}"))


def beside_table(told: Sequence[Headline]) -> Table:
    """Lay out stages against their baselines, a row per task."""
    table = plain_table(
        ("arm", "against", "task", "metric"),
        ("against", "arm", "difference", "95% interval", "p", "n", "mde"),
        ("verdict",),
    )
    shown = ("", "")
    for one in told:
        pair = (one.arm, one.against)
        names = ("", "") if pair == shown else pair
        shown, row = pair, one.row
        cells = [*names, row.task, row.metric, *row_cells(row), row.verdict]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


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
