"""What a column of a multiple-choice data set may hold: kinds, named in a task file's `require`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.errors import ConfigError, unknown

_COUNTED = re.compile(r"(\d+) texts")
Kind = tuple[str, str]
"""Its name, and the column it speaks of; empty if it speaks of none."""


def parse_kind(told: str) -> Kind:
    """Read the name of a kind, such as "text", "4 texts" or "index of endings".

    Raises:
        ConfigError: there is none of that name.
    """
    name, _, other = str(told).partition(" of ")
    if not other and _COUNTED.fullmatch(name):
        return name, ""
    known = OF_ANOTHER if other else ALONE
    if name not in known:
        raise ConfigError(
            unknown("content in require", told, [*ALONE, *(f"{k} of COLUMN" for k in OF_ANOTHER)])
        )
    return name, other


def check_content(doc: Mapping[str, Any], require: Mapping[str, Kind]) -> str | None:
    """Say which column of a document is missing or not of its kind; or None."""
    for column in [*require, *(other for _, other in require.values() if other)]:
        if column not in doc:
            return f"no column {column!r}; there are: {', '.join(sorted(doc))}"
    for column, (name, other) in require.items():
        told = doc[column]
        fits = OF_ANOTHER[name](told, doc[other]) if other else _fits(name, told)
        if not fits:
            kind = f"{name} of {other!r}" if other else name
            return f"{column!r} is no {kind}: {str(told)[:80]!r}"
    return None


def _fits(name: str, content: Any) -> bool:
    counted = _COUNTED.fullmatch(name)
    if counted:
        return _is_texts(content) and len(content) == int(counted[1])
    return ALONE[name](content)


def _is_text(content: Any) -> bool:
    return isinstance(content, str) and bool(content.strip())


def _is_texts(content: Any) -> bool:
    fits = isinstance(content, Sequence) and not isinstance(content, str) and len(content) > 1
    return fits and all(map(_is_text, content))


def _is_options(content: Any) -> bool:
    if not isinstance(content, Mapping) or not _is_texts(content.get("text")):
        return False
    labels: Any = content.get("label")
    fits = _is_texts(labels) and len(labels) == len(content["text"])
    return fits and len(set(labels)) == len(labels)


def _is_choices(content: Any) -> bool:
    if not isinstance(content, Mapping) or not _is_texts(content.get("choices")):
        return False
    labels: Any = content.get("labels")
    fits = isinstance(labels, Sequence) and len(content["choices"]) == len(labels)
    return fits and set(labels) <= {0, 1} and 1 in labels


def _is_first_right(content: Any) -> bool:
    return _is_choices(content) and list(content["labels"]) == [
        1,
        *[0] * (len(content["labels"]) - 1),
    ]


def _is_label(content: Any, options: Any) -> bool:
    return _is_options(options) and content in options["label"]


def _is_index(content: Any, texts: Any) -> bool:
    digits = str(content)
    return _is_texts(texts) and digits.isdecimal() and int(digits) < len(texts)


ALONE: Mapping[str, Callable[[Any], bool]] = {
    "text": _is_text,
    "string": lambda content: isinstance(content, str),
    "texts": _is_texts,
    "options": _is_options,
    "choices": _is_choices,
    "choices, the first right": _is_first_right,
}
OF_ANOTHER: Mapping[str, Callable[[Any, Any], bool]] = {"label": _is_label, "index": _is_index}
