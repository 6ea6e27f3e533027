"""A task that fails does not take the others with it, and is not forgotten either.

lm-eval has no notion of a failed task. A failed one reports NaN for all metrics; whoever runs the
evaluation collects the failures, and if that is lm-eval's own command, its exit status becomes 1.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.errors import printable

log = logging.getLogger(__name__)
_collectors: list[dict[str, str]] = []


def report(task: str, message: str) -> None:
    """Note that a task failed, once; the message names the document and what went wrong."""
    message = printable(message)
    target = _collectors[-1] if _collectors else _uncollected
    if task in target:
        return
    target[task] = message
    log.error("Task %s failed: %s", task, message)
    if target is _uncollected and _is_lm_eval_command():
        atexit.register(_exit_with_failure)


def report_all(
    names: Sequence[str],
    mine: Mapping[str, tuple[int, str]],
    gather: Callable[[Sequence[int]], list[int]],
) -> set[str]:
    """Report the failures of all ranks, and give the names of the tasks.

    Args:
        names: the tasks that run, in the order that all ranks have.
        mine: task -> the number of the document that failed on this rank, and the message.
        gather: gives the numbers of all ranks, one rank after another.
    """
    numbers = gather([mine[name][0] + 1 if name in mine else 0 for name in names])
    failed = set()
    for place, name in enumerate(names):
        told = [number - 1 for number in numbers[place :: len(names)] if number]
        if told:
            elsewhere = f"document {told[0]}, on another rank, whose log says why"
            report(name, mine[name][1] if name in mine else elsewhere)
            failed.add(name)
    return failed


@contextmanager
def collected() -> Iterator[dict[str, str]]:
    """Collect failures (task -> message) instead of leaving them to the exit status."""
    failures: dict[str, str] = {}
    _collectors.append(failures)
    try:
        yield failures
    finally:
        _collectors.pop()


_uncollected: dict[str, str] = {}


def _is_lm_eval_command() -> bool:
    program = Path(sys.argv[0])
    return program.stem in {"lm_eval", "lm-eval"} or program.parts[-2:] == (
        "lm_eval",
        "__main__.py",
    )


def _exit_with_failure() -> None:
    """End the process with status 1 after all other exit handlers have run.

    An exit handler cannot change the status by returning or raising; results are written by now.
    """
    atexit.unregister(_exit_with_failure)
    atexit._run_exitfuncs()
    for task, message in _uncollected.items():
        print(f"selfcheck: task {task} failed: {message}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
