"""Recipe files: YAML, read strictly; all faults are told at once, before anything is loaded."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from finetune.methods import METHODS
from finetune.reading import strict_yaml
from finetune.reading.overrides import Override, apply_overrides, parse_overrides, source_of
from finetune.reading.trainer_keys import trainer_faults
from finetune.recipe import DEMO_MODEL, Asked, Model, Name, PosedData, Recipe, Score
from finetune.strict import Fault, Place, Reader, show
from harness.domains import QUESTIONS, build_questions
from harness.errors import ConfigError, printable, unknown
from harness.loading import check_backend
from harness.secrets import without_secrets
from harness.selection import build_manager, match_names


def read_recipe(file: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        file: YAML.
        overrides: as given with `--set`: "a.b=c" sets the place a.b to c, which is YAML, too.

    Raises:
        ConfigError: one line for each fault: its place, what is wrong and what is allowed.
    """
    given, faults = parse_overrides(overrides)
    written, repeated = _read(file)
    faults += [f"{file}: {fault}" for fault in repeated]
    told, misplaced = apply_overrides(written, given)
    faults += misplaced
    recipe, wrong = _check(told)
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


def _check(told: Mapping[str, Any]) -> tuple[Recipe | None, list[Fault]]:
    reader = Reader()
    method = _method(told)
    recipe = reader.fields(Recipe, told, (), {"data": METHODS[method].data if method else Any})
    trainer = told.get("trainer")
    if method and isinstance(trainer, dict):
        found = trainer_faults(METHODS[method], trainer)
        reader.faults += [fault for fault in found if fault not in reader.faults]
    for place, part in reader.built.items():
        reader.faults += _contradictions(place, part)
    return (None if reader.faults else recipe), reader.faults


def _method(told: Mapping[str, Any]) -> Name | None:
    """Give the method, or the one that a misspelt name is nearest to: its faults are told, too."""
    names = {str(name): name for name in METHODS}
    near = get_close_matches(str(told.get("method")), names, n=1)
    return names[near[0]] if near else None


def _line(fault: Fault, file: Path, written: Any, overrides: Sequence[Override]) -> str:
    override = source_of(fault.place, written, overrides)
    place = show(fault.place)
    if override is None:
        return f"{file}: {place}: {fault.says}"
    deeper = "" if fault.place == override.path else f"{place}: "
    return f"{override.option}: {deeper}{fault.says}"


def _contradictions(place: Place, part: Any) -> Iterator[Fault]:
    """Say what is wrong with a part of which each field is right."""
    if isinstance(part, Model):
        if part.merge and part.adapter is None:
            yield Fault((*place, "merge"), "needs an adapter, but model.adapter is null")
        if part.name == DEMO_MODEL and part.revision != "main":
            yield Fault((*place, "revision"), f"{DEMO_MODEL} has none: leave it out")
    elif isinstance(part, Recipe):
        adapter, dpo = part.model.adapter, METHODS[part.method].config == "DPOConfig"
        if dpo and adapter and adapter.dropout and part.trainer.get("disable_dropout", True):
            yield Fault(
                ("model", "adapter", "dropout"),
                f"is {adapter.dropout:g}, but trl.DPOConfig.disable_dropout, true by default, "
                "turns it off: leave it out, or set trainer.disable_dropout: false",
            )
    elif isinstance(part, PosedData):
        yield from _column_faults((*place, "columns"), part)
    elif isinstance(part, Score):
        manager = build_manager()
        yield from _task_faults((*place, "tasks"), part.tasks, manager)
        yield from _task_faults((*place, "retention"), part.retention, manager)
    elif isinstance(part, Asked):
        yield from _backend_faults((*place, "model"), part.model)
        for name, value in part.args.items():
            if without_secrets({name: value}) != {name: value}:
                yield Fault(
                    (*place, "args", name),
                    "looks like a secret, and recipes are stored with results: "
                    "set it in the environment (OPENAI_API_KEY, HF_TOKEN)",
                )


def _task_faults(place: Place, patterns: Sequence[str], manager: Any) -> Iterator[Fault]:
    try:
        match_names(patterns, manager)
    except ConfigError as err:
        yield from (Fault(place, says) for says in str(err).split("\n"))


def _backend_faults(place: Place, model: str) -> Iterator[Fault]:
    import harness.planted  # noqa: F401  (registers the planted models)

    try:
        check_backend(model)
    except ConfigError as err:
        yield Fault(place, str(err))


def _column_faults(place: Place, data: PosedData) -> Iterator[Fault]:
    roles = inspect.signature(QUESTIONS[data.kind]).parameters
    strange = [role for role in data.columns if role not in roles]
    for role in strange:
        yield Fault((*place, role), unknown("key", role, roles))
    try:
        build_questions(data.kind, {r: c for r, c in data.columns.items() if r in roles})
    except ConfigError as err:
        yield Fault(place, str(err).removeprefix("columns: "))
    asked = data.columns.get("question", data.question if not data.columns else "question")
    if asked != data.question:
        yield Fault((*place, "question"), f"is {asked!r}, but data.question is {data.question!r}")


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
