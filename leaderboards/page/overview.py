"""The table of models by tasks, as the template lays it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from leaderboards.board import Line
from leaderboards.page.bundle import Bundle
from leaderboards.page.content import Content, Task
from leaderboards.page.meanings import CONTROLS, Check, meaning_of
from leaderboards.page.payload import CHANGES
from leaderboards.page.texts import one_line
from leaderboards.ranking import Place

MINUS = "−"


@dataclass(frozen=True)
class Column:
    """A task, and the metric of it that the table shows.

    Attributes:
        number: the task's.
        rule: what its metric means, over which documents, by chance, and its control.
        ranked: whether models are ranked by it.
    """

    number: int
    task: str
    check: Check
    metric: str
    rule: str
    ranked: bool


@dataclass(frozen=True)
class Cell:
    """What a model has of a task.

    Attributes:
        fault: why there is no value; all else is empty then.
        value, interval, n, delta: as they are shown.
        sorts_by: the value whole.
        change: "better", ... where the paired test against the base supports it; "" elsewhere.
        unpaired: whether the delta is from two intervals alone.
        sampled: whether the page has samples of it.
    """

    column: Column
    fault: str = ""
    value: str = ""
    interval: str = ""
    n: str = ""
    delta: str = ""
    sorts_by: str = ""
    change: str = ""
    unpaired: bool = False
    sampled: bool = False


@dataclass(frozen=True)
class Row:
    """A model: its number on the page, its place, its mean, and a cell for every column."""

    number: int
    name: str
    place: Place
    cells: Sequence[Cell]
    is_base: bool


def columns(content: Content) -> list[Column]:
    """Give the tasks in the order of the page; variants of others, which are many, are left out."""
    return [
        Column(
            number,
            one_line(task.name),
            task.check,
            one_line(task.metric),
            _rule(content, task, task.metric),
            task.ranked,
        )
        for number, task in enumerate(content.tasks)
        if task.metric is not None and not task.is_variant
    ]


def groups(told: Sequence[Column]) -> list[tuple[Check, int]]:
    """Give the checks of the columns with how many of them each has."""
    return [(check, len(list(of))) for check, of in groupby(told, lambda column: column.check)]


def rows(content: Content, told: Sequence[Column], bundle: Bundle) -> list[Row]:
    """Lay out every model, in the order of the board."""
    lines: dict[tuple[str, str], dict[str | None, Line]] = {}
    for line in content.board.lines:
        lines.setdefault((line.model, line.task), {})[line.metric] = line
    found = []
    for number, place in enumerate(content.board.places):
        cells = []
        for column in told:
            task = content.tasks[column.number]
            has_samples = number in bundle.sampled.get(column.number, ())
            cells.append(_cell(column, task, lines.get((place.model, task.name), {}), has_samples))
        found.append(Row(number, content.names[number], place, cells, number == content.base))
    return found


def number(value: float | None) -> str:
    """Write a number; empty if there is none."""
    return "" if value is None else f"{value:.3f}".replace("-", MINUS)


def interval(low: float | None, high: float | None) -> str:
    """Write an interval; empty if there is none."""
    if low is None or high is None:
        return ""
    return f"[{low:.3f}, {high:.3f}]".replace("-", MINUS)


def _cell(column: Column, task: Task, lines: Mapping[str | None, Line], sampled: bool) -> Cell:
    line = lines.get(task.metric)
    if line is None or line.value is None:
        return Cell(column, fault=_fault(column, lines, line), sampled=sampled)
    change = CHANGES[line.change]
    return Cell(
        column,
        value=number(line.value),
        interval=interval(line.low, line.high),
        n=str(line.n),
        delta="" if line.delta is None else f"{line.delta:+.3f}".replace("-", MINUS),
        sorts_by=repr(line.value),
        change="" if change in (None, "none") else str(change),
        unpaired=line.paired is False,
        sampled=sampled,
    )


def _fault(column: Column, lines: Mapping[str | None, Line], line: Line | None) -> str:
    if line is not None:
        return "no document applies"
    if any(told.failed is not None for told in lines.values()):
        return "failed"
    return f"no {column.metric}" if lines else "not run"


def _rule(content: Content, task: Task, metric: str) -> str:
    meaning, chance = meaning_of(task.check, metric), task.chance(metric)
    why = content.board.unranked.get(task.name)
    parts = [
        f"{one_line(metric)}: {meaning.says}.",
        f"Over: {meaning.over}.",
        f"Chance: {'no fixed number' if chance is None else f'{chance:g}'}.",
        f"Control: {CONTROLS.get(task.check, 'unknown')}.",
        "Lower is better." if task.rises(metric) is False else "",
        f"Not ranked: {one_line(why)}." if why else "",
    ]
    return " ".join(part for part in parts if part)
