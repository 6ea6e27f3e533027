"""Models for boards: with documents on disk, or as aggregated numbers in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.run_files import StoredRun
from harness.runs import Metric, TaskRun
from harness.stats import Interval
from leaderboards.entries import Entry
from tests.records import Values, make_run, store, task_run

HOSTILE = (
    "=cmd|'/c calc'!A0",
    "＝1+1",
    " +1",
    "-2",
    "@SUM(A1)",
    "\t=1",
    "'=1",
    "a;=1+1",
    "<script>alert(1)</script>",
    "a\nb",
    "a\r\nb",
    "a|b",
    'a,"b"',
    "\\n",
    "😀 👩‍💻",
    "abc\u202edef",
    "nul\x00",
    "\udcff",
    "NA",
    "1e5",
    "**x** _y_ `z` [a](b) ![c](d) &amp; ~~s~~",
    "https://example.org www.example.org a@example.org",
    "- x",
    "1. x",
    "# x",
    "  two  ",
    "",
)
"""Names that a spreadsheet, Markdown, a terminal or a CSV reader may stumble over."""


def model(folder: Path, name: str, values: Mapping[str, Values], **changed: Any) -> Entry:
    """A model with one run on disk."""
    return Entry(name, [store(folder / name, values, **{"fingerprint": name, **changed})])


def number(
    value: float | None, low: float | None = None, high: float | None = None, **changed: Any
) -> Metric:
    """A metric whose documents nobody has."""
    told = {"n": 10, "chance": None, "higher_is_better": True, "bounds": (0.0, 1.0)}
    return Metric(value=value, interval=Interval(low, high, "made up"), **{**told, **changed})


def aggregated(name: str, metrics: Mapping[str, Metric], **changed: Any) -> TaskRun:
    """A task of aggregated numbers; the first metric is its headline."""
    told = {"variant_of": name, "documents": 10, "headline": next(iter(metrics), None)}
    return task_run({}, metrics=dict(metrics), **{**told, **changed})


def in_memory(name: str, tasks: Mapping[str, TaskRun], **described: Any) -> StoredRun:
    """A run of aggregated numbers."""
    record = make_run(tasks, **described).record
    digest = hashlib.sha256(repr((name, record)).encode("utf-8", "replace")).hexdigest()[:12]
    return StoredRun(Path("/nowhere") / digest, record, name, digest)


def plain(name: str, **values: float | None) -> Entry:
    """A model of aggregated numbers: task -> the value of its metric `acc`."""
    tasks = {task: aggregated(task, {"acc": number(value)}) for task, value in values.items()}
    return Entry(name, [in_memory(name, tasks)])
