"""The trainer's configuration: our defaults, the recipe's `trainer`, what early stopping needs.

Which keys a recipe may give is `finetune.reading.trainer_rules`' matter.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from finetune.methods import config_of
from finetune.recipe import Recipe
from finetune.training.base_model import Precision
from harness.errors import ConfigError

PATIENCE = 1
"""Epochs without a lower dev loss after which training stops."""
PARTS = 20
"""A training is saved, and told of, at each of so many parts of its steps."""
EARLY_STOPPING = {
    "eval_strategy": "epoch",
    "save_strategy": "epoch",  # as load_best_model_at_end demands
    "load_best_model_at_end": True,
    "metric_for_best_model": "eval_loss",
    "greater_is_better": False,
    "restore_callback_states_from_checkpoint": True,  # or patience would start anew
}


def trainer_config(
    recipe: Recipe,
    precision: Precision,
    work: Path,
    *,
    dev: bool,
    learning_rate: float | None,
) -> Any:
    """Give the method's configuration of TRL or transformers; it starts accelerate's processes.

    Args:
        work: the trainer's own folder.
        dev: whether there are rows to watch the loss on, for early stopping.
        learning_rate: instead of the recipe's.

    Raises:
        ConfigError: it refuses an argument.
    """
    given = dict(recipe.trainer)
    if learning_rate is not None:
        given["learning_rate"] = learning_rate
    if dev and given.get("save_strategy", "epoch") != "epoch":
        raise ConfigError("trainer.save_strategy: early stopping saves at each epoch; leave it out")
    own = {
        **(EARLY_STOPPING if dev else {}),
        "output_dir": str(work),
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "bf16": precision.autocast == "bf16",  # TRL's default is on, even where it is slow
        "fp16": precision.autocast == "fp16",
        "logging_nan_inf_filter": False,  # it would hide that a training diverged
    }
    try:
        return _config_class(recipe)(**{**_defaults(precision), **given, **own})
    except (TypeError, ValueError) as err:
        raise ConfigError(f"trainer: {err}") from err


def _config_class(recipe: Recipe) -> Any:
    import transformers
    import trl

    name = config_of(recipe)
    return getattr(transformers if name == "Seq2SeqTrainingArguments" else trl, name)


def _defaults(precision: Precision) -> dict[str, Any]:
    on_cpu = precision.device == "cpu"
    return {
        "use_cpu": on_cpu,
        "activation_checkpointing": not on_cpu,  # a fifth slower, for memory that CPUs have
        "report_to": "none",
        "logging_steps": 1,  # a loss that is NaN is seen at its step
        "save_strategy": "steps",
        "save_steps": 1 / PARTS,
        "save_total_limit": 2,
        "disable_tqdm": not sys.stderr.isatty(),
    }
