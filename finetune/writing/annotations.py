"""Feedback by people on answers of a model: files of JSON lines, one annotation a line.

Files that people have had in their hands: whatever is wrong in one is told at once, each fault with
its line.
"""

from __future__ import annotations

import json
import tempfile
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from harness.errors import ConfigError, DataError, printable
from harness.parsing import UNANSWERABLE
from harness.strict_json import read_plain
from harness.whole_files import write_parts

RESERVED = ("templated", "ai", "human")
"""What no person is called: the names of other annotators."""
LONGEST = 1 << 20
"""Bytes of a line, at most."""
BOM = b"\xef\xbb\xbf"
MOST_FAULTS = 50
"""How many are told of one file."""


class OpenAnnotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer of the model, before a person has judged it.

    Attributes:
        id: hash of the document.
        context: the passage.
        model_answer: what the model answers to the question.
        is_right, why, right_answer: to be filled in.
        annotator: to be filled in, or there already.
    """

    id: str
    context: str
    question: str
    model_answer: str
    is_right: None = None
    why: None = None
    right_answer: None = None
    annotator: str | None = None


class Annotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer of the model, and what a person says of it.

    Attributes: as `OpenAnnotation`, and:
        is_right: whether the model's answer is.
        why: the reason, never empty.
        right_answer: what would be right; "unanswerable" if the passage does not say, never empty.
        annotator: the person's name, or an alias; none of `RESERVED`.
    """

    id: str
    context: str
    question: str
    model_answer: str
    is_right: bool
    why: str
    right_answer: str
    annotator: str


Row = OpenAnnotation | Annotation
R = TypeVar("R", OpenAnnotation, Annotation)
KEYS = Annotation.__struct_fields__
GIVEN = ("id", "context", "question", "model_answer")
"""The keys that are exported with their values, and must stay as they are."""
ASKED = ("is_right", "why", "right_answer")
"""The keys of what is asked of people; all null: the row is open."""


class Sheet(NamedTuple):
    """A file of rows, some of which may still be open.

    Attributes:
        file: its name, for messages.
        rows: by the number of their line, from 1.
    """

    file: str
    rows: Mapping[int, Row]


def read_annotations(file: Path) -> dict[str, Annotation]:
    """Read a finished file: every row annotated, one of a document.

    Returns:
        Hash of a document -> its annotation, in the order of the file.

    Raises:
        DataError: the file cannot be read, or is no such file; a line for each fault.
    """
    return _read_one_each(file, Annotation, "is not annotated yet: is_right is null")


def read_open(file: Path) -> dict[str, OpenAnnotation]:
    """Read a file as it was exported: no row annotated, one of a document.

    Returns:
        Hash of a document -> its row, in the order of the file.

    Raises:
        DataError: as `read_annotations`.
    """
    return _read_one_each(file, OpenAnnotation, "is annotated already: this is not as exported")


def read_sheet(file: Path) -> Sheet:
    """Read a file that a person works on: rows may be open, and may be of one document.

    Raises:
        DataError: as `read_annotations`.
    """
    rows, faults = _read(file)
    _complain(file, faults)
    return Sheet(str(file), rows)


def write_open(file: Path, rows: Sequence[OpenAnnotation]) -> None:
    """Write rows for people to fill in: all of them to a new file, or no file at all.

    Raises:
        ConfigError: the file is there already, or cannot be written.
        DataError: a row is too long to be read again.
        ValueError: there are no rows, or two of one document.
    """
    _write(file, rows)


def write_annotations(file: Path, rows: Sequence[Annotation]) -> None:
    """Write annotations; as `write_open`."""
    _write(file, rows)


def check_new(file: Path) -> None:
    """Refuse a file that is there: it may hold people's work.

    Raises:
        ConfigError: so it is, or it cannot be written.
    """
    try:
        if file.exists() or file.is_symlink():
            raise ConfigError(
                f"--output {file}: is there already, and may hold people's work: it is never "
                "overwritten. Name a new file"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=file.parent).close()
    except OSError as err:
        raise ConfigError(f"--output {file}: cannot be written: {err.strerror or err}") from err


def _write(file: Path, rows: Sequence[Row]) -> None:
    if not rows or len({row.id for row in rows}) < len(rows):
        raise ValueError(f"{len(rows)} rows of {len({row.id for row in rows})} documents")
    lines = [_line(row) for row in rows]
    for row, line in zip(rows, lines, strict=True):
        if len(line.encode()) > LONGEST:
            raise DataError(
                f"document {row.id[:12]}: has over {LONGEST} bytes, too much to annotate; leave it "
                "out of the data"
            )
    check_new(file)
    try:
        write_parts(file, [f"{line}\n" for line in lines])
    except OSError as err:
        raise ConfigError(f"--output {file}: cannot be written: {err.strerror or err}") from err


def _line(row: Row) -> str:
    """Write a row as people can read it: letters as they are, what cannot be shown as escapes."""
    told = json.dumps(msgspec.to_builtins(row), ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in told)


def _read_one_each(file: Path, kind: type[R], otherwise: str) -> dict[str, R]:
    rows, faults = _read(file)
    told: dict[str, R] = {}
    lines: dict[str, int] = {}
    for number, row in rows.items():
        name = f"document {row.id[:12]}"
        if not isinstance(row, kind):
            faults.append((number, f"{name} {otherwise}"))
        elif row.id in told:
            faults.append((number, f"{name} is there twice, first in line {lines[row.id]}"))
        else:
            told[row.id], lines[row.id] = row, number
    _complain(file, faults)
    return told


