"""A model's configuration, before its weights are loaded: whether it is what its recipe says."""

from __future__ import annotations

from typing import Any

from finetune.architectures import OF, types_of
from finetune.recipe import Architecture, Recipe
from finetune.sources import base_of
from harness.errors import ConfigError, ModelError
from harness.trust import explained


def load_config(recipe: Recipe, model: str | None = None, revision: str = "main") -> Any:
    """Load the configuration of a model.

    Args:
        model: folder or name on the hub, with `revision`; None: the recipe's, before training.

    Raises:
        ModelError: it cannot be had.
    """
    from transformers import AutoConfig

    if model is None:
        model, revision = base_of(recipe), recipe.model.revision
    try:
        return AutoConfig.from_pretrained(model, revision=revision, trust_remote_code=False)
    except Exception as err:
        raise ModelError(
            f"model.name: the configuration of {model} cannot be had: {explained(err)}"
        ) from err


def check_architecture(recipe: Recipe) -> None:
    """Check that the model is what the recipe says, by its configuration.

    Raises:
        ConfigError: it is of the other architecture, or of a kind that is not loaded as that.
        ModelError: its configuration cannot be had, or says not how its decoder begins.
    """
    config, asked = load_config(recipe), recipe.model.architecture
    found: Architecture = "seq2seq" if config.is_encoder_decoder else "causal"
    if found != asked:
        raise ConfigError(
            f"model.architecture: is {asked!r}, but {recipe.model.name} is {OF[found]} "
            f"({config.model_type}): set it to {found!r}, or name another model"
        )
    if found == "seq2seq" and config.model_type not in types_of(found):
        raise ConfigError(
            f"model.name: {recipe.model.name} ({config.model_type}) takes no text that it could "
            "answer: name a model as T5 or BART are"
        )
    if found == "seq2seq" and getattr(config, "decoder_start_token_id", None) is None:
        raise ModelError(
            f"model.name: the configuration of {recipe.model.name} lacks decoder_start_token_id, "
            "with which the decoder begins; add it there (T5 has that of its padding token)"
        )
