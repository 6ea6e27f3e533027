"""Texts of others, made fit to be shown: nothing invisible in them, and none too long."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import printable

LONGEST_NAME = 200
LONGEST_TEXT = 20_000
Pieces = list[tuple[str, str]]
"""A text for the page: what each part is ("": as it was) and the part."""


def one_line(text: str, longest: int = LONGEST_NAME) -> str:
    r"""Show a text on one line; of a long one the beginning.

    >>> print(one_line("a\nb\u202e"), one_line("word " * 100, 12))
    a\nb\u202e word word wo… (488 more characters)
    """
    told = printable(text[:longest]).replace("\n", "\\n")
    more = len(text) - longest
    return f"{told}… ({_more(more)})" if more > 0 else told


def shown(pieces: Iterable[tuple[str, str]], longest: int = LONGEST_TEXT) -> Pieces:
    """Make the pieces of a text fit to be shown; what is beyond the longest is counted.

    >>> shown([("", "one "), ("gone", "two three")], 7)
    [('', 'one '), ('gone', 'two'), ('cut', ' … 6 more characters, in the samples of the run')]
    """
    told: Pieces = []
    room, more = longest, 0
    for kind, text in pieces:
        if text[:room]:
            told.append((kind, printable(text[:room])))
        more += max(0, len(text) - room)
        room = max(0, room - len(text))
    if more:
        told.append(("cut", f" … {_more(more)}, in the samples of the run"))
    return told


def plain(text: str, longest: int = LONGEST_TEXT) -> Pieces:
    """Make a text fit to be shown, as one piece."""
    return shown([("", text)], longest)


def _more(count: int) -> str:
    return f"{count:,} more character{'' if count == 1 else 's'}"
