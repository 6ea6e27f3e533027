"""`--set a.b=c`: values that count instead of what a recipe's file says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from finetune.reading import strict_yaml
from finetune.strict import Place, show
from harness.errors import ConfigError


class Override(NamedTuple):
    """A place and the value that is set there."""

    path: tuple[str, ...]
    value: Any

    @property
    def option(self) -> str:
        """How it was given, for messages."""
        return f"--set {show(self.path)}"


def parse_overrides(given: Iterable[str]) -> tuple[list[Override], list[str]]:
    """Read `a.b=c`, where c is YAML as in the file.

    Returns:
        The overrides, and what is wrong with the others.

    >>> parse_overrides(["model.adapter=null", "seed"])[0]
    [Override(path=('model', 'adapter'), value=None)]
    """
    overrides: list[Override] = []
    faults: list[str] = []
    for text in given:
        try:
            overrides.append(_parse(text, overrides))
        except ConfigError as err:
            faults.append(str(err))
    return overrides, faults


def apply_overrides(told: Any, overrides: Sequence[Override]) -> tuple[Any, list[str]]:
    """Put the values in their places; missing mappings on the way, and null ones, are made.

    Returns:
        A changed copy, and what could not be put.
    """
    told, faults = deepcopy(told), []
    for override in overrides:
        inner = told
        for depth, key in enumerate(override.path[:-1], start=1):
            if inner.get(key) is None:
                inner[key] = {}
            inner = inner[key]
            if not isinstance(inner, dict):
                place = show(override.path[:depth])
                faults.append(
                    f"{override.option}: {place} is {inner!r}, which has no places in it: "
                    f"set {place} as a whole"
                )
                break
        else:
            inner[override.path[-1]] = override.value
    return told, faults


def source_of(place: Place, told: Any, overrides: Iterable[Override]) -> Override | None:
    """Say which override made a place; None: the file.

    Args:
        place: the place.
        told: what the file says.
        overrides: those that were applied.
    """
    for override in overrides:
        reached = override.path[: len(place)] == place  # a mapping on the way to it
        if place[: len(override.path)] == override.path or (reached and not _holds(told, place)):
            return override
    return None


def _parse(text: str, earlier: Iterable[Override]) -> Override:
    name, equals, value = text.partition("=")
    path = tuple(name.strip().split("."))
    if not equals or not all(path) or any(part != part.strip() for part in path):
        raise ConfigError(f"--set {text}: must be PLACE=VALUE, as in --set trainer.max_steps=100")
    if not value.strip():
        raise ConfigError(f"--set {text}: lacks a value; for none write {name}=null")
    for other in earlier:
        shorter = min(len(path), len(other.path))
        if path[:shorter] == other.path[:shorter]:
            raise ConfigError(f"--set {text}: {other.option} is given, too: give one of them")
    parsed, repeated = strict_yaml.load(value, f"--set {name}")
    if repeated:
        raise ConfigError("\n".join(f"--set {name}: {fault}" for fault in repeated))
    return Override(path, parsed)


def _holds(told: Any, place: Place) -> bool:
    for key in place:
        if not isinstance(told, dict) or key not in told:
            return False
        told = told[key]
    return True
