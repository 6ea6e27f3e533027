"""Tiny random models of transformers' architectures, with weights so large that faults show."""

from __future__ import annotations

from typing import Any

import torch
from lm_eval.models.huggingface import HFLM

from tests.tiny import byte_tokenizer

COMMON: dict[str, Any] = {
    "vocab_size": 258,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "num_experts": 4,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
}
OTHER_NAMES = {
    "n_embd": 32,
    "n_layer": 4,
    "n_head": 4,
    "n_positions": 512,
    "d_model": 32,
    "n_layers": 4,
    "n_heads": 4,
    "ffn_dim": 64,
    "word_embed_proj_dim": 32,
}
BASE = {name: COMMON[name] for name in ("vocab_size", "num_hidden_layers", "num_attention_heads")}
LATENT = {
    **BASE,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_key_value_heads": 4,
    "moe_intermediate_size": 16,
    "n_routed_experts": 4,
    "n_group": 2,
    "topk_group": 1,
    "num_experts_per_tok": 2,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
    "qk_nope_head_dim": 8,
    "first_k_dense_replace": 1,
    "n_shared_experts": 1,
}
OWN: dict[str, dict[str, Any]] = {  # architectures that the common settings do not fit
    "falcon": {**BASE, "hidden_size": 32, "num_kv_heads": 2, "new_decoder_architecture": True},
    "gptj": {**BASE, "n_embd": 32, "n_layer": 4, "n_head": 4, "n_positions": 512, "rotary_dim": 4},
    "codegen": {**BASE, "n_embd": 32, "n_layer": 4, "n_head": 4, "rotary_dim": 4},
    "gpt_neo": {"vocab_size": 258, "hidden_size": 32, "num_layers": 2, "num_heads": 4},
    "gemma3": {
        "text_config": {**COMMON, "model_type": "gemma3_text"},
        "vision_config": {
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
        "mm_tokens_per_image": 4,
    },
    "deepseek_v2": LATENT,
    "deepseek_v3": LATENT,
}


def tiny_config(kind: str, **changes: Any) -> Any:
    """Make the configuration of a tiny model; what it does not know is ignored.

    Raises:
        Exception: whatever the configuration refuses.
    """
    from transformers import CONFIG_MAPPING

    if kind in OWN:
        return CONFIG_MAPPING[kind](**{**OWN[kind], **changes})
    try:
        config = CONFIG_MAPPING[kind](**{**COMMON, **changes})
        if config.get_text_config(decoder=True).hidden_size == COMMON["hidden_size"]:
            return config
    except (AttributeError, TypeError, ValueError):
        pass
    return CONFIG_MAPPING[kind](**{**COMMON, **OTHER_NAMES, **changes})


def tiny_model(config: Any, *, seed: int = 0, spread: float = 0.25, attention: str = "") -> Any:
    """Make a decoder with normal random weights of this spread."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    chosen = {"attn_implementation": attention} if attention else {}
    model = AutoModelForCausalLM.from_config(config, **chosen).eval()
    for weight in model.parameters():
        if weight.dim() >= 2:
            torch.nn.init.normal_(weight, 0, spread)
    return model


def as_lm(model: Any, **options: Any) -> HFLM:
    """Wrap a model, with a tokenizer whose tokens are bytes."""
    settings = {"backend": "causal", "batch_size": 4, "max_length": 160, **options}
    return HFLM(pretrained=model, tokenizer=byte_tokenizer(), **settings)
