"""The model that is trained: its tokenizer, the precision of its weights, its adapter; merging."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from finetune.architectures import auto_class
from finetune.recipe import Adapter, Architecture, Model, Recipe
from finetune.sources import base_of
from finetune.tokenizer import tokenizer_of
from finetune.training.saving import complete, disk_full
from harness.errors import ConfigError, ModelError, printable, unknown
from harness.models import adapter_base
from harness.trust import check_folder, explained, hub_settings, only_numbers

log = logging.getLogger(__name__)

Dtype = Literal["float32", "bfloat16", "float16"]
ASKED, REPLY = "Is water wet?", "Yes, it is."
"""A conversation to try chat templates with."""
ALL_LINEAR = "all-linear"
NO_TRAINER_KEYS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Precision:
    """What a training computes in.

    Attributes:
        weights: dtype of the weights that are loaded; an adapter's own are always float32.
        autocast: what matrix products are computed in, under weights of another dtype.
        device: kind of device: "cuda", "cpu", ...
    """

    weights: Dtype
    autocast: Literal["no", "bf16", "fp16"]
    device: str


def choose_precision(recipe: Recipe) -> Precision:
    """Choose from what is there, unless the recipe says it.

    By itself bfloat16 is taken only where the device computes in it. Where all weights are trained
    they are then kept in float32, and only the products are bfloat16: a bfloat16 weight has 8 bits
    and loses most updates of a finetuning.

    Raises:
        ConfigError: float16 weights cannot be trained that way: updates and gradients underflow.
    """
    device, asked = device_kind(recipe.trainer), recipe.model.dtype
    whole = recipe.model.adapter is None
    if asked == "float16" and (whole or device != "cuda"):
        where = "without an adapter (model.adapter: null)" if whole else f"on {device}"
        raise ConfigError(
            f"model.dtype: float16 weights cannot be trained {where}: small values become 0. "
            "Allowed: auto, float32, bfloat16; float16 only under an adapter, on CUDA"
        )
    if asked == "auto":
        dtype = choose_dtype(recipe.model, device)
        return Precision("float32" if whole else dtype, _autocast(dtype), device)
    if asked == "bfloat16" and whole:
        log.warning(
            "model.dtype: bfloat16 and all weights are trained: small updates are lost; "
            "`auto` keeps them in float32"
        )
    return Precision(asked, _autocast(asked), device)


def choose_dtype(model: Model, device: str | None = None) -> Dtype:
    """Give the dtype that a model is scored in: the recipe's, or what the device computes in."""
    if model.dtype != "auto":
        return model.dtype
    return "bfloat16" if _computes_bfloat16(device or device_kind()) else "float32"


def device_kind(trainer: Mapping[str, Any] = NO_TRAINER_KEYS) -> str:
    """Give the kind of device that Trainer takes ("cuda", "cpu", ...) under these arguments."""
    import torch

    told = os.environ.get("ACCELERATE_USE_CPU", "").lower()  # by `accelerate launch --cpu`
    if trainer.get("use_cpu") or told in {"1", "true", "yes", "on", "y", "t"}:
        return "cpu"
    found = torch.accelerator.current_accelerator(check_available=True)
    return found.type if found else "cpu"


def _computes_bfloat16(device: str) -> bool:
    import torch
    from transformers.utils import is_torch_bf16_gpu_available

    if device == "cuda":  # older GPUs emulate it, several times slower than float32
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device not in {"cpu", "mps"} and bool(is_torch_bf16_gpu_available())


def _autocast(dtype: Dtype) -> Literal["no", "bf16", "fp16"]:
    if dtype == "float32":
        return "no"
    return "bf16" if dtype == "bfloat16" else "fp16"


def load_tokenizer(recipe: Recipe, model: str | None = None, revision: str = "main") -> Any:
    """Load the tokenizer and check that it can be trained with.

    Args:
        model: folder or name on the hub, with `revision`; None: the recipe's.

    Raises:
        ModelError: it cannot be loaded, has no end token, or as `check_tokenizer`.
    """
    if model is None:
        model, revision = base_of(recipe), recipe.model.revision
    tokenizer = tokenizer_of(model, revision)
    check_tokenizer(tokenizer, recipe)
    return tokenizer


def check_tokenizer(tokenizer: Any, recipe: Recipe) -> None:
    """Check that answers can be learnt with a tokenizer as they will be scored.

    Raises:
        ModelError: a chat template was asked for and there is none, or what it renders of a
            question is not what stands before the answer in training.
    """
    if recipe.model.chat_template:
        _check_chat_template(tokenizer, recipe.model.name)


def _check_chat_template(tokenizer: Any, name: str) -> None:
    place = f"model.chat_template: that of {name}"
    if not tokenizer.chat_template:
        raise ModelError(
            f"model.chat_template: {name} has none. Set it to false, or name a chat model"
        )
    bare, prompt, whole = _render(tokenizer, place)
    told = whole.removeprefix(prompt)
    if told == whole:
        raise ModelError(
            f"{place} renders a question otherwise before an answer than for asking it: asked "
            f"{printable(prompt)!r}, answered {printable(whole)!r}. It cannot be trained as scored"
        )
    before, _, after = told.partition(REPLY)
    if before.strip() and bare == prompt:
        raise ModelError(
            f"{place} has no generation prompt: {printable(before)!r} goes before an answer, and "
            "add_generation_prompt does not add it. Add it to the template, or set it to false"
        )
    if before.strip():
        log.warning("%s puts %r before a learnt answer", place, before)
    if not any(token in after for token in tokenizer.all_special_tokens):
        log.warning("%s ends an answer with no special token: its end is not learnt", place)


