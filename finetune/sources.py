"""What the model of a recipe is called where it is loaded."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from finetune.recipe import DEMO_MODEL, Recipe
from finetune.scratch import scratch_model
from harness.errors import ConfigError
from harness.models import demo_model
from harness.trust import ADAPTER_CONFIG


def base_of(recipe: Recipe) -> str:
    """Give the model before training: a name on the hub, or an absolute path.

    Random weights are made on the first call, and kept.

    Raises:
        ConfigError: it is the folder of an adapter, or a path where there is no folder; or random
            weights cannot be made as they are asked for.
        ModelError: the demonstration model, or the tokenizer of random weights, cannot be had; or
            these cannot be written.
    """
    named = _named(recipe.model.name)
    if recipe.model.scratch is None:
        return named
    return str(scratch_model(recipe.model.scratch, recipe.model.architecture, named))


def _named(name: str) -> str:
    """Give what `model.name` is loaded by."""
    if name == DEMO_MODEL:
        return _demo_model()
    folder = Path(name).expanduser()
    if folder.is_dir():
        if (folder / ADAPTER_CONFIG).is_file():
            raise ConfigError(
                f"model.name: {name} is an adapter; give a whole model (`merge: true` saves one)"
            )
        return str(folder.resolve())
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ConfigError(f"model.name: there is no folder {name!r}")
    return name


@lru_cache(maxsize=1)
def _demo_model() -> str:
    return str(demo_model())
