"""A board as CSV files, and those read back without loss.

Texts are guarded (`harness.spreadsheet`): plain `pandas.read_csv` reads the same numbers, but the
texts with their guards; `read_long` and `read_wide` take those off, and give every column its type.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd  # type: ignore[import-untyped]

from harness.errors import RecordError
from harness.spreadsheet import guard, unguard
from leaderboards.board import Board, Line
from leaderboards.ranking import Headline

Kind = Literal["text", "number", "count", "flag"]
LONG: dict[str, Kind] = {
    "model": "text",
    "task": "text",
    "metric": "text",
    "headline": "flag",
    "value": "number",
    "low": "number",
    "high": "number",
    "interval_method": "text",
    "n": "count",
    "chance": "number",
    "higher_is_better": "flag",
    "delta": "number",
    "delta_n": "count",
    "p": "number",
    "adjusted_p": "number",
    "test": "text",
    "run_id": "text",
    "model_fingerprint": "text",
    "task_version": "text",
    "data_fingerprint": "text",
    "failed": "text",
}
"""Columns of long.csv; the attributes of `Line` say what they hold."""
WIDE: dict[str, Kind] = {
    "rank": "count",
    "tied": "flag",
    "model": "text",
    "mean": "number",
    "low": "number",
    "high": "number",
    "tasks": "count",
    "ranked_tasks": "count",
}
"""The first columns of wide.csv; `PER_TASK` follow for every ranked task."""
PER_TASK: dict[str, Kind] = {
    "value": "number",
    "low": "number",
    "high": "number",
    "n": "count",
    "delta": "number",
    "adjusted_p": "number",
}
"""Named `task/metric/value`, guarded: no task has a slash in its name."""
DTYPES = {"text": "object", "number": "float64", "count": "Int64", "flag": "boolean"}


def long_frame(lines: Iterable[Line]) -> pd.DataFrame:
    """Lay the lines of a board out, a row each; unknown is NA, in text columns None."""
    return _frame([vars(line) for line in lines], LONG)


def wide_frame(board: Board) -> pd.DataFrame:
    """Lay a board out, a row a model: its place, then each ranked task."""
    lines = {(line.model, line.task): line for line in board.lines if line.headline}
    rows = []
    for place in board.places:
        row: dict[str, Any] = {**vars(place), "ranked_tasks": len(board.headlines)}
        for headline in board.headlines:
            line = lines.get((place.model, headline.task))
            told = vars(line) if line else {}
            row |= {name: told.get(key) for key, name in _task_columns(headline).items()}
        rows.append(row)
    return _frame(rows, _wide_kinds(board.headlines))


def write_csv(frame: pd.DataFrame, file: Path) -> None:
    """Write a frame of this module; numbers as `repr` writes them, so that none is lost."""
    cells = frame.copy()
    for name in cells.columns[frame.dtypes == DTYPES["text"]]:
        cells[name] = cells[name].map(_cell)
    cells.to_csv(file, index=False, encoding="utf-8", lineterminator="\n")


def read_long(file: Path) -> pd.DataFrame:
    """Read long.csv as `long_frame` laid it out.

    Raises:
        RecordError: it is damaged, or is no long.csv of a board.
    """
    header, rows = _read(file)
    if header != list(LONG):
        raise RecordError(f"{file}: is no long.csv of a board: other columns")
    return _typed(rows, LONG, file)


def read_wide(file: Path) -> pd.DataFrame:
    """Read wide.csv as `wide_frame` laid it out.

    Raises:
        RecordError: it is damaged, or is no wide.csv of a board.
    """
    header, rows = _read(file)
    ends = [(name, name.rpartition("/")[2]) for name in header[len(WIDE) :]]
    kinds = WIDE | {name: PER_TASK[end] for name, end in ends if end in PER_TASK}
    if header != list(kinds):
        raise RecordError(f"{file}: is no wide.csv of a board: other columns")
    return _typed(rows, kinds, file)


def _task_columns(headline: Headline) -> dict[str, str]:
    return {key: guard(f"{headline.task}/{headline.metric}/{key}") for key in PER_TASK}


def _wide_kinds(headlines: Sequence[Headline]) -> dict[str, Kind]:
    kinds = dict(WIDE)
    for headline in headlines:
        kinds |= {name: PER_TASK[key] for key, name in _task_columns(headline).items()}
    return kinds


def _frame(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, Kind]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: pd.Series([row[name] for row in rows], dtype=DTYPES[kind])
            for name, kind in kinds.items()
        }
    )


def _cell(text: str | None) -> str | None:
    """Guard a text; an empty one is an apostrophe, or it would be None when read."""
    return text and guard(text) if text != "" else "'"


def _read(file: Path) -> tuple[list[str], list[list[str]]]:
    """Read a header and rows, each as long as the header."""
    try:
        told = file.read_bytes().decode("utf-8")
        header, *rows = csv.reader(io.StringIO(told, newline=""), strict=True)
    except (OSError, ValueError, csv.Error) as err:
        raise RecordError(f"{file}: cannot be read as a table: {err}") from err
    short = [number for number, row in enumerate(rows, 2) if len(row) != len(header)]
    if short or not told.endswith("\n"):
        line = short[0] if short else len(rows) + 1
        raise RecordError(f"{file}, line {line}: is damaged; make the board again")
    return header, rows


def _typed(rows: Sequence[Sequence[str]], kinds: Mapping[str, Kind], file: Path) -> pd.DataFrame:
    readers = {name: READERS[kind] for name, kind in kinds.items()}
    read: list[dict[str, Any]] = []
    for number, row in enumerate(rows, 2):
        try:
            cells = zip(readers.items(), row, strict=True)
            read.append({name: reader(cell) for (name, reader), cell in cells})
        except (ValueError, KeyError) as err:
            fault = f"{file}, line {number}: is damaged ({err}); make the board again"
            raise RecordError(fault) from err
    return _frame(read, kinds)


def _text(cell: str) -> str | None:
    return unguard(cell) if cell else None


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def _count(cell: str) -> int | None:
    return int(cell) if cell else None


def _flag(cell: str) -> bool | None:
    return {"True": True, "False": False, "": None}[cell]


READERS: dict[Kind, Callable[[str], Any]] = {
    "text": _text,
    "number": _number,
    "count": _count,
    "flag": _flag,
}
