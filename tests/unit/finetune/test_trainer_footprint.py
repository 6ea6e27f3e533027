"""Parameters and memory of a training, told without loading it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    T5ForConditionalGeneration,
)

from finetune.recipe import Adapter, Architecture, DistillData, GrathData, Recipe
from finetune.training.footprint import Memory, count_parameters, estimate_memory
from harness.errors import ConfigError, ModelError
from tests.tiny import byte_tokenizer, save_tiny_gpt2, save_tiny_llama, save_tiny_t5
from tests.trainings import ADAPTER, recipe, run

pytestmark = pytest.mark.slow

MB = 1_000_000


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.mark.parametrize("adapter", [ADAPTER, Adapter(r=2, targets=["q_proj"]), None])
@pytest.mark.parametrize("dpo", [False, True])
def test_count_parameters_counts_what_a_training_has(
    adapter: Adapter | None, dpo: bool, tiny: Path, tmp_path: Path
):
    told = recipe(tiny, adapter=adapter, dpo=dpo, max_steps=1)
    trained = run(told, tmp_path)
    assert count_parameters(told) == (trained.trainable, trained.parameters)


def test_count_parameters_counts_shared_weights_once(tiny: Path, tmp_path: Path):
    for model in (tiny, save_tiny_gpt2(tmp_path)):
        loaded = AutoModelForCausalLM.from_pretrained(model)
        size = sum(weight.numel() for weight in loaded.parameters())
        assert count_parameters(recipe(model, adapter=None)) == (size, size)


def test_count_parameters_of_an_adapter_is_rank_times_both_widths(tiny: Path):
    """q_proj of 2 layers is 32 to 32 wide: 2 * 3 * (32 + 32) numbers at rank 3."""
    told = recipe(tiny, adapter=Adapter(r=3, targets=["q_proj"]))
    assert count_parameters(told)[0] == 2 * 3 * 64


def test_count_parameters_names_the_module_that_was_meant(tiny: Path):
    with pytest.raises(ConfigError, match="Did you mean 'gate_proj'"):
        count_parameters(recipe(tiny, adapter=Adapter(targets=["gate_poj"])))


def test_count_parameters_model_that_is_none_is_told(tmp_path: Path):
    with pytest.raises(ModelError, match="the configuration of"):
        count_parameters(recipe(tmp_path))


def test_count_parameters_loads_no_weights(tiny: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("was loaded")
    )
    assert count_parameters(recipe(tiny))[0] > 0


def test_estimate_memory_adds_up_what_is_known_exactly(tiny: Path):
    """Numbers are float32 on CPUs: 4 bytes a weight, 4 a gradient, 8 for AdamW's averages."""
    trainable, total = count_parameters(recipe(tiny))
    told = estimate_memory(recipe(tiny))
    assert told.weights == 4 * total
    assert (told.gradients, told.optimizer, told.reference) == (4 * trainable, 8 * trainable, 0)
    assert told.total == sum(
        [told.weights, told.gradients, told.optimizer, told.activations, told.logits]
    )


def test_estimate_memory_reference_is_counted_where_a_second_model_is_held(tiny: Path):
    once, twice = recipe(tiny, dpo=True), recipe(tiny, dpo=True)
    once = replace(once, data=GrathData(questions="x", rounds=1))
    size = 4 * (count_parameters(once)[1] - count_parameters(once)[0])
    assert estimate_memory(once).reference == 0  # the model without its adapter
    assert estimate_memory(twice).reference == size
    current = replace(once, data=GrathData(questions="x", rounds=3, reference="current"))
    assert estimate_memory(current).reference == 0
    assert estimate_memory(recipe(tiny, dpo=True, adapter=None)).reference == size


def test_estimate_memory_orders_the_ways_to_train(tiny: Path):
    def total(**options) -> int:
        return estimate_memory(recipe(tiny, **options)).total

    assert total() < total(adapter=None)
    assert total() < total(dpo=True)  # pairs, and a reference
    assert total(activation_checkpointing=True) < total()
    assert total(per_device_train_batch_size=1) < total(per_device_train_batch_size=8)
    assert estimate_memory(recipe(tiny), longest=16).total < total()


