"""A model's tokenizer, by its name or folder, with which answers can be learnt. Imported on use."""

from __future__ import annotations

from typing import Any

from harness.errors import ModelError
from harness.trust import explained


def tokenizer_of(model: str, revision: str = "main") -> Any:
    """Load the tokenizer of a model.

    Args:
        model: folder, or name on the hub, with `revision`.

    Raises:
        ModelError: it cannot be loaded, or has no end token.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision, trust_remote_code=False)
    except Exception as err:
        raise ModelError(
            f"model.name: the tokenizer of {model} cannot be loaded: {explained(err)}"
        ) from err
    if tokenizer.eos_token is None:
        raise ModelError(
            f"model.name: the tokenizer of {model} has no eos_token, which ends answers"
        )
    return tokenizer
