"""Values of a sample as texts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

LONGEST_EXCERPT = 200
SHORT_HASH = 12
LONGEST_WORD = 20
"""Longer items of a list stand on lines of their own."""
_ENOUGH = 10 * LONGEST_EXCERPT


def excerpt(doc: object) -> str:
    """Give the text by which a person recognises a document, on one line.

    That is its question, where a column has this name; otherwise the longest of its texts that are
    more than one word (identifiers are not).

    >>> excerpt({"id": "5733be284776f41900661182", "text": "a fine\\n film"})
    'a fine film'
    """
    columns = doc if isinstance(doc, Mapping) else {}
    texts = {str(name): text for name, text in columns.items() if isinstance(text, str)}
    named = [text for name, text in texts.items() if name.lower() == "question" and text.strip()]
    if not named:
        known = sorted(texts.values(), key=len, reverse=True)
        named = [text for text in known if len(text.split(maxsplit=1)) > 1] or known
    begin = named[0].lstrip()[:_ENOUGH] if named else ""
    return " ".join(begin.split())[:LONGEST_EXCERPT]


def named(text: str, digest: str) -> str:
    """Name a document by its excerpt; one that has none by its hash.

    >>> named("a fine film", "782f44d2087f5c6e"), named("", "782f44d2087f5c6e")
    ('a fine film', 'document 782f44d2087f')
    """
    return text or f"document {digest[:SHORT_HASH]}".strip()


def as_text(value: object) -> str:
    """Write what was read from an answer, for people.

    >>> as_text(["dull", "flat"]), as_text({"verify": True, "control": None})
    ('dull, flat', 'verify: yes\\ncontrol: none')
    """
    parts = [] if isinstance(value, str) else _parts(value)
    if any(isinstance(part, (Mapping, list, tuple)) for part in parts):
        return as_json(value)
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {_scalar(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        told = [_scalar(part) for part in value]
        are_words = not any("," in text or len(text) > LONGEST_WORD for text in told)
        return (", " if are_words else "\n").join(told)
    return _scalar(value)


def as_json(value: object) -> str:
    """Write a text as it is, and any other value as JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return f"({type(value).__name__}: cannot be shown)"


def number(value: object) -> float | None:
    """Give a finite number, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def mapping(value: object) -> Mapping[Any, Any]:
    """Give a mapping, an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> list[Any]:
    """Give a list, an empty one for anything else."""
    return list(value) if isinstance(value, (list, tuple)) else []


def _parts(value: object) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else listed(value)


def _scalar(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return as_json(value)
