"""Whether a model is what its recipe says, told by its configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from transformers import T5Config, WhisperConfig

from finetune.architectures import types_of
from finetune.finetuning import check_models
from finetune.recipe import Architecture, Recipe
from finetune.training.configuration import check_architecture
from harness.errors import ConfigError, ModelError
from tests.tiny import byte_tokenizer
from tests.trainings import recipe


def told(model: Path, architecture: Architecture) -> Recipe:
    made = recipe(model, adapter=None)
    return replace(made, model=replace(made.model, architecture=architecture))


def test_check_architecture_right_one_is_taken(tiny_gpt2: Path, tiny_t5: Path) -> None:
    check_architecture(told(tiny_gpt2, "causal"))
    check_architecture(told(tiny_t5, "seq2seq"))


def test_check_models_other_architecture_is_told_before_weights_are_loaded(
    tiny_gpt2: Path, tiny_t5: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "transformers.PreTrainedModel.from_pretrained", lambda *_, **__: pytest.fail("was loaded")
    )
    with pytest.raises(ConfigError, match=r"model\.architecture: is 'causal', but .* of encoder"):
        check_models(told(tiny_t5, "causal"))
    with pytest.raises(ConfigError, match=r"is decoder only \(gpt2\): set it to 'causal', or name"):
        check_models(told(tiny_gpt2, "seq2seq"))


def test_check_architecture_model_that_hears_is_refused(tmp_path: Path) -> None:
    WhisperConfig().save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"\(whisper\) takes no text"):
        check_architecture(told(tmp_path, "seq2seq"))


def test_check_architecture_decoder_without_a_beginning_is_told(tmp_path: Path) -> None:
    T5Config().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="lacks decoder_start_token_id"):
        check_architecture(told(tmp_path, "seq2seq"))


def test_check_architecture_no_model_at_all_is_told(tmp_path: Path) -> None:
    byte_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="the configuration of"):
        check_architecture(told(tmp_path, "causal"))


def test_types_of_knows_what_recipes_name() -> None:
    assert {"gpt2", "llama", "qwen3"} <= types_of("causal")
    assert {"t5", "bart", "mt5"} <= types_of("seq2seq")
    assert not {"t5", "mt5"} & types_of("causal")
