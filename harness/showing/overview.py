"""A run as a whole: who was asked what, and what came of it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator

from rich.console import Group
from rich.text import Text

from harness.evidence import VERDICTS
from harness.report import plain_table, show_interval, show_number
from harness.run_files import StoredRun
from harness.runs import Record, TaskRun
from harness.showing.reading import summaries
from harness.showing.texts import line


def run_view(run: StoredRun) -> Group:
    """Lay a run out: where it is from, then every task.

    Raises:
        RecordError: its samples are damaged.
    """
    about = plain_table(("", ""), ())
    about.show_header = False
    for label, told in _about(run.record):
        about.add_row(Text(label, style="bold"), line(told))
    table = plain_table(
        ("task", "headline"), ("value", "95% interval", "n", "documents"), ("verdicts",)
    )
    table.columns[-1].no_wrap, table.columns[-1].overflow = False, "fold"
    for name, task in run.tasks.items():
        table.add_row(line(name), *map(line, _task_cells(run, name, task)))
    return Group(line(f"run {run.name} ({run.id})", "bold"), about, Text(), table)


def count_verdicts(verdicts: Iterable[str]) -> str:
    """Count verdicts, in the order of `VERDICTS`.

    >>> count_verdicts(["wrong", "right", "wrong", ""])
    '1 right; 2 wrong'
    """
    counts = Counter(verdicts)
    return "; ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])


def _about(record: Record) -> Iterator[tuple[str, str]]:
    model, made = record.model, record.environment
    args = " ".join(f"{name}={value}" for name, value in model.args.items())
    yield "model", f"{model.backend} {args}"
    yield "fingerprint", model.fingerprint or "unknown"
    told = {"device": model.device, "dtype": model.dtype, "batch size": model.batch_size}
    where = ", ".join(f"{name} {value}" for name, value in told.items() if value is not None)
    yield "on", where or "unknown"
    yield "made", f"{record.created}, in {record.seconds:g} s"
    if record.imported is not None:
        yield "imported", record.imported
    packages = {**made.packages, "python": made.python}
    versions = ", ".join(f"{name} {version or 'unknown'}" for name, version in packages.items())
    yield "with", f"{versions}; {made.platform or 'platform unknown'}"
    yield "command", "unknown" if made.command is None else shlex.join(made.command)


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
