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
from leaderboards.page.bundle import Bundle, build_bundle
from leaderboards.page.content import Content
from leaderboards.page.inline import SCRIPTS, STYLES, policy, read_assets
from leaderboards.page.payload import board_payload
from leaderboards.page.provenance import board_command, model_sources, task_sources
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
    content = Content.of(board, entries)
    page: str = _template().render(_context(content, build_bundle(content, samples)))
    return page


def _context(content: Content, bundle: Bundle) -> Mapping[str, Any]:
    board, told = content.board, overview.columns(content)
    rows = overview.rows(content, told, bundle)
    sources = model_sources(content.entries)
    return {
        "policy": policy(),
        "styles": read_assets(STYLES),
        "scripts": read_assets(SCRIPTS),
        "version": __version__,
        "base": None if content.base is None else content.names[content.base],
        "models": len(content.entries),
        "tasks": len(content.tasks),
        "ranked_tasks": len(board.headlines),
        "columns": told,
        "groups": overview.groups(told),
        "ranked": [row for row in rows if row.place.rank is not None],
        "incomplete": [row for row in rows if row.place.rank is None],
        "rules": [one_line(board.rule, LONGEST_TEXT), one_line(board.base_rule, LONGEST_TEXT)],
        "notes": [one_line(note, LONGEST_TEXT) for note in board.notes],
        "blocks": {"board": pack(board_payload(content, bundle)), **bundle.blocks},
        "model_sources": list(zip(content.names, sources, strict=True)),
        "task_sources": task_sources(content.entries, [task.name for task in content.tasks]),
        "board_command": board_command(content.entries, board.base),
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
