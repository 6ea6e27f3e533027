"""Recipe files: YAML, read strictly; all faults are told at once, before anything is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from finetune.methods import METHODS
from finetune.reading import strict_yaml
from finetune.reading.contradictions import contradictions
from finetune.reading.overrides import Override, apply_overrides, parse_overrides, source_of
from finetune.reading.trainer_keys import trainer_faults
from finetune.recipe import Architecture, LaffiData, Name, Recipe
from finetune.strict import Fault, Reader, show
from harness.errors import ConfigError, printable


def read_recipe(file: Path, overrides: Sequence[str] = (), *, annotated: bool = True) -> Recipe:
    """Read a recipe.

    Args:
        file: YAML.
        overrides: as given with `--set`: "a.b=c" sets the place a.b to c, which is YAML, too.
        annotated: whether the feedback of people that it asks for is to be there already.

    Raises:
        ConfigError: one line for each fault: its place, what is wrong and what is allowed.
    """
    given, faults = parse_overrides(overrides)
    written, repeated = _read(file)
    faults += [f"{file}: {fault}" for fault in repeated]
    told, misplaced = apply_overrides(written, given)
    faults += misplaced
    recipe, wrong = _check(told, annotated)
    faults += [_line(fault, file, written, given) for fault in wrong]
    if faults or recipe is None:
        raise ConfigError("\n".join(printable(fault.replace("\n", " ")) for fault in faults))
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """Write a recipe, all defaults included; `read_recipe` reads an equal one."""
    return strict_yaml.dump(_plain(asdict(recipe)))


def recipe_digest(recipe: Recipe) -> str:
    """Give the sha256 of a recipe: the same for equal recipes, however they are written."""
    canonical = json.dumps(_whole(_plain(asdict(recipe))), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read(file: Path) -> tuple[dict[str, Any], list[str]]:
    """Read the mapping that a recipe is, and say which keys are repeated."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as err:
        raise ConfigError(f"{file}: there is no such recipe") from err
    except OSError as err:
        raise ConfigError(f"{file}: cannot be read: {err.strerror}") from err
    except UnicodeDecodeError as err:
        raise ConfigError(f"{file}: is not text in UTF-8: {err}") from err
    told, repeated = strict_yaml.load(text, str(file))
    if not isinstance(told, dict):
        what = "is empty" if told is None else f"holds {str(told)[:60]!r}"
        keys = ", ".join(Recipe.__dataclass_fields__)
        raise ConfigError(f"{file}: {what}; a recipe is a mapping with the keys {keys}")
    return told, repeated


def _check(told: Mapping[str, Any], annotated: bool) -> tuple[Recipe | None, list[Fault]]:
    reader = Reader()
    method = _method(told)
    recipe = reader.fields(Recipe, told, (), {"data": METHODS[method].data if method else Any})
    if method:
        found = _method_faults(method, told)
        reader.faults += [fault for fault in found if fault not in reader.faults]
    for place, part in reader.built.items():
        if annotated or not isinstance(part, LaffiData):
            reader.faults += contradictions(place, part)
    return (None if reader.faults else recipe), reader.faults


def _method(told: Mapping[str, Any]) -> Name | None:
    """Give the method, or the one that a misspelt name is nearest to: its faults are told, too."""
    names = {str(name): name for name in METHODS}
    near = get_close_matches(str(told.get("method")), names, n=1)
    return names[near[0]] if near else None


def _method_faults(method: Name, told: Mapping[str, Any]) -> list[Fault]:
    """Say what a method cannot train, and what is wrong with the arguments of its trainer.

    For an architecture that it cannot train, the arguments are those of one that it can.
    """
    configs, trainer = METHODS[method].configs, told.get("trainer")
    asked, faults = _architecture(told), []
    if asked not in configs:
        known = " or ".join(map(repr, configs))
        says = f"is {asked!r}, but {method} trains {known} only: set it to that"
        faults.append(Fault(("model", "architecture"), says))
    if isinstance(trainer, dict):
        config = configs[asked if asked in configs else next(iter(configs))]
        faults += trainer_faults(METHODS[method], config, trainer)
    return faults


def _architecture(told: Mapping[str, Any]) -> Architecture:
    """Give the architecture as it is told; what is no architecture counts as the default."""
    model = told.get("model")
    asked = model.get("architecture") if isinstance(model, dict) else None
    return next((known for known in get_args(Architecture) if known == asked), "causal")


def _line(fault: Fault, file: Path, written: Any, overrides: Sequence[Override]) -> str:
    override = source_of(fault.place, written, overrides)
    place = show(fault.place)
    if override is None:
        return f"{file}: {place}: {fault.says}"
    deeper = "" if fault.place == override.path else f"{place}: "
    return f"{override.option}: {deeper}{fault.says}"


def _plain(told: Any) -> Any:
    """Give lists for tuples."""
    if isinstance(told, Mapping):
        return {key: _plain(part) for key, part in told.items()}
    return [_plain(part) for part in told] if isinstance(told, list | tuple) else told


def _whole(told: Any) -> Any:
    """Give whole numbers for floats that are equal to them: 1.0 and 1 are the same in a recipe."""
    if isinstance(told, Mapping):
        return {key: _whole(part) for key, part in told.items()}
    if isinstance(told, list):
        return [_whole(part) for part in told]
    return int(told) if isinstance(told, float) and told.is_integer() else told
