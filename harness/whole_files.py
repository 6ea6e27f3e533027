"""Files that are written complete, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec


def partial_of(file: Path) -> Path:
    """Give the name under which a file is written before it is complete."""
    return file.with_name(f".{file.name}.{os.getpid()}")


def write_text(file: Path, text: str) -> None:
    """Write a file; what was there stays until the new one is on the disk.

    Raises:
        OSError: it cannot be written.
    """
    write_parts(file, [text])


def write_json_lines(file: Path, rows: Iterable[object]) -> None:
    """Write a line of JSON for each row (a msgspec Struct, or what is made of JSON's types).

    Raises:
        OSError: it cannot be written.
    """
    # json, not msgspec: model text may have halves of surrogate pairs
    write_parts(file, (f"{json.dumps(msgspec.to_builtins(row))}\n" for row in rows))


def write_parts(file: Path, parts: Iterable[str]) -> None:
    """Write a file that is made part by part.

    Raises:
        OSError: it cannot be written.
    """
    partial = partial_of(file)
    try:
        with partial.open("w", encoding="utf-8") as out:
            out.writelines(parts)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
