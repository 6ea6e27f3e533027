"""Texts of models and data for the terminal: nothing in them is markup or an escape."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rich.padding import Padding
from rich.text import Text

from harness.errors import printable
from harness.evidence import Kind, Piece, shorten

LONGEST = 4000
STYLES: dict[Kind, tuple[str, str, str]] = {
    "gone": ("strike red", "[-", "-]"),
    "new": ("underline green", "{+", "+}"),
    "masked": ("reverse", "{#", "#}"),
    "cut": ("dim italic", "[", "]"),
}
"""Kind of a piece -> its style on a terminal; what stands before and after it elsewhere."""


def line(told: str, style: str = "") -> Text:
    """Write a text as it is, on one line; what cannot be printed as escapes, and not endlessly."""
    end = "..." if len(told) > LONGEST else ""
    return Text(printable(told[:LONGEST]).replace("\n", "\\n") + end, style=style)


def counted(number: int, what: str) -> str:
    """Count things.

    >>> counted(1, "document"), counted(0, "token")
    ('1 document', '0 tokens')
    """
    return f"{number} {what if number == 1 else what + 's'}"


def pieces(told: Sequence[Piece], full: bool) -> Text:
    """Write a text with its changes; a long one without its middle, unless all is wanted."""
    shown, marked = Text(), needs_marks()
    for kind, text in told if full else shorten(told, LONGEST):
        style, before, after = STYLES.get(kind, ("", "", ""))
        safe = printable(text)
        shown.append(f"{before}{safe}{after}" if marked else safe, style=style or None)
    return shown


def long(told: str, full: bool) -> Text:
    """Write a text; a long one without its middle, unless all is wanted."""
    return pieces([Piece("", told)], full)


def indented(told: Text) -> Padding:
    """Indent every line of a text."""
    return Padding(told, (0, 0, 0, 4), expand=False)


def needs_marks() -> bool:
    """Say whether colours and lines will not be seen."""
    plain_terminal = os.environ.get("TERM", "") in ("dumb", "unknown") or "NO_COLOR" in os.environ
    return plain_terminal or not sys.stdout.isatty()
