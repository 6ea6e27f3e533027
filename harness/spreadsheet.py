r"""Text cells of a CSV file that no spreadsheet executes, and that read back as they were.

A spreadsheet takes a cell that begins with one of = + - @ for a formula, quoted or not (OWASP, "CSV
Injection"). `guard` puts an apostrophe before such a text, and before one that begins with an
apostrophe itself. Characters that are not printable (control characters, line breaks, half
surrogate pairs, marks that turn the direction of writing) and the backslash are written as escapes
of Python. Where a spreadsheet splits lines at semicolons, what follows one begins a cell, too:
there = + - @ are escaped.

Numbers need none of this: a negative number is no text.
"""

from __future__ import annotations

import re

_STARTS = "=+-@＝＋－＠−"
_AFTER_SEMICOLON = re.compile(rf"""(;[ "']*)([{re.escape(_STARTS)}])""")
_ESCAPE = re.compile(
    r"\\(?:([\\nrt])|x([0-9a-f]{2})|u([0-9a-f]{4})|U(00(?:0[0-9a-f]|10)[0-9a-f]{4}))"
)
_LETTERS = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}


def guard(text: str) -> str:
    r"""Make a text harmless as a cell: one line, printable, no formula.

    >>> print(guard("=cmd|'/c calc'!A0"), guard("-5"), guard("'quoted'"), guard("a\n\x00"))
    '=cmd|'/c calc'!A0 '-5 ''quoted' a\n\x00
    >>> print(guard("fine - as it is"), guard("a;=1+1"))
    fine - as it is a;\x3d1+1
    """
    escaped = text
    if "\\" in text or not text.isprintable():
        escaped = "".join(map(_escaped, text))
    if ";" in escaped:
        escaped = _AFTER_SEMICOLON.sub(lambda found: found[1] + _code(found[2]), escaped)
    return f"'{escaped}" if _is_risky(text) else escaped


def unguard(cell: str) -> str:
    """Read a text back from its cell: `unguard(guard(text)) == text` for every text.

    >>> unguard("'=1+1")
    '=1+1'
    """
    return _ESCAPE.sub(_character, cell.removeprefix("'"))


def _is_risky(text: str) -> bool:
    return text.startswith(("'", "\t", "\r", "\n")) or text.lstrip().startswith(tuple(_STARTS))


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    return character if character.isprintable() else ascii(character)[1:-1]


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def _character(found: re.Match[str]) -> str:
    letter, *digits = found.groups()
    return _LETTERS[letter] if letter else chr(int(next(filter(None, digits)), 16))
