"""What the model of a recipe is called where it is loaded."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from finetune.recipe import DEMO_MODEL, Recipe
from harness.errors import ConfigError
from harness.models import ADAPTER_CONFIG, demo_model


def base_of(recipe: Recipe) -> str:
    """Give the model before training: a name on the hub, or an absolute path.

    Raises:
        ConfigError: it is the folder of an adapter, or a path where there is no folder.
        ModelError: the demonstration model cannot be had.
    """
    name = recipe.model.name
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
