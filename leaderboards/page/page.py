"""A board and its runs as one page of HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from harness import __version__
from leaderboards.board import Board
from leaderboards.entries import Entry
from leaderboards.page import overview
from leaderboards.page.blocks import pack
from leaderboards.page.bundle import Bundle, Sampled, build_bundle
from leaderboards.page.inline import SCRIPTS, STYLES, policy, read_assets
from leaderboards.page.payload import board_payload, order_tasks
from leaderboards.page.provenance import model_sources, task_sources
from leaderboards.page.texts import LONGEST_TEXT, one_line

SAMPLES = 20_000_000
"""Bytes that samples may take in a page, if nothing else is asked for."""


def render_page(board: Board, entries: Sequence[Entry], samples: int) -> str:
    """Write the page of a board.

    The same board gives the same page, byte for byte.

    Args:
        entries: those that the board was built from.
        samples: bytes that samples may take in it; 0: none are taken.

    Raises:
        RecordError: samples are damaged.
    """
    places = [place.model for place in board.places]
    entries = sorted(entries, key=lambda entry: places.index(entry.name))
    tasks = order_tasks(board)
    bundle = build_bundle(_sampled(board, entries, tasks), samples) if samples else Bundle()
    page: str = _template().render(_context(board, entries, tasks, bundle))
    return page


def _sampled(board: Board, entries: Sequence[Entry], tasks: Sequence[str]) -> list[Sampled]:
    found = []
    for number, task in enumerate(tasks):
        runs = {
            model: entry.run_of(task)
            for model, entry in enumerate(entries)
            if task in entry.tasks
            and entry.tasks[task].metrics
            and entry.run_of(task).has_samples(task)
        }
        if runs:
            found.append(Sampled(task, number, len(entries), runs))
    return found


def _context(
    board: Board, entries: Sequence[Entry], tasks: Sequence[str], bundle: Bundle
) -> Mapping[str, Any]:
    told = overview.columns(board, tasks)
    shown = {tasks[number]: count for number, count in bundle.shown.items()}
    rows = overview.rows(board, tasks, told, bundle.sampled)
    blocks = {"board": pack(board_payload(board, entries, tasks, shown)), **bundle.blocks}
    return {
        "policy": policy(),
        "styles": read_assets(STYLES),
        "scripts": read_assets(SCRIPTS),
        "version": __version__,
        "base": None if board.base is None else one_line(board.base),
        "models": len(board.places),
        "tasks": len(tasks),
        "columns": told,
        "groups": overview.groups(told),
        "ranked": [row for row in rows if row.place.rank is not None],
        "incomplete": [row for row in rows if row.place.rank is None],
        "rules": [one_line(board.rule, LONGEST_TEXT), one_line(board.base_rule, LONGEST_TEXT)],
        "notes": [one_line(note, LONGEST_TEXT) for note in board.notes],
        "blocks": blocks,
        "has_samples": bool(bundle.sampled),
        "model_sources": model_sources(entries),
        "task_sources": task_sources(entries, tasks),
    }


@cache
def _template() -> Any:
    environment = Environment(
        loader=PackageLoader("leaderboards.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = overview.number
    environment.filters["interval"] = overview.interval
    return environment.get_template("page.html")
