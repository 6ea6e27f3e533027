"""A task of a run: its metrics, and a list of its documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.errors import ConfigError
from harness.evidence import VERDICTS, Summary, read_account, read_summary
from harness.report import plain_table, show_interval, show_number
from harness.run_files import StoredRun
from harness.runs import TaskRun
from harness.showing.overview import count_verdicts
from harness.showing.reading import SHORT, check_task, read_samples
from harness.showing.texts import counted, line

EXCERPT = 60


class Chosen(NamedTuple):
    """Which documents of a task to list.

    Attributes:
        verdict: one of `VERDICTS`; None: any.
        search: what the document, an answer, or what was read from one must hold, in any case.
        limit: how many at most.
    """

    verdict: str | None = None
    search: str | None = None
    limit: int = 20

    def check(self) -> None:
        """Refuse what cannot choose anything.

        Raises:
            ConfigError: so it is.
        """
        if self.verdict is not None and self.verdict not in VERDICTS:
            known = ", ".join(map(repr, VERDICTS))
            raise ConfigError(f"--verdict must be one of {known}; got {self.verdict!r}")
        if self.limit < 1:
            raise ConfigError(f"--limit must be 1 or more, got {self.limit}")

    def has(self, head: Summary, sample: dict[str, Any]) -> bool:
        """Say whether a document is among them."""
        if self.verdict not in (None, head.verdict):
            return False
        wanted = (self.search or "").casefold()
        return not wanted or any(wanted in text.casefold() for text in _texts(sample))


def task_view(run: StoredRun, name: str, chosen: Chosen) -> Group:
    """Lay a task out: its metrics, then the chosen ones of its documents.

    Raises:
        ConfigError: there is no such task, or `chosen` makes no sense.
        RecordError: the samples are damaged.
    """
    chosen.check()
    check_task(run, name)
    task = run.tasks[name]
    parts: list[Any] = [line(f"{name}: {counted(task.documents, 'document')}", "bold")]
    if task.failed:
        parts.append(line(f"FAILED: {task.failed}", "bold red"))
    parts += [_metrics_table(task)] if task.metrics else []
    if not run.has_samples(name):
        return Group(*parts, Text(), Text("recorded without its documents"))
    verdicts, found = [], []
    for sample in read_samples(run, name):
        head = read_summary(sample)
        verdicts.append(head.verdict)
        if chosen.has(head, sample):
            found.append(head)
    counts = count_verdicts(verdicts)
    parts += [Text(f"\nverdicts: {counts}")] if counts else []
    parts += [Text(), _documents_table(found[: chosen.limit], task)] if found else []
    return Group(*parts, Text(_tell_counts(len(found), len(verdicts), chosen)))


def _metrics_table(task: TaskRun) -> Table:
    table = plain_table(("metric",), ("value", "95% interval", "n", "chance"))
    for name, told in task.metrics.items():
        chance = "" if told.chance is None else f"{told.chance:g}"
        cells = [show_number(told.value), show_interval(told.interval), str(told.n), chance]
        table.add_row(line(name), *map(Text, cells))
    return table


def _documents_table(heads: list[Summary], task: TaskRun) -> Table:
    metric = task.document_metric
    table = plain_table(("document", "verdict"), (), ())
    table.add_column(line(metric or "value"), justify="right", no_wrap=True)
    table.add_column("text", no_wrap=True)
    for head in heads:
        cells = [head.doc_hash[:SHORT], head.verdict or "-", show_number(head.metrics.get(metric))]
        table.add_row(*map(line, [*cells, head.name[:EXCERPT]]))
    return table


def _tell_counts(found: int, total: int, chosen: Chosen) -> str:
    shown = min(found, chosen.limit)
    told = f"{shown} of {counted(found, 'document')}"
    if chosen.verdict is not None or chosen.search:
        told += f" asked for, of {total}"
    return f"\n{told}{'; --limit N shows more' if shown < found else ''}"


def _texts(sample: dict[str, Any]) -> Iterator[str]:
    """Give the texts to search; prompts are left out, which all hold the same words."""
    told = read_account(sample, ())
    yield from (told.doc_hash, told.target or "")
    for turn in told.turns:
        yield from (turn.answer, turn.read or "", turn.fault or "")
    for choices in told.choices:
        yield from (choice.text for choice in choices.rows)
    for _, text in (*told.findings, *told.doc):
        yield text
