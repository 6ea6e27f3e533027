"""Base and checkpoints are scored alike: the recipe's tasks, on the same documents."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.asking import load_args
from finetune.checkpoints import identity
from finetune.recipe import Asked, Recipe
from finetune.sources import base_of
from harness import evaluate
from harness.base_task import SelfcheckTask
from harness.cluster.current import measured
from harness.data import Split
from harness.errors import ConfigError, TrainingError
from harness.plan import Plan
from harness.run_files import RECORD, StoredRun, read_run, write_run
from harness.selection import build_manager, load_tasks, match_names
from harness.simulator import KEYS
from harness.whole_files import write_text

log = logging.getLogger(__name__)


def plan_for(recipe: Recipe, checkpoint: str | Path) -> Plan:
    """Plan the scoring of the base or of a checkpoint."""
    chat = recipe.model.chat_template
    return Plan(
        model="hf",
        model_args=load_args(recipe, checkpoint),
        tasks=(*recipe.score.tasks, *recipe.score.retention),
        subset=recipe.score.subset,
        subset_seed=recipe.score.subset_seed,
        batch_size=recipe.score.batch_size,
        metadata=_metadata(recipe),
        options={"apply_chat_template": True, "fewshot_as_multiturn": True} if chat else {},
    )


def simulator_of(recipe: Recipe) -> Asked:
    """Give who simulates: as the recipe says, or the model as it was before training."""
    chat = recipe.model.chat_template
    return recipe.score.simulator or Asked(
        args=load_args(recipe, base_of(recipe)), chat_template=chat
    )


def evaluated_tasks(recipe: Recipe) -> dict[str, SelfcheckTask]:
    """Build the tasks, with their data.

    Raises:
        ConfigError: one is unknown or no task of ours.
        DataError, MissingDataError: its data is not there, or not as it must be.
    """
    return evaluate.check(plan_for(recipe, base_of(recipe)))


def evaluated_splits(tasks: Mapping[str, SelfcheckTask]) -> list[Split]:
    """Give the splits that tasks score, each once."""
    return list({task.split.fingerprint: task.split for task in tasks.values()}.values())


def score(recipe: Recipe, checkpoint: str | Path, folder: Path) -> StoredRun | None:
    """Score a model into the folder of a run, unless that is there and whole.

    A run in which a task failed is made again. Beside the folder is kept whose scores they are.

    Returns:
        The run; None on every rank but the first.

    Raises:
        ModelError: the model cannot be loaded, or cannot do what was asked.
        TrainingError: the run that is there is of other weights.
    """
    owner, scored = owner_of(folder), identity(checkpoint)
    if (folder / RECORD).is_file():
        if owner.is_file() and owner.read_text(encoding="utf-8") != scored:
            raise TrainingError(
                f"{folder}: is a run of other weights than {checkpoint} now holds; remove it to "
                "score again"
            )
        stored = read_run(folder)
        if not any(task.failed for task in stored.tasks.values()):
            return stored
        log.info("%s: a task failed, scoring again", folder)
    with measured(plan_for(recipe, checkpoint), folder) as run:
        if run is None:
            return None
        shutil.rmtree(folder, ignore_errors=True)
        write_text(owner, scored)
        write_run(run, folder)
    return read_run(folder)


def owner_of(run: Path) -> Path:
    """Give the file that says whose scores a run holds: `finetune.checkpoints.identity`."""
    return run.with_name(f"{run.name}.model")


def _metadata(recipe: Recipe) -> dict[str, Any]:
    if not has_simulator(recipe):
        _refuse_without_effect(recipe)
        return {}
    asked = simulator_of(recipe)
    told: dict[str, Any] = dict(
        zip(KEYS, (asked.model, dict(asked.args), asked.chat_template), strict=True)
    )
    if recipe.score.follow_up_count is not None:
        told["follow_up_count"] = recipe.score.follow_up_count
    return told


def has_simulator(recipe: Recipe) -> bool:
    """Say whether one of the recipe's tasks has a simulator."""
    manager = build_manager()
    names = match_names((*recipe.score.tasks, *recipe.score.retention), manager)
    tasks = load_tasks(names, manager)
    return any(getattr(task, "simulated_by", None) is not None for task in tasks.values())


def _refuse_without_effect(recipe: Recipe) -> None:
    for name in ("simulator", "follow_up_count"):
        if getattr(recipe.score, name) is not None:
            raise ConfigError(f"score.{name}: without effect, none of the tasks has a simulator")
