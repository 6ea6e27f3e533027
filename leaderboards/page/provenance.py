"""Where a board's numbers are from: what was run, with what, on which data."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import msgspec

from harness.run_files import StoredRun
from harness.runs import TaskRun
from leaderboards.entries import Entry
from leaderboards.page.texts import one_line

LONGEST = 2000
Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class Source:
    """A model or a task and what is known of it.

    Attributes:
        facts: name and text; what is unknown is left out.
        command: the command line that makes it again; None: unknown, or not one of a run.
    """

    name: str
    facts: Facts
    command: str | None = None


def model_sources(entries: Sequence[Entry]) -> list[tuple[str, list[Source]]]:
    """Describe the runs of every model."""
    return [(one_line(entry.name), [_run(run) for run in entry.runs]) for entry in entries]


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
    record, model = run.record, run.record.model
    settings = {
        name: value
        for name, value in msgspec.to_builtins(record.settings, enc_hook=str).items()
        if value not in (None, [], {})
    }
    packages = {name: told for name, told in record.environment.packages.items() if told}
    told: dict[str, Any] = {
        "run": run.id,
        "began": record.created,
        "took": f"{record.seconds:g} s",
        "backend": model.backend,
        "model arguments": model.args,
        "fingerprint of the model": model.fingerprint,
        "device": model.device,
        "dtype": model.dtype,
        "batch size": model.batch_size,
        "settings": settings,
        "made from lm-eval's results": record.imported,
        "selfcheck": record.selfcheck,
        "packages": packages,
        "Python": record.environment.python,
        "platform": record.environment.platform,
        **{f"{name} failed": task.failed for name, task in run.tasks.items() if task.failed},
    }
    return Source(one_line(run.name), _facts(told), _command(record.environment.command))


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


def _command(words: Sequence[str] | None) -> str | None:
    """Write a command line; the program by its name, wherever it was installed."""
    if not words:
        return None
    return one_line(shlex.join([PurePath(words[0]).name, *words[1:]]), LONGEST)