def distilled(model: Path, architecture: Architecture = "causal", **trainer: Any) -> Recipe:
    told = recipe(model, adapter=None, **trainer)
    data = DistillData(questions="x/y", kind="options", explanations="given", explanation="why")
    model_of = replace(told.model, architecture=architecture)
    return replace(told, method="distill", data=data, model=model_of)


def test_estimate_memory_of_a_lesson_is_of_two_sequences(tiny: Path):
    once, twice = estimate_memory(recipe(tiny, adapter=None)), estimate_memory(distilled(tiny))
    assert twice.activations == 2 * once.activations
    assert (twice.weights, twice.reference) == (once.weights, 0)


def test_estimate_memory_of_an_encoder_decoder_counts_both_and_all_logits(tmp_path: Path):
    """Batches of 2 lessons: 4 sequences of 16 tokens; 2 + 2 layers, 32 wide; 258 symbols."""
    model = save_tiny_t5(tmp_path)
    told = distilled(model, "seq2seq", activation_checkpointing=False)
    size = sum(w.numel() for w in T5ForConditionalGeneration.from_pretrained(model).parameters())
    assert count_parameters(told) == (size, size)
    memory = estimate_memory(told, longest=16)
    assert memory.activations == 4 * 16 * 32 * (2 + 2) * 17 * 4
    assert memory.logits == 4 * 16 * 258 * 2 * 4
    assert estimate_memory(told).longest == 1024


def test_count_parameters_of_the_other_architecture_is_told(tmp_path: Path):
    with pytest.raises(ModelError, match="no language model, decoder only"):
        count_parameters(recipe(save_tiny_t5(tmp_path), adapter=None))


def test_memory_lines_say_the_sum_and_its_parts():
    told = Memory(1500 * MB, 0, 2 * MB, 4 * MB, 80 * MB, 300_000, 512)
    assert told.lines() == [
        "about 1.59 GB on each device with rows of 512 tokens, "
        "while it is trained, by a rule of thumb",
        "weights 1.5 GB, gradients 2 MB, optimizer 4 MB, activations 80 MB, logits 300 kB",
    ]


def save_wide_llama(folder: Path) -> Path:
    """Save one whose weights outweigh the libraries' own memory: 50 million parameters."""
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=1024,
        intermediate_size=2816,
        num_hidden_layers=4,
        num_attention_heads=8,
        bos_token_id=0,
        eos_token_id=0,
        max_position_embeddings=128,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


MEASURE = """
import sys
from pathlib import Path
from psutil import Process
from finetune.training.footprint import estimate_memory
from finetune.recipe import GrathData
from tests.trainings import *
from dataclasses import replace
model, place, kind = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
told = recipe(model, dpo=kind != "sft", adapter=None if "all" in kind else ADAPTER, max_steps=2,
              save_strategy="no")
start = None
if kind == "dpo":
    told = replace(told, data=GrathData(questions="x", rounds=1))
before = Process().memory_info().rss
trained = run(told, place)
print(trained.peak_memory - before, estimate_memory(told, longest=40).total)
"""


def test_estimate_memory_is_of_the_size_that_is_measured(tmp_path: Path):
    """Loosely: the process keeps what it freed, and a checkpoint is a second copy for a moment."""
    model = save_wide_llama(tmp_path / "model")
    measured, estimated = {}, {}
    for kind in ("sft", "dpo", "dpo, all weights"):
        command = [sys.executable, "-c", MEASURE, str(model), str(tmp_path / kind), kind]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
        measured[kind], estimated[kind] = map(int, done.stdout.split()[-2:])
    assert sorted(measured, key=measured.__getitem__) == sorted(
        estimated, key=estimated.__getitem__
    )
    for kind in measured:
        assert 0.4 < estimated[kind] / measured[kind] < 2.5, (kind, measured, estimated)
