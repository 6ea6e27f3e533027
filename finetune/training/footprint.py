"""How many parameters a recipe trains, and about how much memory that takes; nothing is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from finetune.architectures import OF, auto_class
from finetune.recipe import DistillData, GrathData, Recipe
from finetune.sources import base_of
from finetune.training.base_model import choose_precision, lora_config
from finetune.training.configuration import load_config
from finetune.training.quiet import quiet_libraries
from finetune.training.saving import REFERENCE
from harness.errors import ModelError

SIZES: Mapping[str, int] = {"float32": 4, "bfloat16": 2, "float16": 2}
ACTIVATIONS = 17
"""Numbers kept for the backward pass per token, layer and hidden unit: 34 bytes of 2 each.

Source: Korthikanti et al. 2022, arXiv:2205.05198, section 4.1, without the attention matrix, which
fused attention does not keep.
"""
TILE = (4096, 32768)
"""Tokens and vocabulary of the part of the logits that TRL's loss holds at a time (trl 1.16)."""
DEFAULT_BATCH, DEFAULT_LENGTH = 8, 1024  # transformers', TRL's


@dataclass(frozen=True)
class Memory:
    """A rule of thumb, in bytes on each device.

    Attributes:
        weights: of the model, and of its adapter in float32.
        reference: a second model, whose log-probabilities DPO compares with.
        gradients: of what is trained.
        optimizer: AdamW's two averages.
        activations: kept from the forward pass for the backward pass.
        logits: of the output layer, while the loss is taken.
        longest: tokens of the longest row, for which this is; no part of the sum.
    """

    weights: int
    reference: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    longest: int

    @property
    def parts(self) -> dict[str, int]:
        """What the sum is of."""
        told = asdict(self)
        del told["longest"]
        return told

    @property
    def total(self) -> int:
        """The sum."""
        return sum(self.parts.values())

    def lines(self) -> list[str]:
        """Say it: the sum, then its parts."""
        told = ", ".join(f"{name} {_size(size)}" for name, size in self.parts.items() if size)
        return [
            f"about {_size(self.total)} on each device with rows of {self.longest} tokens, "
            "while it is trained, by a rule of thumb",
            told,
        ]


def count_parameters(recipe: Recipe) -> tuple[int, int]:
    """Count what is trained, and all there is with the adapter.

    Raises:
        ConfigError: a module that the adapter names is not there.
        ModelError: the model's configuration cannot be had.
    """
    model = _empty(recipe)
    if recipe.model.adapter is not None:
        from peft import get_peft_model

        with quiet_libraries():
            model = get_peft_model(model, lora_config(recipe.model.adapter, model))
    return count(model)


def count(model: Any) -> tuple[int, int]:
    """Count a model's parameters: those that are trained, and all; not TRL's reference adapter."""
    own = [one for name, one in model.named_parameters() if f".{REFERENCE}." not in name]
    sizes = [(weight.numel(), weight.requires_grad) for weight in own]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def estimate_memory(recipe: Recipe, longest: int | None = None) -> Memory:
    """Estimate the memory of the training that takes most.

    Args:
        longest: tokens of the longest row; None: as long as they may be.

    Raises:
        ConfigError, ModelError: as `count_parameters`, `choose_precision`.
    """
    trainable, total = count_parameters(recipe)
    precision, config = choose_precision(recipe), load_config(recipe).get_text_config()
    whole, size = recipe.model.adapter is None, SIZES[precision.weights]
    trained_size = size if whole else SIZES["float32"]
    base = total if whole else total - trainable
    batch, length = _batch(recipe, config, longest)
    units = batch * length * config.hidden_size
    kept = 2 if precision.autocast != "no" else size
    layers = _layers(config)
    checkpointing = recipe.trainer.get("activation_checkpointing", precision.device != "cpu")
    numbers = layers + ACTIVATIONS if checkpointing else layers * ACTIVATIONS
    tile = _logits(config, batch * length)
    return Memory(
        weights=base * size + (0 if whole else trainable * trained_size),
        reference=base * size if _has_reference(recipe) else 0,
        gradients=trainable * trained_size,
        optimizer=2 * trainable * trained_size,
        activations=units * numbers * kept,
        logits=2 * tile * SIZES["float32"],
        longest=length,
    )


def _batch(recipe: Recipe, config: Any, longest: int | None) -> tuple[int, int]:
    """Give sequences in a batch, two to a pair or lesson, and tokens of the longest."""
    batch = int(recipe.trainer.get("per_device_train_batch_size", DEFAULT_BATCH))
    window = getattr(config, "max_position_embeddings", None)
    most = recipe.trainer.get("max_length", DEFAULT_LENGTH)
    length = min(size for size in (longest, most, window, DEFAULT_LENGTH * 1024) if size)
    return batch * (2 if isinstance(recipe.data, GrathData | DistillData) else 1), length


def _layers(config: Any) -> int:
    """Count the layers, of an encoder and a decoder those of both."""
    layers = int(config.num_hidden_layers)
    if not config.is_encoder_decoder:
        return layers
    told = (getattr(config, name, None) for name in ("num_decoder_layers", "decoder_layers"))
    return layers + next((int(size) for size in told if size is not None), layers)


def _logits(config: Any, tokens: int) -> int:
    """Count the logits that are held at a time; an encoder-decoder holds all of them."""
    if config.is_encoder_decoder:
        return tokens * int(config.vocab_size)
    return min(tokens, TILE[0]) * min(int(config.vocab_size), TILE[1])


def _has_reference(recipe: Recipe) -> bool:
    """Say whether a second model is held: with a new adapter, the model without it serves."""
    if not isinstance(recipe.data, GrathData):
        return False
    later = recipe.data.rounds > 1 and recipe.data.reference == "pretrained"
    return recipe.model.adapter is None or later


def _empty(recipe: Recipe) -> Any:
    """Make the model without values."""
    import torch

    config, architecture = load_config(recipe), recipe.model.architecture
    try:
        with torch.device("meta"):
            return auto_class(architecture).from_config(config)
    except Exception as err:
        raise ModelError(
            f"model.name: {base_of(recipe)} is no language model, {OF[architecture]}: {err}"
        ) from err


def _size(size: int) -> str:
    """Write a number of bytes.

    >>> _size(1500), _size(2_500_000_000)
    ('1.5 kB', '2.5 GB')
    """
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"
