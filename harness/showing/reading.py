"""Samples of a run, read for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from harness.errors import ConfigError, RecordError, unknown
from harness.evidence import MASKS, Account, Summary, read_account, read_summary
from harness.run_files import StoredRun
from harness.runs import TaskRun

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
    if not run.has_samples(task):
        raise RecordError(
            f"{run.folder}: {task} was recorded without its documents: there are only its metrics"
        )
    try:
        yield from run.samples(task, chosen)
    except (ValueError, RecursionError) as err:
        raise RecordError(
            f"{run.folder}: the samples of {task} are damaged ({err}); copy the run again, or run "
            "it again"
        ) from err


def summaries(run: StoredRun, task: str) -> Iterator[Summary]:
    """Read what a list of a task's documents shows."""
    return map(read_summary, read_samples(run, task))


def masks_of(task: TaskRun) -> tuple[str, ...]:
    """Give what stands for a masked word in a task."""
    own = task.variant.get("mask")
    return MASKS if own is None else (own, *MASKS)


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
        for head in summaries(run, name):
            where[head.doc_hash][name] = None
    digest = _the_one(start.strip().lower(), where)
    if len(where[digest]) > 1:
        raise ConfigError(
            f"--document {digest[:SHORT]}: several tasks have it; give --task, one of: "
            f"{', '.join(where[digest])}"
        )
    (name,) = where[digest]
    sample = next(read_samples(run, name, {digest}))
    return name, read_account(sample, masks_of(run.tasks[name]))


def _the_one(start: str, where: Collection[str]) -> str:
    found = [digest for digest in where if digest.startswith(start)]
    if start in where or len(found) == 1:
        return start if start in where else found[0]
    if found:
        raise ConfigError(
            f"--document {start!r}: {len(found)} documents start so: {_some(found)}; "
            "give more of the hash"
        )
    known = [digest[: max(SHORT, len(start))] for digest in where]
    near = get_close_matches(start, known, n=LISTED + 1, cutoff=0)
    raise ConfigError(
        f"--document {start!r}: none of the {len(where)} documents has a hash that starts so; "
        f"there are: {_some(near)}"
    )


def _some(hashes: Sequence[str]) -> str:
    told = ", ".join(one[:SHORT] for one in hashes[:LISTED])
    return f"{told}, ..." if len(hashes) > LISTED else told
