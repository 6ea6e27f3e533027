"""Decoder only, or encoder and decoder: what transformers has of each. It is imported on use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from finetune.recipe import Architecture

OF: Mapping[Architecture, str] = {
    "causal": "decoder only",
    "seq2seq": "of encoder and decoder",
}
"""Architectures in words."""


def auto_class(architecture: Architecture) -> Any:
    """Give the class of transformers that loads an architecture."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    return AutoModelForCausalLM if architecture == "causal" else AutoModelForSeq2SeqLM


def types_of(architecture: Architecture) -> frozenset[str]:
    """Name the types of models that transformers can load as an architecture."""
    from transformers.models.auto import modeling_auto as auto

    if architecture == "causal":
        return frozenset(auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    return frozenset(auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES)


def config_class(kind: str) -> Any:
    """Give the configuration class of a type that transformers knows."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return CONFIG_MAPPING[kind]


def implied(config: Any, architecture: Architecture) -> dict[str, bool]:
    """Give the arguments that follow from the architecture: BERT's type, alone, is to decode.

    Args:
        config: the configuration class.
    """
    own = {each.name for each in fields(config)}
    return {"is_decoder": True} if architecture == "causal" and "is_decoder" in own else {}


def token_fields(config: Any) -> list[str]:
    """Name a configuration class's special tokens."""
    return [each.name for each in fields(config) if each.name.endswith("_token_id")]