def _render(tokenizer: Any, place: str) -> tuple[str, str, str]:
    """Give a question without and with generation prompt, and with its answer."""
    asked = [{"role": "user", "content": ASKED}]
    answered = [*asked, {"role": "assistant", "content": REPLY}]
    try:
        bare, whole = (
            str(tokenizer.apply_chat_template(turns, tokenize=False)) for turns in (asked, answered)
        )
        prompt = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    except Exception as err:
        raise ModelError(f"{place} cannot render a question and an answer: {err}") from err
    if REPLY not in whole:
        raise ModelError(f"{place} leaves the answer out: {printable(whole)!r}")
    return bare, str(prompt), whole


def load_model(
    name: str, revision: str, dtype: Dtype, architecture: Architecture = "causal"
) -> Any:
    """Load the full weights of a language model, in main memory.

    Raises:
        ModelError: they are not there, not whole, pickles, or not of a language model of this
            architecture.
    """
    import torch

    _require_whole(name)
    auto = auto_class(architecture)
    told = {"dtype": getattr(torch, dtype), "trust_remote_code": False, **hub_settings(name)}
    try:
        with only_numbers():
            return auto.from_pretrained(name, revision=revision, **told)
    except ModelError:
        raise
    except Exception as err:
        raise ModelError(f"model {name} cannot be loaded: {explained(err)}") from err


def load_frozen(name: str, revision: str, dtype: Dtype) -> Any:
    """Load a model that is only asked.

    Raises:
        ModelError: as `load_model`.
    """
    return load_model(name, revision, dtype).requires_grad_(False).eval()


def load_adapter(model: Any, folder: Path, trainable: bool = True) -> Any:
    """Put a trained adapter on a model; its weights become float32.

    Raises:
        ModelError: it is not there, not whole, or not of this model.
    """
    from peft import PeftModel

    _require_whole(str(folder))
    try:
        with only_numbers():
            return PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)
    except ModelError:
        raise
    except Exception as err:
        raise ModelError(f"adapter {folder} cannot be loaded: {type(err).__name__}: {err}") from err


def _require_whole(name: str) -> None:
    from finetune.checkpoints import fault

    problem = fault(Path(name)) if Path(name).is_dir() else None
    if problem:
        raise ModelError(f"{name}: cannot be loaded: {problem}")
    check_folder(Path(name))


def lora_config(adapter: Adapter, model: Any) -> Any:
    """Give `peft.LoraConfig` of a new adapter.

    Raises:
        ConfigError: as `check_targets`.
    """
    from peft import LoraConfig
    from transformers.pytorch_utils import Conv1D

    check_targets(adapter, model)
    return LoraConfig(
        r=adapter.r,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=ALL_LINEAR if adapter.targets == ALL_LINEAR else _names(adapter),
        task_type="SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM",
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )


def check_targets(adapter: Adapter, model: Any) -> None:
    """Check that an adapter's modules are there.

    Raises:
        ConfigError: one is not, or is the output layer, whose adapter TRL would not train.
    """
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    if adapter.targets == ALL_LINEAR:
        return
    kinds = (nn.Linear, nn.Embedding, Conv1D)
    full = [name for name, module in model.named_modules() if isinstance(module, kinds)]
    output = model.get_output_embeddings()
    for target in _names(adapter):
        found = [name for name in full if name == target or name.endswith(f".{target}")]
        if not found:
            leaves = {name.rsplit(".", 1)[-1] for name in full}
            raise ConfigError(unknown("model.adapter.targets", target, leaves))
        if any(model.get_submodule(name) is output for name in found):
            raise ConfigError(
                f"model.adapter.targets: {target!r} is the output layer, whose adapter cannot be "
                'trained by TRL; leave it out ("all-linear" does)'
            )


def _names(adapter: Adapter) -> list[str]:
    """Give the targets as names: a string alone would be a pattern to PEFT."""
    return [adapter.targets] if isinstance(adapter.targets, str) else list(adapter.targets)


def merge(adapter: Path, done: Path, dtype: Dtype | Literal["auto"] = "auto") -> Path:
    """Save an adapter's base with the adapter merged into it, and the adapter's tokenizer.

    The sum is made in float32 and rounded once, in main memory: 4 bytes a parameter.

    Args:
        done: new folder; complete or not there at all.
        dtype: of what is saved; "auto": that of the base.

    Raises:
        ModelError: adapter or base are not there or not whole.
        TrainingError: the disk is full.
    """
    import torch
    from peft import PeftConfig
    from transformers import AutoConfig, AutoTokenizer

    base = adapter_base(adapter)
    if base is None:
        raise ModelError(f"{adapter}: no adapter: it has no adapter_config.json")
    revision = PeftConfig.from_pretrained(str(adapter)).revision or "main"
    try:
        config = AutoConfig.from_pretrained(base, revision=revision, trust_remote_code=False)
    except Exception as err:
        raise ModelError(f"adapter {adapter}: its base {base} is not found: {err}") from err
    chosen = (config.dtype or torch.float32) if dtype == "auto" else getattr(torch, dtype)
    architecture: Architecture = "seq2seq" if config.is_encoder_decoder else "causal"
    whole = load_model(base, revision, "float32", architecture)
    model = load_adapter(whole, adapter, trainable=False)
    merged = model.merge_and_unload().to(chosen)
    own = (adapter / "tokenizer_config.json").is_file()
    tokenizer = AutoTokenizer.from_pretrained(
        adapter if own else base, revision=revision, trust_remote_code=False
    )
    with disk_full(f"the adapter {adapter} is kept"), complete(done) as folder:
        merged.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return done
