"""Where a board's numbers are from: what was run, with what, on which data."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from harness.evidence import command_line, record_facts
from harness.run_files import StoredRun
from harness.runs import Record, TaskRun
from leaderboards.entries import Entry
from leaderboards.page.texts import LONGEST_TEXT, one_line

LONGEST = 2000
Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class Source:
    """A model or a task and what is known of it.

    Attributes:
        facts: name and text; what is unknown is left out.
        command: the command line that made it; None: unknown, or not one of a run.
        pastes: whether it is shown as it was, and can be pasted.
    """

    name: str
    facts: Facts
    command: str | None = None
    pastes: bool = False


def board_command(entries: Sequence[Entry], base: str | None) -> str:
    """Write the command line that makes the board of these runs again."""
    runs = [f"{entry.name}={run.folder}" for entry in entries for run in entry.runs]
    of = [] if base is None else ["--base", base]
    words = ["selfcheck", "board", *runs, *of, "--html", "--output", "DIR"]
    return one_line(shlex.join(words), LONGEST_TEXT)


def model_sources(entries: Sequence[Entry]) -> list[list[Source]]:
    """Describe the runs of every model."""
    return [[_run(run) for run in entry.runs] for entry in entries]


def task_sources(entries: Sequence[Entry], tasks: Sequence[str]) -> list[Source]:
    """Describe every task: of models that may stand on one board, it is the same.

    The first model that tells of it is asked; what a model does not tell is in the board's notes.
    """
    found = []
    for name in tasks:
        told = [entry.tasks[name] for entry in entries if name in entry.tasks]
        told.sort(key=lambda task: task.data.get("fingerprint") is None)
        found.append(Source(one_line(name), _task(told[0])))
    return found


def _run(run: StoredRun) -> Source:
    failed = {f"{name} failed": task.failed for name, task in run.tasks.items()}
    facts = _facts({"run": run.id, **dict(record_facts(run.record)), **failed})
    return Source(one_line(run.name), facts, *_command(run.record))


def _task(task: TaskRun) -> Facts:
    told = {
        "version": task.version,
        "source": task.source,
        **{f"data: {name}": value for name, value in task.data.items()},
        "simulated by": task.simulated_by,
        "variant": task.variant,
        **{f"condition: {name}": value for name, value in task.conditions.items()},
    }
    return _facts(told)


def _facts(told: Mapping[str, Any]) -> Facts:
    return [
        (one_line(name), one_line(_text(value), LONGEST))
        for name, value in told.items()
        if value not in (None, "", [], {})
    ]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(msgspec.to_builtins(value, enc_hook=str), ensure_ascii=False, sort_keys=True)


def _command(record: Record) -> tuple[str | None, bool]:
    """Show a run's command line, and say whether that is it to the letter."""
    command = command_line(record)
    told = None if command is None else one_line(command, LONGEST_TEXT)
    return told, told is not None and told == command
