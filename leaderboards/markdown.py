"""A board as Markdown. Names are what others wrote: nothing in them is markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from harness.compare import LEVEL
from harness.errors import printable
from leaderboards.board import Board, Line
from leaderboards.ranking import Headline, Place

Escape = Callable[[str], str]
_MARKUP = {ord(c): f"\\{c}" for c in "\\`*_[]"} | {ord(c): f"&#{ord(c)};" for c in "<>&|~$@{"}
_BLOCK = re.compile(r"^(?=[-+=#]|\d+[.)](?:\s|$))")  # what begins a heading or a list
_LINK = re.compile(r":(?=\S)|(?<=www)\.", re.IGNORECASE)  # https://, www., :emoji:
SMALLEST_P = 0.001


def literal(text: str) -> str:
    r"""Write a text so that Markdown shows it as it is: no markup, no HTML, no link, one line.

    Characters that are not printable are shown as escapes.

    >>> print(literal("<b>*a*</b>|b"), literal("a\nb"), literal("- x_y"))
    &#60;b&#62;\*a\*&#60;/b&#62;&#124;b a\\nb &#45; x\_y
    """
    told = _LINK.sub(lambda found: _entity(found[0]), one_line(text).translate(_MARKUP))
    if _BLOCK.match(told) or told.startswith(" "):
        told = _entity(told[0]) + told[1:]
    return re.sub(r" (?= |$)", "&#32;", told)


def one_line(text: str) -> str:
    """Write a text on one line of a terminal; what is not printable as escapes."""
    return printable(text).replace("\n", "\\n")


def board_page(board: Board) -> str:
    """Write board.md: the rule, the ranking, every headline metric, and notes."""
    parts = [literal(board.rule), ranking_table(board, literal)]
    if board.headlines:
        parts += [literal(board.base_rule), "\n".join(_task_table(board))]
    if board.notes:
        parts.append("\n".join(f"- {literal(note)}" for note in board.notes))
    return "\n\n".join(parts) + "\n"


def ranking_table(board: Board, escape: Escape) -> str:
    """Lay the models out in order, as a table that is Markdown and readable as it is.

    Args:
        escape: makes a name a cell: `literal` for Markdown, `one_line` for a terminal.
    """
    header = ["rank", "model", "mean", "95% interval", "tasks"]
    total = len(board.headlines)
    rows = [_place_cells(place, total, escape) for place in board.places]
    return "\n".join(_table(header, rows, texts=[1]))


def _place_cells(place: Place, total: int, escape: Escape) -> list[str]:
    span = _interval(place.low, place.high)
    return [
        place.shown, escape(place.model), _number(place.mean), span, f"{place.tasks} of {total}",
    ]  # fmt: skip


def _task_table(board: Board) -> Iterator[str]:
    """Lay out what every model has of every ranked task, a row each; a task is named once."""
    header = ["task", "metric", "chance", "model", "value", "95% interval", "n"]
    header += [] if board.base is None else ["delta", "n of delta", "adjusted p"]
    lines = {(line.task, line.model): line for line in board.lines if line.headline}
    failed = {(line.task, line.model) for line in board.lines if line.failed is not None}
    rows = []
    for headline in board.headlines:
        shown = [literal(headline.task), literal(headline.metric), _chance(headline)]
        for place in board.places:
            key = headline.task, place.model
            value = _value_cells(lines.get(key), key in failed)
            delta = [] if board.base is None else _delta_cells(lines.get(key))
            rows.append([*shown, literal(place.model), *value, *delta])
            shown = ["", "", ""]
    return _table(header, rows, texts=[0, 1, 3])


def _chance(headline: Headline) -> str:
    return "" if headline.chance is None else f"{headline.chance:g}"


def _value_cells(line: Line | None, failed: bool) -> list[str]:
    if line is None:
        return ["failed" if failed else "-", "-", "-"]
    return [_number(line.value), _interval(line.low, line.high), str(line.n)]


def _delta_cells(line: Line | None) -> list[str]:
    if line is None or line.delta is None:
        return ["-", "-", "-"]
    star = "\\*" if line.adjusted_p is not None and line.adjusted_p < LEVEL else ""
    return [f"{line.delta:+.3f}{star}", str(line.delta_n), _p(line.adjusted_p)]


def _p(p: float | None) -> str:
    if p is None:
        return "-"
    return f"{p:.3f}" if p >= SMALLEST_P else literal(f"< {SMALLEST_P:g}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[int]
) -> Iterator[str]:
    """Write the lines of a table, padded; `texts` are the columns to align left."""
    widths = [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]
    for cells in [header, *rows]:
        padded = [
            cell.ljust(width) if place in texts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        yield f"| {' | '.join(padded)} |"
        if cells is header:
            rules = [
                "-" * width if place in texts else "-" * (width - 1) + ":"
                for place, width in enumerate(widths)
            ]
            yield f"| {' | '.join(rules)} |"


def _entity(character: str) -> str:
    return f"&#{ord(character)};"
