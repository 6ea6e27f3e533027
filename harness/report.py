"""A run as a table for the terminal."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from harness.runs import Metric, Run

WIDTH_WITHOUT_TERMINAL = 110


def print_run(run: Run) -> None:
    """Print every metric of a run with its interval, n and chance level; then what went wrong."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
    console.print(run_table(run))
    for name, task in run.tasks.items():
        if task.failed:
            console.print(Text(f"{name} FAILED: {task.failed}", style="bold red"))
        for what, count in (("prompts", task.prompts_cut), ("answers", task.answers_cut)):
            if count:
                console.print(
                    Text(f"{name}: {what} were cut in {count} of {task.documents} documents")
                )


def run_table(run: Run) -> Table:
    """Lay a run out: one row a metric."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("task", "left"), ("metric", "left"), ("value", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for name in ("95% interval", "n", "chance"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, task in run.tasks.items():
        shown = name
        for metric, told in task.metrics.items():
            table.add_row(Text(shown), Text(metric), *map(Text, _cells(told)))
            shown = ""
        if not task.metrics:
            table.add_row(Text(name), Text("failed" if task.failed else "not scored"))
        table.add_section()
    return table


def _cells(metric: Metric) -> tuple[str, str, str, str]:
    low, high = metric.interval.low, metric.interval.high
    return (
        "-" if metric.value is None else f"{metric.value:.3f}",
        "-" if math.isnan(low) else f"[{low:.3f}, {high:.3f}]",
        str(metric.n),
        "" if metric.chance is None else f"{metric.chance:g}",
    )