Faults = list[tuple[int, str]]
"""Number of a line, from 1, and what is wrong with it."""


def _read(file: Path) -> tuple[dict[int, Row], Faults]:
    rows: dict[int, Row] = {}
    faults: Faults = []
    try:
        for number, line in enumerate(_lines(file), 1):
            row, found = _read_line(line and line.removeprefix(BOM))
            if line and line.startswith(BOM):
                found = ["starts with a byte order mark: save the file without it", *found]
            faults += [(number, fault) for fault in found]
            if row is not None:
                rows[number] = row
    except OSError as err:
        raise DataError(f"{file}: annotations cannot be read: {err.strerror or err}") from err
    if not rows and not faults:
        raise DataError(f"{file}: is empty; a line for each annotation is wanted")
    return rows, faults


def _lines(file: Path) -> Iterator[bytes | None]:
    """Give the lines; None for one that is too long, which is not read."""
    with file.open("rb") as stream:
        while line := stream.readline(LONGEST + 1):
            if len(line) <= LONGEST or line.endswith(b"\n"):
                yield line.removesuffix(b"\n")
                continue
            while line and not line.endswith(b"\n"):
                line = stream.readline(LONGEST)
            yield None


def _read_line(line: bytes | None) -> tuple[Row | None, list[str]]:
    """Give the row, or what is wrong."""
    if line is None:
        return None, [f"is longer than {LONGEST} bytes: is it of this file?"]
    if not line.strip():
        return None, ["is blank: remove it"]
    try:
        told = read_plain(line)
    except ValueError as err:
        return None, [f"is no JSON: {err}"]
    if not isinstance(told, dict):
        return None, [f"is {_show(told)}, and is to be a mapping with the keys {', '.join(KEYS)}"]
    is_open = all(told.get(key) is None for key in ASKED)
    faults = [*_key_faults(told), *_type_faults(told, is_open)]
    if faults:
        return None, faults
    if is_open:
        return OpenAnnotation(**told), []
    row = Annotation(**told)
    faults = list(_content_faults(row))
    return (None if faults else row), faults


def _key_faults(told: Mapping[str, Any]) -> Iterator[str]:
    if more := sorted(set(told) - set(KEYS)):
        yield f"unknown keys: {_names(more)}; allowed: {', '.join(KEYS)}"
    if lacking := [key for key in KEYS if key not in told]:
        yield f"keys that are missing: {_names(lacking)}"


def _names(names: Collection[str]) -> str:
    """List names that anybody may have written, the first of them at least."""
    shown = ", ".join(repr(name[:40]) for name in list(names)[:10])
    return f"{shown}, ..." if len(names) > 10 else shown


def _type_faults(told: Mapping[str, Any], is_open: bool) -> Iterator[str]:
    empty = {*ASKED, "annotator"} if is_open else set()
    for key in KEYS:
        value = told.get(key, "")
        wanted, words = (bool, "true or false") if key == "is_right" else (str, "text")
        if key not in told or (value is None and key in empty) or type(value) is wanted:
            continue
        hint = ": fill it in" if value is None else ""
        yield f"{key} is to be {words}, and is {_show(value)}{hint}"


def _show(value: object) -> str:
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "a number"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a mapping"
    return json.dumps(value)


def _content_faults(row: Annotation) -> Iterator[str]:
    if not row.id.strip():
        yield "id is empty: it is the exported hash of the document"
    if not row.model_answer.strip():
        yield "model_answer is empty: it is the exported answer that is judged"
    if not row.why.strip():
        yield "why is empty: say why the answer is right or wrong"
    if not row.right_answer.strip():
        yield (
            f'right_answer is empty: write what would be right, or "{UNANSWERABLE}" if the '
            "passage does not say"
        )
    elif not row.is_right and _folded(row.right_answer) == _folded(row.model_answer):
        yield "is_right is false, but right_answer is the model's answer: one of them is wrong"
    yield from _name_faults(row.annotator)
    for key, allowed in (("why", "\n\t"), ("right_answer", ""), ("annotator", "")):
        if bad := _unfit(getattr(row, key), allowed):
            yield f"{key} has characters that are no text: {', '.join(map(ascii, bad))}"


def _name_faults(name: str) -> Iterator[str]:
    if not name.strip():
        yield "annotator is empty: write your name, or an alias"
    elif name != name.strip():
        yield f"annotator begins or ends with a blank: {name[:40]!r}"
    elif name.casefold() in RESERVED:
        yield f"annotator is {name!r}, which is the name of no person: write your name, or an alias"


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _unfit(text: str, allowed: str) -> list[str]:
    """Give the first control characters and halves of surrogate pairs."""
    bad = {c for c in text if c not in allowed and unicodedata.category(c) in ("Cc", "Cs")}
    return sorted(bad)[:5]


def _complain(file: Path, faults: Iterable[tuple[int, str]]) -> None:
    lines = [f"{file}, line {number}: {fault}" for number, fault in sorted(faults)]
    if len(lines) > MOST_FAULTS:
        lines[MOST_FAULTS:] = [f"{file}: and {len(lines) - MOST_FAULTS} more faults"]
    if lines:
        raise DataError("\n".join(printable(line.replace("\n", " ")) for line in lines))
