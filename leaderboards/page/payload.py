"""A board as the page's scripts read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.compare import Change
from leaderboards.board import Board, Line
from leaderboards.entries import Entry
from leaderboards.page.meanings import CHECKS, check_of, meaning_of
from leaderboards.page.series import find_series
from leaderboards.page.texts import one_line

COLUMNS = (
    "value", "low", "high", "n", "delta", "delta_n", "adjusted_p",
)  # fmt: skip
"""Attributes of a line that are numbers of the page as they are."""
CHANGES: Mapping[Change, str | None] = {
    "better": "better",
    "worse": "worse",
    "higher": "higher",
    "lower": "lower",
    "no difference shown": "none",
    "cannot be told": None,
}


def order_tasks(board: Board) -> list[str]:
    """Give the tasks of a board as the page shows them: by check, within it by name."""
    names = {line.task for line in board.lines}
    return sorted(names, key=lambda name: (CHECKS.index(check_of(name)), name))


def board_payload(
    board: Board, entries: Sequence[Entry], tasks: Sequence[str], shown: Mapping[str, int]
) -> dict[str, Any]:
    """Lay a board out as JSON.

    Args:
        tasks: in the order of the page.
        shown: of how many documents of a task the page has samples.
    """
    models = [place.model for place in board.places]
    series = find_series(models)
    places = {name: number for number, name in enumerate(models)}
    numbers = {name: number for number, name in enumerate(tasks)}
    documents = {
        name: max(entry.tasks[name].documents for entry in entries if name in entry.tasks)
        for name in tasks
    }
    return {
        "base": None if board.base is None else places[board.base],
        "ranked_tasks": len(board.headlines),
        "models": [
            {
                "name": one_line(place.model),
                "shown": place.shown,
                "rank": place.rank,
                "mean": place.mean,
                "low": place.low,
                "high": place.high,
                "tasks": place.tasks,
                "series": _series(series.get(place.model)),
            }
            for place in board.places
        ],
        "tasks": [_task(name, board, documents[name], shown.get(name, 0)) for name in tasks],
        "columns": ["model", "task", "metric", *COLUMNS, "change"],
        "lines": [
            [places[line.model], numbers[line.task], one_line(line.metric), *_cells(line)]
            for line in board.lines
            if line.metric is not None
        ],
    }


def _series(moment: Any) -> dict[str, Any] | None:
    return None if moment is None else {**moment._asdict(), "of": one_line(moment.of)}


def _task(name: str, board: Board, documents: int, shown: int) -> dict[str, Any]:
    headline = next((told.metric for told in board.headlines if told.task == name), None)
    lines: dict[str, list[Line]] = {}
    for line in board.lines:
        if line.task == name and line.metric is not None:
            lines.setdefault(line.metric, []).append(line)
    return {
        "name": one_line(name),
        "check": check_of(name),
        "headline": None if headline is None else one_line(headline),
        "documents": documents,
        "shown": shown,
        "metrics": [_metric(name, metric, told) for metric, told in lines.items()],
    }


def _metric(task: str, name: str, lines: Sequence[Line]) -> dict[str, Any]:
    meaning = meaning_of(check_of(task), name)
    directions = [line.higher_is_better for line in lines if line.higher_is_better is not None]
    return {
        "name": one_line(name),
        "meaning": meaning.says,
        "over": meaning.over,
        "control": meaning.control,
        "chance": next((line.chance for line in lines if line.chance is not None), None),
        "rises": next(iter(directions), None),
    }


def _cells(line: Line) -> list[Any]:
    return [*(getattr(line, name) for name in COLUMNS), CHANGES[line.change]]
