"""What is wrong with parts of a recipe of which each field is right."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from finetune.methods import METHODS
from finetune.reading.scratch_keys import scratch_faults
from finetune.recipe import (
    DEMO_MODEL,
    Asked,
    DistillData,
    LaffiData,
    Model,
    PosedData,
    Recipe,
    Score,
)
from finetune.strict import Fault, Place
from harness.domains import QUESTIONS, build_questions
from harness.errors import ConfigError, unknown
from harness.loading import check_backend
from harness.secrets import without_secrets
from harness.selection import build_manager, match_names


def contradictions(place: Place, part: Any) -> Iterator[Fault]:
    """Say what is wrong with a part: fields that cannot stand together, names of nothing there is.

    Args:
        place: of the part.
        part: a dataclass of `finetune.recipe`.
    """
    if isinstance(part, Model):
        yield from _model_faults(place, part)
    elif isinstance(part, Recipe):
        yield from _recipe_faults(part)
    elif isinstance(part, LaffiData):
        yield from _annotation_faults(place, part)
    elif isinstance(part, PosedData):
        yield from _column_faults((*place, "columns"), part)
        if isinstance(part, DistillData):
            yield from _explanation_faults(place, part)
    elif isinstance(part, Score):
        manager = build_manager()
        yield from _task_faults((*place, "tasks"), part.tasks, manager)
        yield from _task_faults((*place, "retention"), part.retention, manager)
    elif isinstance(part, Asked):
        yield from _asked_faults(place, part)


def _model_faults(place: Place, model: Model) -> Iterator[Fault]:
    if model.merge and model.adapter is None:
        yield Fault((*place, "merge"), "needs an adapter, but model.adapter is null")
    if model.chat_template and model.architecture == "seq2seq":
        yield Fault(
            (*place, "chat_template"),
            "is true, but a model of encoder and decoder is asked without one: set it to false",
        )
    if model.scratch is None:
        if model.name == DEMO_MODEL and model.revision != "main":
            yield Fault((*place, "revision"), f"{DEMO_MODEL} has none: leave it out")
        return
    if model.revision != "main":
        yield Fault(
            (*place, "revision"),
            f"is {model.revision!r}, but random weights (model.scratch) have none: leave it out; "
            "for a tokenizer of that revision give its folder as model.name",
        )
    if model.adapter is not None:
        yield Fault(
            (*place, "adapter"),
            "an adapter changes what a model knows, and random weights (model.scratch) know "
            "nothing: set it to null",
        )
    yield from scratch_faults(model.scratch, model.architecture)


def _recipe_faults(recipe: Recipe) -> Iterator[Fault]:
    model, data = recipe.model, recipe.data
    adapter = model.adapter
    dpo = METHODS[recipe.method].configs.get(model.architecture) == "DPOConfig"
    if dpo and adapter and adapter.dropout and recipe.trainer.get("disable_dropout", True):
        yield Fault(
            ("model", "adapter", "dropout"),
            f"is {adapter.dropout:g}, but trl.DPOConfig.disable_dropout, true by default, "
            "turns it off: leave it out, or set trainer.disable_dropout: false",
        )
    if recipe.teacher is not None and (without := _without_teacher(recipe)):
        yield Fault(
            ("teacher",),
            f"without effect, it writes nothing: {without}; leave it out",
        )
    if recipe.teacher is None and data.asks_teacher and model.scratch is not None:
        yield Fault(
            ("teacher",),
            "is null, so that random weights (model.scratch) would write the training set: "
            "name a model",
        )


def _without_teacher(recipe: Recipe) -> str | None:
    """Name what keeps a teacher from ever being asked, or None.

    One that people's share alone makes needless may stand: sweeps change that share.
    """
    data = recipe.data
    if isinstance(data, LaffiData):
        return f"data.annotator is {data.annotator!r}" if data.annotator != "ai" else None
    if data.asks_teacher:
        return None
    if isinstance(data, DistillData):
        return f"data.explanations is {data.explanations!r}"
    return f"{recipe.method} asks no teacher"


def _annotation_faults(place: Place, data: LaffiData) -> Iterator[Fault]:
    """Say what is wrong with people's part; a share of 0 leaves their file unread, for sweeps."""
    share, file = data.human_fraction, data.annotations
    if share and file is None:
        yield Fault(
            (*place, "human_fraction"),
            f"is {share:g}, but data.annotations is null: name the file of feedback by people "
            "(`selfcheck annotate export` writes what they fill in), or set this to 0",
        )
    if file is None:
        return
    if not Path(file).expanduser().is_file():
        where = "" if Path(file).expanduser().is_absolute() else f" in {Path.cwd()}"
        yield Fault(
            (*place, "annotations"),
            f"there is no file {file!r}{where}: name what `selfcheck annotate import` wrote",
        )


def _explanation_faults(place: Place, data: DistillData) -> Iterator[Fault]:
    if data.explanations == "given":
        if data.explanation is None:
            yield Fault(
                (*place, "explanation"),
                "is null, but data.explanations is 'given': name the column that has them",
            )
        return
    for name in ("explanation", "teacher_answer"):
        column = getattr(data, name)
        if column is not None:
            yield Fault(
                (*place, name),
                f"is {column!r}, without effect: data.explanations is {data.explanations!r}, and "
                "the teacher explains; set that to 'given', or leave this out",
            )


def _asked_faults(place: Place, asked: Asked) -> Iterator[Fault]:
    import harness.planted  # noqa: F401  (registers the planted models)

    try:
        check_backend(asked.model)
    except ConfigError as err:
        yield Fault((*place, "model"), str(err))
    for name, value in asked.args.items():
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
