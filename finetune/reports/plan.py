"""What a recipe would do, before anything is trained: for `selfcheck finetune --dry-run`."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

from finetune.architectures import OF
from finetune.asking import teacher_of
from finetune.finetuning import check_models, find_documents
from finetune.methods import METHODS
from finetune.recipe import Recipe, Trainings
from finetune.scoring import evaluated_tasks, has_simulator, simulator_of
from finetune.stages import Documents
from finetune.teacher import Teacher
from finetune.training.footprint import Memory, count_parameters, estimate_memory


@dataclass(frozen=True)
class Planned:
    """What a recipe would do.

    Attributes:
        steps: of one training, at most.
        trainable, parameters: of the model; numbers.
        scored: task -> documents.
    """

    documents: Documents
    trainings: Trainings
    steps: int
    trainable: int
    parameters: int
    memory: Memory
    scored: dict[str, int]


def plan(recipe: Recipe) -> Planned:
    """Count what a recipe would do; the model's weights are not loaded.

    Raises:
        ConfigError, DataError: as `finetune.finetuning.find_documents`, or the adapter has no place
            in the model.
        ModelError: the model's configuration or tokenizer cannot be had.
    """
    tasks = evaluated_tasks(recipe)
    documents = find_documents(recipe, tasks)
    check_models(recipe)
    trainable, parameters = count_parameters(recipe)
    trainings = recipe.data.trainings(len(documents.kept.docs))
    subset = recipe.score.subset
    sizes = {name: len(task.split.docs) for name, task in tasks.items()}
    return Planned(
        documents,
        trainings,
        steps(recipe.trainer, trainings.rows),
        trainable,
        parameters,
        estimate_memory(recipe),
        {name: min(subset or size, size) for name, size in sizes.items()},
    )


def model_label(recipe: Recipe) -> str:
    """Say what is trained."""
    model = recipe.model
    if model.scratch is None:
        return f"{model.name}, {OF[model.architecture]}"
    return (
        f"random {model.scratch.type}, {OF[model.architecture]}, of seed {model.scratch.seed}; "
        f"with the tokenizer of {model.name}"
    )


def steps(trainer: Any, rows: int) -> int:
    """Count the optimizer's steps over so many rows, as transformers' Trainer does.

    >>> steps({"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}, 20)
    9
    """
    if trainer.get("max_steps", -1) > 0:
        return int(trainer["max_steps"])
    ranks = int(os.environ.get("WORLD_SIZE", 1))
    batch = trainer.get("per_device_train_batch_size", 8) * ranks
    batches = math.ceil(rows / batch)
    updates: int = math.ceil(batches / trainer.get("gradient_accumulation_steps", 1))
    epochs: float = trainer.get("num_train_epochs", 3.0)
    return math.ceil(epochs * updates)


def lines(planned: Planned, recipe: Recipe) -> list[str]:
    """Say a plan line by line."""
    kept, told = planned.documents.kept, planned.trainings
    share = planned.trainable / planned.parameters
    equal = ", the same in each" if METHODS[recipe.method].compares else ""
    return [
        f"method      {recipe.method}, {told.times} {told.what}",
        f"model       {model_label(recipe)}",
        f"data        {planned.documents.split.ref}: {len(kept.docs)} documents "
        f"({len(kept.leaked)} left out, they match what is scored)",
        f"training    at most {told.rows} rows and {planned.steps} steps, {told.times} times"
        f"{equal}",
        f"parameters  {planned.trainable:,} of {planned.parameters:,} are trained ({share:.2%})",
        *(f"memory      {line}" for line in planned.memory.lines()),
        *([f"teacher     {teacher_of(recipe).label}"] if recipe.data.asks_teacher else []),
        *(
            [f"simulator   {Teacher.of(simulator_of(recipe)).label}"]
            if has_simulator(recipe)
            else []
        ),
        *(f"scored      {name}: {size} documents" for name, size in planned.scored.items()),
    ]
