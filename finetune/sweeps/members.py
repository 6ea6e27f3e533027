"""`--sweep a.b=c,d --seeds 1,2`: the recipes that a sweep consists of, each checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from finetune.reading import strict_yaml
from finetune.reading.recipe_file import read_recipe, recipe_digest
from finetune.recipe import Recipe
from finetune.strict import Place, show
from harness.errors import ConfigError, printable

SEED = ("seed",)
LONGEST_NAME = 100
_FIXED: Mapping[Place, str] = {
    ("method",): "methods are compared by recipes of their own",
    ("score",): "scores of members must be comparable",
    SEED: "give --seeds",
    ("trainer", "use_cpu"): "all members are trained by the same processes",
}
"""What no sweep changes -> why, or what to do."""


@dataclass(frozen=True)
class Axis:
    """A place of a recipe, and the values that it takes in turn.

    Attributes:
        values: as they were written, YAML.
    """

    path: tuple[str, ...]
    values: Sequence[str]

    @property
    def option(self) -> str:
        """How it was given, for messages."""
        return "--seeds" if self.path == SEED else f"--sweep {show(self.path)}"


@dataclass(frozen=True)
class Member:
    """A finetuning of a sweep.

    Attributes:
        name: of its folder.
        setting: place -> value, of all that the sweep changes but the seed.
        setting_name: the same as a name; empty: nothing but the seed.
    """

    name: str
    setting: Mapping[str, Any]
    setting_name: str
    recipe: Recipe


def read_members(
    file: Path, overrides: Sequence[str], sweeps: Sequence[str], seeds: str | None
) -> list[Member]:
    """Read the recipe of every member: each setting of the swept values with each seed.

    Seeds change `seed` of the recipe alone: which documents are trained on (`data.subset_seed`)
    and scored on (`score.subset_seed`) stays the same.

    Args:
        file: of the recipe.
        overrides: as given with `--set`.
        sweeps: as given with `--sweep`: "a.b=c,d".
        seeds: as given with `--seeds`: "1,2,3"; None: that of the recipe.

    Returns:
        The members, seeds changing fastest.

    Raises:
        ConfigError: one line for each fault of any member.
    """
    axes = _axes(overrides, sweeps, seeds)
    recipes, faults = [], list[str]()
    for values in product(*(axis.values for axis in axes)):
        given = [f"{show(axis.path)}={v}" for axis, v in zip(axes, values, strict=True)]
        try:
            recipes.append(read_recipe(file, [*overrides, *given]))
        except ConfigError as err:
            faults += (_as_given(line, axes, values) for line in str(err).split("\n"))
    if faults:
        raise ConfigError("\n".join(dict.fromkeys(faults)))
    members = _named(recipes, axes)
    _refuse_equal(members)
    return members


def sweep_digest(members: Sequence[Member]) -> str:
    """Give the sha256 of a sweep: the same for the same recipes in the same order."""
    told = " ".join(recipe_digest(member.recipe) for member in members)
    return hashlib.sha256(told.encode()).hexdigest()


def parse_axis(text: str) -> Axis:
    """Read `a.b=c,d`: YAML values between commas that are in no bracket and no quotes.

    Raises:
        ConfigError: says what is wrong.

    >>> parse_axis("data.objectives=[mt_re],[mt_re, mt_cot]")
    Axis(path=('data', 'objectives'), values=['[mt_re]', '[mt_re, mt_cot]'])
    """
    name, equals, told = text.partition("=")
    path = tuple(name.strip().split("."))
    if not equals or not all(path) or any(part != part.strip() for part in path):
        raise ConfigError(
            f"--sweep {text}: must be PLACE=VALUE,VALUE, as in --sweep data.alpha=0.3,0.7"
        )
    for fixed, reason in _FIXED.items():
        if path[: len(fixed)] == fixed:
            raise ConfigError(f"--sweep {text}: {show(fixed)} cannot be swept: {reason}")
    return Axis(path, split_values(told, f"--sweep {name}"))


def split_values(text: str, option: str) -> list[str]:
    """Split YAML at the commas that are in no bracket and no quotes.

    Raises:
        ConfigError: a value is missing, or it is not YAML.

    >>> split_values('0.3, "a,b", [1, 2]', "--sweep x")
    ['0.3', '"a,b"', '[1, 2]']
    """
    listed = f"[{text}]"
    told, _ = strict_yaml.load(listed, option)
    node: Any = yaml.compose(listed, yaml.SafeLoader)
    places = [(part.start_mark.index - 1, part.end_mark.index - 1) for part in node.value]
    values = [text[start:end] for start, end in places]
    if not values or text[places[-1][1] :].strip():
        raise ConfigError(f"{option}: lacks a value, got {text!r}; for none write null")
    alone = [strict_yaml.load(value, option)[0] for value in values]
    if alone != told:
        raise ConfigError(f"{option}: cannot be told apart: {text}; put the values in quotes")
    return values


def _axes(overrides: Sequence[str], sweeps: Sequence[str], seeds: str | None) -> list[Axis]:
    """Read all axes; no place may be given twice.

    Raises:
        ConfigError: one line for each fault.
    """
    axes, faults = [], list[str]()
    for text in sweeps:
        try:
            axes.append(parse_axis(text))
        except ConfigError as err:
            faults.append(str(err))
    try:
        if seeds is not None:
            axes.append(Axis(SEED, split_values(seeds, "--seeds")))
    except ConfigError as err:
        faults.append(str(err))
    faults += _given_twice(axes, overrides)
    if faults:
        raise ConfigError("\n".join(printable(fault.replace("\n", " ")) for fault in faults))
    return axes


def _given_twice(axes: Sequence[Axis], overrides: Iterable[str]) -> Iterator[str]:
    """Say which places are set twice, or are in another one that is set."""
    taken = [
        (f"--set {name}", tuple(name.strip().split(".")))
        for name, _, _ in (text.partition("=") for text in overrides)
    ]
    for axis in axes:
        for option, path in taken:
            shorter = min(len(path), len(axis.path))
            if path[:shorter] == axis.path[:shorter]:
                yield f"{axis.option}: {option} is given, too: give one of them"
        taken.append((axis.option, axis.path))


def _as_given(line: str, axes: Sequence[Axis], values: Sequence[str]) -> str:
    """Name the option that a fault is of as it was given, with the value."""
    for axis, value in zip(axes, values, strict=True):
        option = f"--set {show(axis.path)}:"
        if line.startswith(option):
            told = printable(value.replace("\n", " "))
            return f"{axis.option}={told}:{line.removeprefix(option)}"
    return line


def _refuse_equal(members: Sequence[Member]) -> None:
    """Refuse members with equal recipes.

    Raises:
        ConfigError: there are some.
    """
    seen: dict[str, str] = {}
    for member in members:
        digest = recipe_digest(member.recipe)
        if digest in seen:
            raise ConfigError(
                f"--sweep, --seeds: {seen[digest]} and {member.name} are the same recipe: give "
                "each value once"
            )
        seen[digest] = member.name


def _named(recipes: Sequence[Recipe], axes: Sequence[Axis]) -> list[Member]:
    labels = _labels([axis.path for axis in axes])
    chosen = list(product(*(axis.values for axis in axes)))
    parts = [
        [f"{label}-{_safe(_plain(value))}" for label, value in zip(labels, values, strict=True)]
        for values in chosen
    ]
    swept = [place for place, axis in enumerate(axes) if axis.path != SEED]
    names = _unique(["-".join(part) for part in parts], chosen)
    settings = _unique(
        ["-".join(part[place] for place in swept) for part in parts],
        [tuple(values[place] for place in swept) for values in chosen],
    )
    return [
        Member(
            name,
            {show(axes[place].path): _read(values[place]) for place in swept},
            setting,
            recipe,
        )
        for name, setting, values, recipe in zip(names, settings, chosen, recipes, strict=True)
    ]


def _labels(paths: Sequence[tuple[str, ...]]) -> list[str]:
    """Shorten places as far as they stay apart.

    >>> _labels([("data", "alpha"), ("model", "adapter", "alpha"), ("model", "scratch", "seed")])
    ['data.alpha', 'adapter.alpha', 'seed']
    """
    told = []
    for path in paths:
        others = [other for other in paths if other != path]
        length = 1
        while any(other[-length:] == path[-length:] for other in others) and length < len(path):
            length += 1
        told.append(_safe(".".join(path[-length:])))
    return told


def _unique(names: Sequence[str], values: Sequence[tuple[str, ...]]) -> list[str]:
    """Tell names that are too long, or the same to some file system, apart by a digest."""
    owners: dict[str, set[tuple[str, ...]]] = {}
    for name, value in zip(names, values, strict=True):
        owners.setdefault(name.casefold(), set()).add(value)
    return [
        name
        if len(name) <= LONGEST_NAME and len(owners[name.casefold()]) == 1
        else f"{name[:LONGEST_NAME]}-{_digest(value)}"
        for name, value in zip(names, values, strict=True)
    ]


def _digest(values: Sequence[str]) -> str:
    told = json.dumps(list(values))
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def _safe(text: str) -> str:
    """Give a text that any file system takes within a name."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "_", text).strip("_") or "_"


def _plain(value: str) -> str:
    told = _read(value)
    return told if isinstance(told, str) else value


def _read(value: str) -> Any:
    return strict_yaml.load(value, "--sweep")[0]
