"""A run as a whole: who was asked what, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rich.console import Group
from rich.text import Text

from harness.evidence import VERDICTS, command_line, record_facts
from harness.report import plain_table, show_interval, show_number
from harness.run_files import StoredRun
from harness.runs import TaskRun
from harness.showing.reading import summaries
from harness.showing.texts import line

NONE = "no verdict"


def run_view(run: StoredRun) -> Group:
    """Lay a run out: where it is from, then every task.

    Raises:
        RecordError: its samples are damaged.
    """
    about = plain_table(("", ""), ())
    about.show_header = False
    command = command_line(run.record)
    for label, told in (*record_facts(run.record), *([("command", command)] if command else [])):
        about.add_row(Text(label, style="bold"), line(told))
    table = plain_table(
        ("task", "headline"), ("value", "95% interval", "n", "documents"), ("verdicts",)
    )
    table.columns[-1].no_wrap, table.columns[-1].overflow = False, "fold"
    for name, task in run.tasks.items():
        table.add_row(line(name), *map(line, _task_cells(run, name, task)))
    return Group(line(f"run {run.name} ({run.id})", "bold"), about, Text(), table)


def count_verdicts(verdicts: Iterable[str]) -> str:
    """Count verdicts, in the order of `VERDICTS`; then the documents that have none.

    >>> count_verdicts(["wrong", "right", "wrong", ""])
    '1 right; 2 wrong; 1 no verdict'
    """
    counts = Counter(verdict or NONE for verdict in verdicts)
    return "; ".join(f"{counts[name]} {name}" for name in (*VERDICTS, NONE) if counts[name])


def _task_cells(run: StoredRun, name: str, task: TaskRun) -> list[str]:
    if task.failed:
        return ["", "", "", "", str(task.documents), f"FAILED: {task.failed}"]
    told = task.metrics.get(task.headline or "")
    cells = ["", "-", "-", "-"]
    if told is not None:
        cells = [str(task.headline), show_number(told.value), show_interval(told.interval)]
        cells += [str(told.n)]
    counts = "recorded without its documents"
    if run.has_samples(name):
        counts = count_verdicts(head.verdict for head in summaries(run, name))
    return [*cells, str(task.documents), counts]
