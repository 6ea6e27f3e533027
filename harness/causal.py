"""Which models can score packed rows: what a pass must be able to rely on, and the pass itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

KeysValues = list[tuple[Tensor, Tensor]]
KINDS = {"full_attention", "sliding_attention", "global"}
ORDINARY_LAYERS = ("DynamicLayer", "DynamicSlidingWindowLayer")
MASKED = ("eager", "sdpa")  # attention that takes a mask of our own
# adapters that change weights, each token by itself; others add tokens or look at the whole row
ADAPTERS = frozenset(
    "LORA ADALORA IA3 LOHA LOKR OFT BOFT LN_TUNING VERA FOURIERFT HRA MISS RANDLORA SHIRA C3A "
    "ROAD WAVEFT DELORA GRALORA TRAINABLE_TOKENS".split()
)
# tests/integration/test_shared_prefixes.py shows that they are exact beyond their windows
WINDOWED = frozenset(
    "cohere2 exaone4 gemma2 gemma3 gemma3_text gpt_oss ministral mistral mixtral olmo3 phi3 "
    "starcoder2".split()
)
CHANGING_ROPE = ("dynamic", "longrope")


class UnpackableError(Exception):
    """Why a model cannot score packed rows."""


@dataclass(frozen=True)
class Causal:
    """A decoder-only model of lm-eval's HF backend whose tokens see what a mask lets them see.

    Attributes:
        lm: lm-eval's `HFLM`.
        window: how far a token of a layer with sliding attention sees; None if no layer has it, or
            no sequence is so long.
        mixed: whether only some layers have it.
    """

    lm: Any
    window: int | None = None
    mixed: bool = False

    @classmethod
    def of(cls, lm: Any, longest: int) -> Causal:
        """Take a model, to score sequences of at most `longest` tokens.

        Raises:
            UnpackableError: it is no such model, or is not known to be one.
        """
        _check_backend(lm)
        _check_adapter(lm.model)
        inner = _inner(lm.model)
        _check_class(inner)
        config = inner.config.get_text_config(decoder=True)
        _check_positions(config, longest)
        windows = _windows(config)
        limits = {window for window in windows if window is not None and window < longest}
        if len(limits) > 1:
            raise UnpackableError(f"its layers have windows of {sorted(limits)} tokens")
        _check_windows(inner.config.model_type, config, limits, longest)
        if not limits:
            return cls(lm)
        return cls(lm, limits.pop(), mixed=None in windows)

    def forward(
        self,
        tokens: Tensor,
        positions: Tensor,
        mask: Tensor | Mapping[str, Tensor] | None,
        past: KeysValues,
        chosen: Tensor,
    ) -> tuple[Tensor, KeysValues]:
        """Run the model on rows of tokens.

        Args:
            tokens: ids, (rows, tokens).
            positions: of the tokens in their sequences, (rows, tokens).
            mask: as `harness.prefix.Trie.attends`, with a dimension for heads; None is causal.
            past: keys and values of prefixes, per layer (rows, heads, keys, size).
            chosen: numbers of the tokens in the flattened rows whose logits are wanted, (chosen,).

        Returns:
            Logits, (chosen, vocabulary), and keys and values of prefixes and tokens, per layer.

        Raises:
            UnpackableError: the model does not go through its output embedding once.
        """
        from transformers import DynamicCache

        cache = DynamicCache(past or None)
        calls = 0

        def choose(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
            nonlocal calls
            calls += 1
            hidden = args[0]
            return (hidden.flatten(0, 1)[chosen.to(hidden.device)][None], *args[1:])

        head = _inner(self.lm.model).get_output_embeddings()
        hook = head.register_forward_pre_hook(choose)
        dtype = self.lm.mixed_precision_dtype
        try:
            with (
                torch.no_grad(),
                torch.autocast(self.lm.device.type, dtype=dtype, enabled=dtype is not None),
            ):
                told = self.lm.model(
                    input_ids=tokens,
                    position_ids=positions,
                    attention_mask=mask,
                    past_key_values=cache,
                    use_cache=True,
                )
        finally:
            hook.remove()
        if calls != 1:
            raise UnpackableError(f"it used its output embedding {calls} times in a pass")
        return told.logits[0], [(layer.keys, layer.values) for layer in cache.layers]

    def mask(self, full: Tensor, windowed: Tensor | None) -> Tensor | dict[str, Tensor]:
        """Give masks, (rows, queries, keys), as the model takes them."""
        wide = self._as_taken(full)
        if windowed is None:
            return wide
        narrow = self._as_taken(windowed)
        return {"full_attention": wide, "sliding_attention": narrow} if self.mixed else narrow

    def _as_taken(self, mask: Tensor) -> Tensor:
        mask = mask[:, None]
        if _attention(self.lm.model) != "eager":
            return mask
        allowed = torch.zeros(mask.shape, dtype=self.dtype, device=mask.device)
        return allowed.masked_fill_(~mask, torch.finfo(self.dtype).min)

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        dtype: torch.dtype = self.lm.mixed_precision_dtype or self.lm.model.dtype
        return dtype

    @contextmanager
    def masked_attention(self) -> Iterator[None]:
        """Have the model use attention that takes a mask, for a while.

        Raises:
            UnpackableError: it uses another and cannot change.
        """
        inner, own = _inner(self.lm.model), _attention(self.lm.model)
        if own in MASKED:
            yield
            return
        if not (inner._can_set_attn_implementation() and inner._supports_sdpa):
            raise UnpackableError(f"its attention, {own}, takes no mask, and it has no sdpa")
        inner.set_attn_implementation("sdpa")
        try:
            yield
        finally:
            inner.set_attn_implementation(own)


def _inner(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _attention(model: Any) -> str:
    return str(_inner(model).config.get_text_config(decoder=True)._attn_implementation)


def _check_backend(lm: Any) -> None:
    from lm_eval.models.huggingface import HFLM

    if type(lm) is not HFLM:
        raise UnpackableError(f"it runs in {type(lm).__name__}, not in lm-eval's HFLM")
    if lm.backend != "causal":
        raise UnpackableError("it has an encoder and a decoder")


def _check_adapter(model: Any) -> None:
    for adapter in getattr(model, "peft_config", {}).values():
        kind = str(getattr(adapter.peft_type, "value", adapter.peft_type))
        activated = getattr(adapter, "alora_invocation_tokens", None)
        if adapter.is_prompt_learning or activated or kind not in ADAPTERS:
            raise UnpackableError(f"its adapter, {kind}, may add tokens or depend on the whole row")


def _check_class(model: Any) -> None:
    from transformers import PreTrainedModel

    if not isinstance(model, PreTrainedModel) or not type(model).__module__.startswith(
        "transformers."
    ):
        raise UnpackableError(f"{type(model).__name__} is not transformers' own code")
    if model._is_stateful:
        raise UnpackableError("it has recurrent or convolutional layers")
    if model.config.is_encoder_decoder:
        raise UnpackableError("it has an encoder and a decoder")
    takes = inspect.signature(model.forward).parameters
    for name in ("position_ids", "attention_mask", "past_key_values"):
        if name not in takes:
            raise UnpackableError(f"it takes no {name} (as models with ALiBi do not)")
    if model.get_output_embeddings() is None:
        raise UnpackableError("it has no output embedding")
    if any(hasattr(weight, "device_mesh") for weight in model.parameters()):
        raise UnpackableError("its weights are spread over processes (tensor parallelism)")


def _check_positions(config: Any, longest: int) -> None:
    if getattr(config, "alibi", False):
        raise UnpackableError("its positions are ALiBi's, told from the places in a row")
    if getattr(config, "use_bidirectional_attention", False) or not getattr(
        config, "is_causal", True
    ):
        raise UnpackableError("its attention may look ahead")
    for rope in _ropes(getattr(config, "rope_parameters", None) or {}):
        scaled_from = rope.get("original_max_position_embeddings") or getattr(
            config, "original_max_position_embeddings", None
        )
        limit = scaled_from or getattr(config, "max_position_embeddings", None) or 0
        if rope.get("rope_type") in CHANGING_ROPE and longest > limit:
            raise UnpackableError(
                f"its rotary positions ({rope['rope_type']}) change with the length of the row "
                f"beyond {limit} tokens"
            )


def _ropes(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [told, *(part for part in told.values() if isinstance(part, Mapping))]


def _check_windows(kind: str, config: Any, limits: set[int], longest: int) -> None:
    """Some models have a window whatever their layer types say, others ignore one that they name.

    Raises:
        UnpackableError: which it is has not been shown.
    """
    named = getattr(config, "sliding_window", None)
    if not limits and named and named < longest:
        raise UnpackableError(f"it names a window of {named} tokens that no layer seems to have")
    if limits and kind not in WINDOWED:
        raise UnpackableError(f"the windows of {kind} have not been shown to be exact")


def _windows(config: Any) -> list[int | None]:
    """Give the window of every layer, None for full attention.

    Raises:
        UnpackableError: a layer is neither.
    """
    from transformers import DynamicCache

    kinds = set(getattr(config, "layer_types", None) or ())
    kinds |= {kind for group in getattr(config, "attention_types", ()) for kind in group[0]}
    if kinds - KINDS:
        raise UnpackableError(f"it has layers of other kinds: {', '.join(sorted(kinds - KINDS))}")
    layers = DynamicCache(config=config).layers
    for layer in layers:
        if type(layer).__name__ not in ORDINARY_LAYERS:
            raise UnpackableError(f"a layer keeps its past in a {type(layer).__name__}")
    return [getattr(layer, "sliding_window", None) for layer in layers]
