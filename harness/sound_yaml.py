"""YAML that can be read at all: whole, not nested without end, and of the size that it looks.

The readers of PyYAML compose what is nested by recursion, and the one in C ends the process where
that is too deep. A few lines of aliases of aliases stand for more than a memory holds.
"""

from __future__ import annotations

from pathlib import Path

import yaml

DEEPEST = 100
LARGEST = 100_000
"""Nodes, with those that aliases stand for."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_text(file: Path) -> str:
    """Read a file of YAML.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no text, or as `fault`.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as err:
        raise ValueError(f"is not text in UTF-8: {err}") from err
    if told := fault(text):
        raise ValueError(told)
    return text


def fault(text: str) -> str | None:
    """Say what keeps a text from being read as YAML; tags and what they mean are not looked at."""
    try:
        return _size_fault(text)
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        return f"is not YAML: {where}{', '.join(filter(None, (err.context, err.problem)))}"
    except (yaml.YAMLError, ValueError) as err:
        return f"is not YAML: {' '.join(str(err).split())}"


def _size_fault(text: str) -> str | None:
    """Count what is there, and what aliases stand for, as it is parsed: without recursion."""
    anchored: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    size = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            size += anchored.get(str(event.anchor), 0)  # none: within itself, or not there
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            anchored |= {anchor: size - before} if anchor else {}
        elif isinstance(event, yaml.NodeEvent):
            size += 1
            if isinstance(event, yaml.CollectionStartEvent):
                opened.append((event.anchor, size - 1))
        if len(opened) > DEEPEST:
            return f"is nested too deeply: over {DEEPEST} levels"
        if size > LARGEST:
            return f"is too large: over {LARGEST} values, with those that aliases stand for"
    return None
