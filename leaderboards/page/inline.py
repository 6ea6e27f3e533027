"""Styles and scripts within the page, and a policy that allows no others.

The Content-Security-Policy names every style and script by its hash: whatever else might get into
the page neither runs nor loads.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from markupsafe import Markup

SCRIPTS = (
    "vendor/d3.min.js",
    "core.js",
    "addresses.js",
    "overview/tips.js",
    "overview/overview.js",
    "plots/figure.js",
    "plots/marks.js",
    "plots/panels.js",
    "plots/rows.js",
    "plots/forest.js",
    "plots/squares.js",
    "plots/scatter.js",
    "plots/control.js",
    "plots/consistency.js",
    "plots/progress.js",
    "plots/plots.js",
    "compare/flips.js",
    "compare/compare.js",
    "samples/filters.js",
    "samples/listing.js",
    "samples/turns.js",
    "samples/dialogue.js",
    "samples/reader.js",
    "samples/samples.js",
)
"""In the order in which they run: core.js and addresses.js have what those after them share."""
STYLES = ("page.css", "plots/plots.css", "samples/samples.css")
_ENDS = re.compile(r"</(script|style)|<!--", re.IGNORECASE)


@cache
def read_assets(names: Sequence[str]) -> tuple[Markup, ...]:
    """Read our own files, to be put into the page as they are.

    Raises:
        ValueError: one holds what would end its element.
    """
    told = [(files(__package__) / "assets" / name).read_text(encoding="utf-8") for name in names]
    for name, text in zip(names, told, strict=True):
        if _ENDS.search(text):
            raise ValueError(f"{name} cannot stand within a page: {_ENDS.findall(text)}")
    return tuple(map(Markup, told))


def policy() -> str:
    """Write the page's Content-Security-Policy: our styles and scripts, nothing from anywhere."""
    scripts = " ".join(map(_source, read_assets(SCRIPTS)))
    styles = " ".join(map(_source, read_assets(STYLES)))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
