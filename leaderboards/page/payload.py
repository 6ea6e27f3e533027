"""A board as the page's scripts read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.compare import Change
from harness.evidence import VERDICTS
from leaderboards.board import Line
from leaderboards.page.bundle import Bundle
from leaderboards.page.content import Content, Task
from leaderboards.page.meanings import CONTROLS, meaning_of
from leaderboards.page.series import Moment, find_series
from leaderboards.page.texts import one_line

NUMBERS = ("value", "low", "high", "n", "delta", "delta_n", "adjusted_p")
"""Attributes of a line that are numbers of the page as they are."""
COLUMNS = ("model", "task", "metric", *NUMBERS, "change", "paired")
CHANGES: Mapping[Change, str | None] = {
    "better": "better",
    "worse": "worse",
    "higher": "higher",
    "lower": "lower",
    "no difference shown": "none",
    "cannot be told": None,
}


def board_payload(content: Content, bundle: Bundle) -> dict[str, Any]:
    """Lay a board out as JSON."""
    models = {entry.name: number for number, entry in enumerate(content.entries)}
    tasks = {task.name: number for number, task in enumerate(content.tasks)}
    return {
        "base": content.base,
        "ranked_tasks": len(content.board.headlines),
        "models": _models(content),
        "tasks": [_task(content, number, bundle) for number in range(len(content.tasks))],
        "verdicts": list(VERDICTS.items()),
        "columns": COLUMNS,
        "lines": [
            [models[line.model], tasks[line.task], one_line(line.metric), *_cells(line)]
            for line in content.board.lines
            if line.metric is not None
        ],
    }


def _models(content: Content) -> list[dict[str, Any]]:
    series = find_series([entry.name for entry in content.entries])
    return [
        {
            "name": name,
            "shown": place.shown,
            "rank": place.rank,
            "mean": place.mean,
            "low": place.low,
            "high": place.high,
            "tasks": place.tasks,
            "series": _series(series.get(place.model)),
        }
        for name, place in zip(content.names, content.board.places, strict=True)
    ]


def _series(moment: Moment | None) -> dict[str, Any] | None:
    return None if moment is None else {**moment._asdict(), "of": one_line(moment.of)}


def _task(content: Content, number: int, bundle: Bundle) -> dict[str, Any]:
    task = content.tasks[number]
    return {
        "name": one_line(task.name),
        "check": task.check,
        "held_against": CONTROLS.get(task.check),
        "headline": one_line(task.metric) if task.metric and task.ranked else None,
        "rank_note": one_line(content.board.unranked.get(task.name, "")) or None,
        "documents": task.documents,
        "scored": number in bundle.scored,
        "shown": bundle.shown.get(number, 0),
        "lacks": bundle.lacks(number, task.documents),
        "metrics": [_metric(task, name) for name in task.lines],
    }


def _metric(task: Task, name: str) -> dict[str, Any]:
    meaning = meaning_of(task.check, name)
    return {
        "name": one_line(name),
        "meaning": meaning.says,
        "over": meaning.over,
        "control": meaning.control,
        "chance": task.chance(name),
        "rises": task.rises(name),
    }


def _cells(line: Line) -> Sequence[Any]:
    numbers = [getattr(line, name) for name in NUMBERS]
    return [*numbers, CHANGES[line.change], line.paired]
