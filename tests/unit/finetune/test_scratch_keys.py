"""`model.scratch`, checked against transformers' own configuration classes."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch

from finetune.architectures import config_class
from finetune.reading.scratch_keys import scratch_faults
from finetune.recipe import Architecture, Scratch
from finetune.strict import show

SMALL: dict[str, dict[str, Any]] = {
    "t5": {"d_model": 32, "num_layers": 1, "num_heads": 2, "d_kv": 16, "d_ff": 32},
    "bart": {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1},
    "gpt2": {"n_embd": 32, "n_layer": 1, "n_head": 2},
    "llama": {"hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1},
    "bert": {"hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1},
}


def told(kind: str, config: dict[str, Any], architecture: Architecture) -> list[str]:
    found = scratch_faults(Scratch(type=kind, config=config), architecture)
    return [f"{show(fault.place)}: {fault.says}" for fault in found]


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [
        ("t5", "seq2seq"), ("bart", "seq2seq"),
        ("gpt2", "causal"), ("llama", "causal"), ("bert", "causal"),
    ],
)  # fmt: skip
def test_scratch_faults_usual_types_are_taken(kind: str, architecture: Architecture) -> None:
    assert told(kind, {}, architecture) == []
    assert told(kind, SMALL[kind], architecture) == []


@pytest.mark.parametrize(
    ("kind", "architecture", "says"),
    [
        ("lama", "causal", "unknown type: got 'lama'. Did you mean 'llama'"),
        ("T5", "seq2seq", "Did you mean 't5'"),
        ("t6", "seq2seq", "'t5'"),
        ("zzz", "seq2seq", "got 'zzz'. Known: transformers' model types of text"),
        ("t5", "causal", "t5 is of encoder and decoder, but model.architecture is 'causal': set"),
        ("gpt2", "seq2seq", "gpt2 is decoder only, but model.architecture is 'seq2seq': set it"),
        ("bart", "causal", "set it to 'seq2seq'"),
        ("encoder-decoder", "seq2seq", "made of other models"),
        ("whisper", "seq2seq", "transformers has no whisper that is of encoder and decoder"),
    ],
)
def test_scratch_faults_wrong_type_is_told_with_the_way_out(
    kind: str, architecture: Architecture, says: str
) -> None:
    [found] = told(kind, {}, architecture)
    assert found.startswith("model.scratch.type: ")
    assert says in found


@pytest.mark.parametrize(
    ("config", "place", "says"),
    [
        ({"d_modle": 3}, ".d_modle", "unknown key: got 'd_modle'. Did you mean 'd_model'? Known:"),
        ({"hidden_size": 3}, ".hidden_size", "is called 'd_model' by T5Config"),
        ({"torch_dtype": "x"}, ".torch_dtype", "unknown key"),
        ({"vocab_size": 99}, ".vocab_size", "is not taken here; it is the tokenizer's"),
        ({"pad_token_id": 0}, ".pad_token_id", "it is the tokenizer's"),
        ({"decoder_start_token_id": 0}, ".decoder_start_token_id", "it is the tokenizer's"),
        ({"is_encoder_decoder": False}, ".is_encoder_decoder", "set model.architecture"),
        ({"is_decoder": True}, ".is_decoder", "model.architecture says it"),
        ({"d_model": "32"}, ".d_model", "'d_model' expected int, got str (value: '32')"),
        ({"num_layers": 1.5}, ".num_layers", "'num_layers' expected int, got float"),
        ({"dropout_rate": None}, ".dropout_rate", "T5Config refuses it"),
        ({"d_model": -3}, "", "no model can be made of it: RuntimeError"),
        ({"dropout_rate": 5}, "", "between 0 and 1, but got 5"),
        ({"feed_forward_proj": "relo"}, "", "no model can be made of it"),
    ],
)
def test_scratch_faults_wrong_key_is_told_with_the_way_out(
    config: dict[str, Any], place: str, says: str
) -> None:
    [found] = told("t5", config, "seq2seq")
    assert found.startswith(f"model.scratch.config{place}: ")
    assert says in found


def test_scratch_faults_keys_that_do_not_go_together_are_told() -> None:
    [found] = told("bert", {"hidden_size": 33}, "causal")
    assert "model.scratch.config: no model can be made of it" in found
    assert "multiple" in found


def test_scratch_faults_all_keys_are_told_at_once() -> None:
    given = {"d_modle": 3, "vocab_size": 3, "num_layers": "x"}
    found = told("t5", given, "seq2seq")
    assert [line.split(": ")[0] for line in found] == [
        f"model.scratch.config.{key}" for key in given
    ]


@pytest.mark.parametrize("kind", ["t5", "bart", "gpt2", "llama"])
def test_scratch_faults_each_default_of_transformers_is_taken_or_refused_by_name(kind: str) -> None:
    from transformers import PreTrainedConfig

    config = config_class(kind)
    shared = {each.name for each in fields(PreTrainedConfig)} - {"is_encoder_decoder"}
    names = {each.name for each in fields(config)} - shared
    given = {name: getattr(config(), name) for name in names}
    architecture: Architecture = "seq2seq" if config.is_encoder_decoder else "causal"
    assert all(": is not taken here; " in line for line in told(kind, given, architecture))


def test_scratch_faults_draws_no_random_number() -> None:
    before = torch.get_rng_state()
    assert told("t5", SMALL["t5"], "seq2seq") == []
    assert torch.equal(torch.get_rng_state(), before)
