"""The models of a recipe as lm-eval loads them: to be scored, to write training rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finetune.recipe import Recipe
from finetune.sources import base_of
from finetune.teacher import Teacher
from finetune.training.base_model import choose_dtype


def load_args(recipe: Recipe, checkpoint: str | Path) -> dict[str, Any]:
    """Give lm-eval's arguments for the base, or for a checkpoint of it."""
    told = {"pretrained": str(checkpoint), "dtype": choose_dtype(recipe.model)}
    if recipe.model.revision != "main":
        told["revision"] = recipe.model.revision
    return told


def model_as_teacher(recipe: Recipe, checkpoint: str | Path) -> Teacher:
    """Let the model itself, or a checkpoint of it, write training rows."""
    return Teacher("hf", load_args(recipe, checkpoint), recipe.model.chat_template)


def teacher_of(recipe: Recipe) -> Teacher:
    """Give who writes training rows: as the recipe says, or the model itself."""
    if recipe.teacher is None:
        return model_as_teacher(recipe, base_of(recipe))
    return Teacher.of(recipe.teacher)
