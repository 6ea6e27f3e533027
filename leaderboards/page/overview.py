"""The table of models by tasks, as the template lays it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from leaderboards.board import Board, Line
from leaderboards.page.meanings import CONTROLS, Check, check_of, meaning_of
from leaderboards.page.payload import CHANGES
from leaderboards.page.texts import one_line
from leaderboards.ranking import Headline, Place

MINUS = "−"


@dataclass(frozen=True)
class Column:
    """A ranked task: the column of its headline metric.

    Attributes:
        number: of the task on the page.
        rule: what its metric means, over which documents, by chance, and its control.
    """

    number: int
    task: str
    check: Check
    metric: str
    rule: str


@dataclass(frozen=True)
class Cell:
    """What a model has of a task.

    Attributes:
        value, interval, n, delta: as they are shown; value is empty if there is none.
        sorts_by: the value whole; empty if there is none.
        change: "better", ... where the paired test against the base supports it; "" elsewhere.
        fault: why there is no value.
        sampled: whether the page has samples of it.
    """

    column: Column
    value: str = ""
    interval: str = ""
    n: str = ""
    delta: str = ""
    sorts_by: str = ""
    change: str = ""
    fault: str = "not run"
    sampled: bool = False


@dataclass(frozen=True)
class Row:
    """A model: its number on the page, its place, its mean, and a cell for every column."""

    number: int
    name: str
    place: Place
    cells: Sequence[Cell]
    is_base: bool


def columns(board: Board, tasks: Sequence[str]) -> list[Column]:
    """Give the ranked tasks in the order of the page."""
    told = {headline.task: headline for headline in board.headlines}
    return [
        Column(
            number, one_line(name), check_of(name), one_line(told[name].metric), _rule(told[name])
        )
        for number, name in enumerate(tasks)
        if name in told
    ]


def _column(number: int, headline: Headline) -> Column:
    task, metric = one_line(headline.task), one_line(headline.metric)
    return Column(number, task, check_of(headline.task), metric, _rule(headline))


def groups(told: Sequence[Column]) -> list[tuple[Check, int]]:
    """Give the checks of the columns with how many of them each has."""
    return [(check, len(list(of))) for check, of in groupby(told, lambda column: column.check)]


def rows(
    board: Board, tasks: Sequence[str], told: Sequence[Column], sampled: Mapping[int, set[int]]
) -> list[Row]:
    """Lay out every model, in the order of the board.

    Args:
        sampled: number of a task -> numbers of the models whose samples the page has.
    """
    lines = {(line.model, line.task): line for line in board.lines if line.headline}
    failed = {(line.model, line.task) for line in board.lines if line.failed is not None}
    found = []
    for number, place in enumerate(board.places):
        cells = []
        for column in told:
            key = place.model, tasks[column.number]
            has_samples = number in sampled.get(column.number, ())
            cells.append(_cell(column, lines.get(key), key in failed, has_samples))
        is_base = place.model == board.base
        found.append(Row(number, one_line(place.model), place, cells, is_base))
    return found


def number(value: float | None) -> str:
    """Write a number; empty if there is none."""
    return "" if value is None else f"{value:.3f}".replace("-", MINUS)


def interval(low: float | None, high: float | None) -> str:
    """Write an interval; empty if there is none."""
    if low is None or high is None:
        return ""
    return f"[{low:.3f}, {high:.3f}]".replace("-", MINUS)


def _cell(column: Column, line: Line | None, failed: bool, sampled: bool) -> Cell:
    if line is None or line.value is None:
        fault = "failed" if failed else "not run" if line is None else "no document applies"
        return Cell(column, fault=fault, sampled=sampled)
    change = CHANGES[line.change]
    return Cell(
        column,
        value=number(line.value),
        interval=interval(line.low, line.high),
        n=str(line.n),
        delta="" if line.delta is None else f"{line.delta:+.3f}".replace("-", MINUS),
        sorts_by=repr(line.value),
        change="" if change in (None, "none") else str(change),
        fault="",
        sampled=sampled,
    )


def _rule(headline: Headline) -> str:
    check = check_of(headline.task)
    meaning = meaning_of(check, headline.metric)
    chance = "no fixed number" if headline.chance is None else f"{headline.chance:g}"
    better = "" if headline.rises else " Lower is better."
    control = CONTROLS.get(check, "unknown")
    return (
        f"{one_line(headline.metric)}: {meaning.says}. Over: {meaning.over}. "
        f"Chance: {chance}. Control: {control}.{better}"
    )
