"""Texts that try to be more than text: in a page, a data block, a table, a terminal.

Written out by hand, one line a trick. Where a text could execute it sets a canary, `window.pwned`,
to its own number, or asks for an address under its own name that nobody answers: what got through
is told by that. In the groups, `RUN` and `URL` stand for the two.
"""

from __future__ import annotations

from tests.hostile import markup, texts

GROUPS = {
    "scripts": markup.SCRIPTS,
    "closings": markup.CLOSINGS,
    "quotes": markup.QUOTES,
    "handlers": markup.HANDLERS,
    "svg": markup.VECTOR_GRAPHICS,
    "frames": markup.FRAMES,
    "addresses": markup.ADDRESSES,
    "clobbering": texts.CLOBBERING,
    "templates": texts.TEMPLATES,
    "styles": texts.STYLES,
    "data": texts.DATA,
    "unicode": texts.UNICODE,
    "sheets": texts.SHEETS,
    "marks": texts.MARKS,
    "polyglots": texts.POLYGLOTS,
}
NAMES = [name for group in GROUPS.values() for name in group]
LONGEST_FILE_NAME = 150


def _armed(number: int, name: str, text: str) -> str:
    return text.replace("RUN", f"pwned={number}").replace("URL", f"http://127.0.0.1:9/{name}")


VECTORS = {
    name: _armed(NAMES.index(name), name, text)
    for group in GROUPS.values()
    for name, text in group.items()
}
"""All of them by name."""


def is_file_name(text: str) -> bool:
    """Say whether a file can have it in its name, as those of tasks and runs do."""
    length = len(text.encode("utf-8", "surrogatepass"))
    return not set("/\0") & set(text) and 0 < length <= LONGEST_FILE_NAME
