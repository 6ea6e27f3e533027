"""Samples of a run, read for people."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from harness.errors import ConfigError, RecordError, unknown
from harness.evidence import Account, Summary, masks_of, read_account, read_summary
from harness.run_files import StoredRun
from harness.showing.texts import counted

SHORT = 12
LISTED = 5


def check_task(run: StoredRun, task: str) -> None:
    """Refuse a task that the run does not have.

    Raises:
        ConfigError: names the nearest.
    """
    if task not in run.tasks:
        raise ConfigError(unknown("task", task, run.tasks))


def read_samples(
    run: StoredRun, task: str, chosen: Collection[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Read a task's samples.

    Args:
        chosen: hashes of documents; None: all.

    Raises:
        RecordError: the run holds none of them, or they are damaged.
    """
    _check_kept(run, task)
    try:
        for sample in run.samples(task, chosen):
            if not isinstance(sample, dict):
                raise ValueError(f"a sample must be a mapping, got {json.dumps(sample)[:80]}")
            yield sample
    except (ValueError, RecursionError) as err:
        raise RecordError(
            f"{run.folder / f'samples_{task}.jsonl'}: the samples of {task} are damaged ({err}); "
            "copy the run again, or run it again"
        ) from err


def _check_kept(run: StoredRun, task: str) -> None:
    if not run.has_samples(task):
        raise RecordError(
            f"{run.folder}: {task} was recorded without its documents: there are only its metrics"
        )


def summaries(run: StoredRun, task: str) -> Iterator[Summary]:
    """Read what a list of a task's documents shows."""
    return map(read_summary, read_samples(run, task))


def find_document(run: StoredRun, start: str, task: str | None) -> tuple[str, Account]:
    """Find the one document whose hash starts so, and its task.

    Args:
        task: where to look; None: in all tasks.

    Raises:
        ConfigError: there is none, or more than one; names some.
        RecordError: the run has no samples, or they are damaged.
    """
    if task is not None:
        check_task(run, task)
    names = [task] if task else [name for name in run.tasks if run.has_samples(name)]
    if not names:
        raise RecordError(f"{run.folder}: the run was recorded without its documents")
    where: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for name in names:
        for digest in _hashes(run, name):
            where[digest][name] = None
    digest = _the_one(start.strip().lower(), where)
    if len(where[digest]) > 1:
        raise ConfigError(
            f"--document {digest[:SHORT]}: several tasks have it; give --task, one of: "
            f"{', '.join(where[digest])}"
        )
    (name,) = where[digest]
    sample = next(read_samples(run, name, {digest}))
    return name, read_account(sample, masks_of(run.tasks[name]))


def _hashes(run: StoredRun, task: str) -> list[str]:
    """Read which documents a task has, without what was asked and answered."""
    _check_kept(run, task)
    return run.scores(task).hashes


def _the_one(start: str, where: Collection[str]) -> str:
    found = [digest for digest in where if digest.startswith(start)]
    if start in where or len(found) == 1:
        return start if start in where else found[0]
    if found:
        raise ConfigError(
            f"--document {start!r}: {len(found)} documents start so: {_some(found)}; "
            "give more of the hash"
        )
    raise ConfigError(
        f"--document {start!r}: of {counted(len(where), 'document')} none has a hash that starts "
        "so; selfcheck show RUN --task TASK lists them"
    )


def _some(hashes: Sequence[str]) -> str:
    told = ", ".join(one[:SHORT] for one in hashes[:LISTED])
    return f"{told}, ..." if len(hashes) > LISTED else told
