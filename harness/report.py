"""A run as a table for the terminal."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.spread import spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.runs import Metric, Run
    from harness.spread import Spread

WIDTH_WITHOUT_TERMINAL = 110


def print_run(run: Run) -> None:
    """Print every metric of a run with its interval, n and chance level; then what went wrong."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
    console.print(run_table(run))
    spreads = spread(run.tasks)
    if spreads:
        console.print("Spread over the variants of the prompts")
        console.print(spread_table(spreads))
    for name, task in run.tasks.items():
        if task.failed:
            console.print(Text(f"{name} FAILED: {task.failed}", style="bold red"))
        for what, count in (("prompts", task.prompts_cut), ("answers", task.answers_cut)):
            if count:
                console.print(
                    Text(f"{name}: {what} were cut in {count} of {task.documents} documents")
                )


def run_table(run: Run) -> Table:
    """Lay a run out: one row a metric; variants of a task only in the table of their spread."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("task", "left"), ("metric", "left"), ("value", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for name in ("95% interval", "n", "chance"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, task in run.tasks.items():
        if task.variant_of != name:
            continue
        shown = name
        for metric, told in task.metrics.items():
            table.add_row(Text(shown), Text(metric), *map(Text, _cells(told)))
            shown = ""
        if not task.metrics:
            table.add_row(Text(name), Text("failed" if task.failed else "not scored"))
        table.add_section()
    return table


def spread_table(spreads: Mapping[str, Mapping[str, Spread]]) -> Table:
    """Lay out how far every metric depends on the wording of the prompts."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("task", "metric"):
        table.add_column(name, no_wrap=True)
    for name in ("default", "lowest", "highest", "range", "sd", "variants"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, metrics in spreads.items():
        shown = name
        for metric, told in metrics.items():
            low, high = told.lowest[1], told.highest[1]
            numbers = [told.default, low, high, high - low, told.deviation]
            cells = ["-" if number is None else f"{number:.3f}" for number in numbers]
            table.add_row(Text(shown), Text(metric), *map(Text, cells), str(told.variants))
            shown = ""
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
