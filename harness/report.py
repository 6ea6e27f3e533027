"""A run as a table for the terminal."""

from __future__ import annotations

import io
import os
import shutil
import sys
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from harness.errors import printable
from harness.questions import SELF
from harness.spread import spread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.runs import Metric, Run, TaskRun
    from harness.spread import Spread
    from harness.stats import Interval

WIDTH_WITHOUT_TERMINAL = 110


def print_run(run: Run) -> None:
    """Print every metric of a run with its interval, n and chance level; then what went wrong.

    Where a gain is empty, the reason is told, and who simulated always.
    """
    console = Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
    console.print(run_table(run))
    spreads = spread(run.tasks)
    if spreads:
        console.print("Spread over the variants of the prompts")
        console.print(spread_table(spreads))
    for line in [*simulators(run.tasks), *empty_gains(run.tasks)]:
        console.print(_text(line))
    for name, task in run.tasks.items():
        if task.failed:
            console.print(_text(f"{name} FAILED: {task.failed}", "bold red"))
        for what, count in (("prompts", task.prompts_cut), ("answers", task.answers_cut)):
            if count:
                console.print(
                    _text(f"{name}: {what} were cut in {count} of {task.documents} documents")
                )


def run_table(run: Run) -> Table:
    """Lay a run out: one row a metric; variants of a task only in the table of their spread."""
    table = plain_table(("task", "metric"), ("value", "95% interval", "n", "chance"))
    for name, task in run.tasks.items():
        if task.variant_of != name:
            continue
        shown = name
        for metric, told in task.metrics.items():
            table.add_row(_text(shown), _text(metric), *map(Text, _cells(told)))
            shown = ""
        if not task.metrics:
            table.add_row(_text(name), Text("failed" if task.failed else "not scored"))
        table.add_section()
    return table


def simulators(tasks: Mapping[str, TaskRun]) -> list[str]:
    """Say who simulated in each task that has a simulator."""
    own = "self-simulated, so that no gain can be told: a blind guess would be the answer itself"
    return [
        f"{name}: {own if task.simulated_by == SELF else f'simulated by {task.simulated_by}'}"
        for name, task in tasks.items()
        if task.simulated_by is not None
    ]


def empty_gains(tasks: Mapping[str, TaskRun]) -> list[str]:
    """Say of every gain without a value why it has none; variants of a task are left out."""
    return [
        f"{name}: {metric} is empty: {told.interval.method}"
        for name, task in tasks.items()
        for metric, told in task.metrics.items()
        if told.of is not None and told.value is None and task.variant_of == name
        if task.simulated_by != SELF
    ]


def spread_table(spreads: Mapping[str, Mapping[str, Spread]]) -> Table:
    """Lay out how far every metric depends on the wording of the prompts."""
    table = plain_table(
        ("task", "metric"), ("default", "lowest", "highest", "range", "sd", "variants")
    )
    for name, metrics in spreads.items():
        shown = name
        for metric, told in metrics.items():
            low, high = told.lowest[1], told.highest[1]
            numbers = [told.default, low, high, high - low, told.deviation]
            cells = [*map(show_number, numbers), str(told.variants)]
            table.add_row(_text(shown), _text(metric), *map(Text, cells))
            shown = ""
        table.add_section()
    return table


def plain_table(left: Sequence[str], right: Sequence[str], last: Sequence[str] = ()) -> Table:
    """Begin a table without lines: names on the left, numbers on the right, then words again."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in left:
        table.add_column(name, overflow="fold")  # a narrow terminal costs names, never numbers
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    for name in last:
        table.add_column(name, no_wrap=True)
    return table


def print_all(told: RenderableType, width: int) -> None:
    """Print to the terminal, or this wide where there is none.

    Raises:
        BrokenPipeError: nobody reads any more (rich itself would end the process with status 1).
    """
    lines = io.StringIO()
    on_terminal = sys.stdout.isatty()
    size = shutil.get_terminal_size().columns if on_terminal else width
    Console(file=lines, width=size, force_terminal=on_terminal).print(told)
    try:
        sys.stdout.write(lines.getvalue())
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or exit would complain
        raise


def show_number(number: float | None) -> str:
    """Write a number, a dash if there is none."""
    return "-" if number is None else f"{number:.3f}"


def show_interval(interval: Interval) -> str:
    """Write an interval, a dash if there is none."""
    if interval.low is None or interval.high is None:
        return "-"
    return f"[{interval.low:.3f}, {interval.high:.3f}]"


def _text(told: str, style: str = "") -> Text:
    """Write what a file or a model says: no markup, no escapes of the terminal."""
    return Text(printable(told), style=style)


def _cells(metric: Metric) -> tuple[str, str, str, str]:
    return (
        show_number(metric.value),
        show_interval(metric.interval),
        str(metric.n),
        "" if metric.chance is None else f"{metric.chance:g}",
    )
