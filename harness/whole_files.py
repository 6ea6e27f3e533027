"""Files that are written complete, or not at all, and by one process at a time."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import msgspec
import psutil
from filelock import FileLock, Timeout

from harness.errors import ConfigError


def partial_of(file: Path) -> Path:
    """Give the name under which a file is written before it is complete."""
    return file.with_name(f".{file.name}.{os.getpid()}")


def is_partial(name: str, of: str) -> bool:
    """Say whether a name is that of a file that a killed process left half-written.

    >>> is_partial(".run.json.4711", "run.json"), is_partial("run.json", "run.json")
    (True, False)
    """
    return re.fullmatch(rf"\.{re.escape(of)}\.\d+", name) is not None


def write_text(file: Path, text: str) -> None:
    """Write a file; what was there stays until the new one is on the disk.

    Raises:
        OSError: it cannot be written; names the file.
    """
    write_parts(file, [text])


def write_json_lines(file: Path, rows: Iterable[object]) -> None:
    """Write a line of JSON for each row (a msgspec Struct, or what is made of JSON's types).

    Raises:
        OSError: it cannot be written; names the file.
    """
    # json, not msgspec: model text may have halves of surrogate pairs
    write_parts(file, (f"{json.dumps(msgspec.to_builtins(row))}\n" for row in rows))


def write_parts(file: Path, parts: Iterable[str]) -> None:
    """Write a file that is made part by part; what killed processes left of it is removed.

    Raises:
        OSError: it cannot be written; names the file.
    """
    partial = partial_of(file)
    try:
        _remove_partials(file)
        with partial.open("w", encoding="utf-8") as out:
            out.writelines(parts)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)
    except OSError as err:
        err.filename = str(file)  # a full disk names none
        raise
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _remove_partials(file: Path) -> None:
    for path in file.parent.iterdir():
        if is_partial(path.name, file.name) and not psutil.pid_exists(int(path.suffix[1:])):
            path.unlink(missing_ok=True)


@contextmanager
def claimed(place: Path, lock: Path, patience: float = 0) -> Iterator[None]:
    """Have a place that is to be written for this process alone, which may claim it twice.

    The kernel frees it when the process ends, however it ends.

    Args:
        place: for the message.
        lock: a file that is there meanwhile; a killed process leaves it, to no effect.
        patience: seconds to wait for another process.

    Raises:
        ConfigError: another process has it, or the lock cannot be written.
    """
    held = FileLock(lock, is_singleton=True, thread_local=False)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire(timeout=patience)
    except Timeout as err:
        raise ConfigError(
            f"--output {place}: another selfcheck is writing it; wait for its end, or give another"
        ) from err
    except OSError as err:
        raise ConfigError(f"--output {place}: cannot be written: {err.strerror}") from err
    try:
        yield
    finally:
        if held.lock_counter == 1:  # the lock is still held: nobody takes the file meanwhile
            with suppress(OSError):
                lock.unlink(missing_ok=True)
        held.release()


def claimed_file(file: Path) -> AbstractContextManager[None]:
    """Have a file that is yet to be made for this process alone (as `claimed`)."""
    return claimed(file, file.with_name(f".{file.name}.lock"))


def is_claimed(lock: Path) -> bool:
    """Say whether another process has a place, by its lock."""
    held = FileLock(lock)
    if not lock.exists():
        return False
    try:
        with held.acquire(timeout=0):
            return False
    except Timeout:
        return True
