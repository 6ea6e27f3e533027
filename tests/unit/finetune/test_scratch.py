"""Random weights: made once, the same for a seed, named by all they depend on."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from finetune import scratch as scratch_module
from finetune.architectures import config_class
from finetune.checkpoints import fault
from finetune.recipe import Adapter, Architecture, DistillData, Model, Recipe, Score, Scratch
from finetune.scratch import scratch_model, token_ids
from finetune.sources import base_of
from harness.errors import ConfigError, ModelError
from tests.tiny import byte_tokenizer, save_tiny_llama
from tests.trainings import equal, weights

T5 = Scratch(type="t5", config={"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1})
GPT2 = Scratch(type="gpt2", config={"n_embd": 16, "n_layer": 1, "n_head": 2})


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A folder with a tokenizer that has a padding token of its own."""
    folder = tmp_path / "tokenizer"
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Goes to another user's cache, in which nothing is."""

    def go() -> None:
        monkeypatch.setenv("SELFCHECK_HOME", str(tmp_path / "elsewhere"))

    return go


def make(told: Scratch, tokenizer: Path, architecture: Architecture = "seq2seq") -> Path:
    return scratch_model(told, architecture, str(tokenizer))


def test_scratch_model_is_a_whole_folder_in_the_users_cache(
    tokenizer: Path, tmp_path: Path
) -> None:
    folder = make(T5, tokenizer)

    assert folder.parent == tmp_path / "home" / "models"
    assert folder.name.startswith("random-t5-")
    assert fault(folder) is None
    left = {path.name for path in folder.parent.iterdir()} - {folder.name}
    assert left <= {f"{folder.name}.lock"}
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    own = AutoTokenizer.from_pretrained(folder)
    assert own.get_vocab() == byte_tokenizer().get_vocab()
    assert (model.config.d_model, model.config.vocab_size) == (16, len(own))
    assert model.generate(torch.tensor([[5, 6]]), max_new_tokens=2).shape[1] <= 3


def test_scratch_model_equal_seeds_are_equal_weights_wherever_they_are_made(
    tokenizer: Path, elsewhere: Callable[[], None]
) -> None:
    first = make(T5, tokenizer)
    torch.manual_seed(99)
    elsewhere()
    second = make(T5, tokenizer)

    assert first != second
    assert first.name == second.name
    assert equal(first, second)


@pytest.mark.parametrize(
    "other",
    [
        replace(T5, seed=1),
        replace(T5, config={**T5.config, "num_layers": 2}),
        replace(T5, type="mt5"),
    ],
)
def test_scratch_model_other_settings_are_another_folder(tokenizer: Path, other: Scratch) -> None:
    first, second = make(T5, tokenizer), make(other, tokenizer)

    assert first != second
    assert first.is_dir()
    assert not equal(first, second)


def test_scratch_model_other_tokenizer_is_another_folder_a_copy_is_not(
    tokenizer: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tokenizer, copy)
    other = byte_tokenizer()
    other.add_tokens(["<more>"])
    other.save_pretrained(tmp_path / "other")

    first, second = make(T5, tokenizer), make(T5, tmp_path / "other")

    assert make(T5, copy) == first
    assert first != second
    assert weights(second)["shared.weight"].shape[0] == weights(first)["shared.weight"].shape[0] + 1


def test_scratch_model_is_made_once(tokenizer: Path) -> None:
    folder = make(T5, tokenizer)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}

    assert make(T5, tokenizer) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_scratch_model_leaves_random_states_as_they_were(tokenizer: Path) -> None:
    before = torch.get_rng_state()

    make(T5, tokenizer)

    assert torch.equal(torch.get_rng_state(), before)


def test_scratch_model_that_cannot_be_saved_leaves_nothing(
    tokenizer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, folder: Path) -> None:
        Path(folder).mkdir()
        (Path(folder) / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("transformers.PreTrainedModel.save_pretrained", full)
        with pytest.raises(ModelError, match=r"No space left.*SELFCHECK_HOME"):
            make(T5, tokenizer)

    assert [path.suffix for path in (tmp_path / "home" / "models").iterdir()] == [".lock"]
    assert fault(make(T5, tokenizer)) is None


def test_scratch_model_end_token_pads_where_no_other_does(tmp_path: Path) -> None:
    bare = save_tiny_llama(tmp_path / "llama", chat=None)  # its tokenizer pads with nothing

    both = AutoModelForSeq2SeqLM.from_pretrained(make(T5, bare)).config
    alone = AutoModelForCausalLM.from_pretrained(make(GPT2, bare, "causal")).config

    assert (both.eos_token_id, both.pad_token_id, both.decoder_start_token_id) == (0, 0, 0)
    assert (alone.eos_token_id, alone.pad_token_id) == (0, None)


def test_token_ids_are_the_tokenizers() -> None:
    told = token_ids(byte_tokenizer(), config_class("bart"))

    assert told == {
        "eos_token_id": 0,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "decoder_start_token_id": 1,
        "forced_eos_token_id": None,
    }
    assert "decoder_start_token_id" not in token_ids(byte_tokenizer(), config_class("gpt2"))


def test_scratch_model_type_that_can_be_both_decodes_alone(tokenizer: Path) -> None:
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    folder = make(Scratch(type="bert", config=small), tokenizer, "causal")
    model = AutoModelForCausalLM.from_pretrained(folder).eval()

    with torch.inference_mode():
        once, again = (model(torch.tensor([[5, 6, last]])).logits[0, 1] for last in (7, 8))

    assert torch.equal(once, again)  # what comes later is not seen


def test_scratch_model_tokenizer_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.name: the tokenizer of .* cannot be loaded"):
        make(T5, tmp_path)


def test_scratch_model_tokenizer_without_an_end_is_told(tmp_path: Path) -> None:
    endless = byte_tokenizer()
    endless.eos_token = None
    endless.save_pretrained(tmp_path / "endless")

    with pytest.raises(ModelError, match="has no eos_token"):
        make(T5, tmp_path / "endless")


def test_scratch_model_what_transformers_cannot_make_is_told(tokenizer: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.scratch: no t5 can be made of it: .*negative"):
        make(Scratch(type="t5", config={"d_model": -1}), tokenizer)


def test_base_of_random_weights_is_their_folder(
    tokenizer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(
        method="distill",
        model=Model(
            name=str(tokenizer),
            architecture="seq2seq",
            scratch=T5,
            chat_template=False,
            adapter=None,
        ),
        data=DistillData(questions="x/y", kind="options"),
        score=Score(tasks=["x"]),
    )
    base = base_of(recipe)
    monkeypatch.setattr(scratch_module, "_make", lambda *_: pytest.fail("was made again"))

    assert base_of(recipe) == base == str(make(T5, tokenizer))
    named = replace(recipe.model, scratch=None, adapter=Adapter())
    assert base_of(replace(recipe, model=named)) == str(tokenizer)


TOGETHER = """
import sys
from finetune.recipe import Scratch
from finetune.scratch import scratch_model
config = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1}
print(scratch_model(Scratch(type="t5", config=config), "seq2seq", sys.argv[1]))
"""


@pytest.mark.slow
def test_scratch_model_is_made_once_by_several_processes(tokenizer: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", TOGETHER, str(tokenizer)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = [process.communicate(timeout=300) for process in running]

    assert [process.returncode for process in running] == [0, 0, 0], told
    folders = {out.strip() for out, _ in told}
    assert len(folders) == 1
    assert fault(Path(folders.pop())) is None
    kept = [path for path in (tmp_path / "home" / "models").iterdir() if path.is_dir()]
    assert len(kept) == 1
