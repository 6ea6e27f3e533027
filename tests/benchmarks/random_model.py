"""Llamas of about a given size with random weights: speed does not depend on what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

SHAPES = {  # billions of parameters: layers, hidden size, intermediate size, heads, key-value heads
    1.0: (16, 2048, 8192, 32, 8),
    7.0: (32, 4096, 11008, 32, 32),
}


def random_model(
    billions: float, tokenizer: Path, *, device: str, dtype: str, batch_size: int
) -> Any:
    """Make a model on a device; `tokenizer` is a folder that has one."""
    layers, hidden, intermediate, heads, shared = SHAPES[billions]
    text = AutoTokenizer.from_pretrained(tokenizer)
    config = LlamaConfig(
        vocab_size=len(text),
        num_hidden_layers=layers,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_attention_heads=heads,
        num_key_value_heads=shared,
        max_position_embeddings=8192,
        dtype=dtype,
    )
    with torch.device(device):
        model = LlamaForCausalLM._from_config(config, dtype=getattr(torch, dtype))
    return HFLM(pretrained=model, tokenizer=text, batch_size=batch_size)
