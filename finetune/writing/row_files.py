"""Training rows on disk: JSON lines, the first of which says where the rows are from.

Rows are used again only if nothing that they depend on has changed: `key` stands for all of it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from finetune.formats import Completion, Lesson, Preference, Row
from harness.errors import DataError, TrainingError, printable
from harness.strict_json import read_json
from harness.whole_files import write_json_lines

log = logging.getLogger(__name__)

T = TypeVar("T")
FORMAT = "selfcheck training rows 1"
Kind = Literal["completion", "preference", "lesson"]
KINDS: Mapping[Kind, type[Row]] = {
    "completion": Completion,
    "preference": Preference,
    "lesson": Lesson,
}


class Header(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line.

    Attributes:
        created: when.
        method: of training.
        name: of the rows within the training.
        kind, rows: what rows follow, and how many; `write_rows` fills them in.
        data: the documents that they were made from (`Split.describe`).
        teacher: who wrote them, for people.
        teacher_identity: `Teacher.identity`.
        prompts: digest of the prompts.
        documents: how many the teacher was asked about.
        dropped: what could not be used: reason -> how many.
        leaked: hashes of documents that were left out because evaluated data has them.
        leaked_questions: that the teacher wrote, left out for the same reason.
        facts: what else is told of the rows: name -> number.
        key: digest of everything that the rows depend on.
    """

    format: str = FORMAT
    created: str = msgspec.field(
        default_factory=lambda: datetime.now(tz=UTC).isoformat(timespec="seconds")
    )
    method: str
    name: str
    kind: Kind = "completion"
    rows: int = 0
    data: dict[str, Any]
    teacher: str
    teacher_identity: str
    prompts: str
    documents: int
    dropped: dict[str, int]
    leaked: list[str]
    leaked_questions: list[str] = []
    facts: dict[str, float] = {}
    key: str


class _Head(Struct):
    format: str


def write_rows(file: Path, header: Header, rows: Sequence[Row]) -> Header:
    """Write rows: all of them, or no file at all.

    Returns:
        The header as it was written.

    Raises:
        ValueError: there are no rows, or rows of several kinds.
        TrainingError: the file cannot be written; one that was there stays as it was.
    """
    kinds = [kind for kind, of in KINDS.items() if any(isinstance(row, of) for row in rows)]
    if len(kinds) != 1:
        raise ValueError(f"rows of one kind make a file, not {kinds or 'none'}")
    told = msgspec.structs.replace(header, kind=kinds[0], rows=len(rows))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json_lines(file, [told, *rows])
    except OSError as err:
        raise TrainingError(
            f"{file}: training rows cannot be written: {err.strerror or err}. Make room or take "
            "another folder, and run the same again: what the teacher answered is kept"
        ) from err
    return told


def read_rows(file: Path, key: str) -> tuple[Header, list[Row]] | None:
    """Read rows that were made of the very same things.

    Returns:
        None if there is no such file, or it was made of other things: the rows are to be made.

    Raises:
        DataError: the file is damaged; names the line.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        log.info("%s: not there yet, training rows are made", file)
        return None
    except OSError as err:
        raise DataError(f"{file}: cannot be read: {err.strerror}") from err
    first, *lines = content.removesuffix(b"\n").split(b"\n")
    found = _decode(file, 1, first, _Head).format
    if found != FORMAT:
        log.info(
            "%s: is of the format %r, not %r: training rows are made again", file, found, FORMAT
        )
        return None
    header = _decode(file, 1, first, Header)
    if header.key != key:
        log.info(
            "%s: was made of other data, prompts, settings or by another teacher (%s): "
            "training rows are made again", file, printable(header.teacher),
        )  # fmt: skip
        return None
    rows = [_decode(file, number, line, KINDS[header.kind]) for number, line in enumerate(lines, 2)]
    if len(rows) != header.rows:
        raise _damaged(file, len(lines) + 1, f"ends after {len(rows)} of {header.rows} rows")
    return header, rows


def _decode(file: Path, number: int, line: bytes, kind: type[T]) -> T:
    try:
        return read_json(line, kind)
    except ValueError as err:
        raise _damaged(file, number, str(err)) from err


def _damaged(file: Path, number: int, fault: str) -> DataError:
    return DataError(
        f"{file}, line {number}: is no file of training rows: {fault}; remove it to make it again"
    )
