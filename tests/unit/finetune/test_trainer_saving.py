"""What is left on disk: complete or not there, found from everywhere, and without surprises."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

from finetune.checkpoints import fault
from finetune.training.base_model import merge
from finetune.training.resume import last_checkpoint
from finetune.training.saving import complete, disk_full, partial_of
from harness.errors import ModelError, TrainingError
from harness.models import adapter_base
from tests.tiny import CHAT_TEMPLATE, save_tiny_gpt2, save_tiny_llama
from tests.trainings import equal, recipe, run, weights

pytestmark = pytest.mark.slow

TOKENIZER = {"chat_template.jinja", "tokenizer.json", "tokenizer_config.json"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    told = recipe(tiny, dpo=True, learning_rate=5e-2)
    return run(told, tmp_path_factory.mktemp("adapter")).folder


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_train_leaves_the_adapter_with_its_tokenizer_and_names_the_base(tiny: Path, adapter: Path):
    assert names(adapter) == {"adapter_config.json", "adapter_model.safetensors", *TOKENIZER}
    assert adapter_base(adapter) == str(tiny.resolve())
    assert AutoTokenizer.from_pretrained(adapter).chat_template == CHAT_TEMPLATE
    assert fault(adapter) is None
    assert {weight.dtype for weight in weights(adapter).values()} == {torch.float32}


def test_train_names_the_base_absolutely_if_it_was_given_relatively(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tiny.parent)
    trained = run(recipe(Path(tiny.name), max_steps=1), tmp_path)
    assert adapter_base(trained.folder) == str(tiny.resolve())


def test_train_names_a_hub_base_with_its_revision(tmp_path: Path):
    from finetune.training.saving import _name_base

    file = tmp_path / "adapter_config.json"
    file.write_text('{"r": 8, "base_model_name_or_path": "/cache/x", "revision": null}')
    _name_base(file, "some/model", "abc")
    told = {"r": 8, "base_model_name_or_path": "some/model", "revision": "abc"}
    assert json.loads(file.read_text()) == told
    _name_base(file, "some/model", "main")
    assert json.loads(file.read_text())["revision"] is None


def test_train_leaves_the_whole_model_ready_to_generate(tiny: Path, tmp_path: Path):
    trained = run(recipe(tiny, adapter=None), tmp_path)
    config = {"config.json", "generation_config.json"}
    assert names(trained.folder) == {"model.safetensors", *config, *TOKENIZER}
    assert fault(trained.folder) is None
    loaded = AutoModelForCausalLM.from_pretrained(trained.folder)
    assert loaded.config.use_cache  # Trainer turns it off
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight


def test_train_leaves_no_pickle_to_be_loaded(tiny: Path, adapter: Path, tmp_path: Path):
    whole = run(recipe(tiny, adapter=None, max_steps=1), tmp_path).folder
    for folder in (adapter, whole):
        assert not [name for name in names(folder) if name.endswith((".bin", ".pt", ".pth"))]


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_as_safetensors_says(*_: Any, **__: Any) -> None:
    from safetensors import SafetensorError

    raise SafetensorError(
        "Error while serializing: I/O error: No space left on device (os error 28)"
    )


def full_as_torch_says(*_: Any, **__: Any) -> None:
    raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")


FULL = [full, full_as_safetensors_says, full_as_torch_says]


@pytest.mark.parametrize("fails", FULL)
def test_train_disk_full_at_the_end_keeps_the_checkpoint_and_goes_on(
    fails: Any, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    told, real = recipe(tiny), Trainer.save_model

    def save(self: Any, folder: str, **options: Any) -> None:
        real(self, folder, **options)
        if ".done.partial" in folder:
            (Path(folder) / "adapter_model.safetensors").write_bytes(b"half")
            fails()

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "save_model", save)
        with pytest.raises(TrainingError, match=r"the disk is full.*the same command goes on"):
            run(told, tmp_path)
    assert names(tmp_path) - {"home"} == {"work"}
    trained = run(told, tmp_path)
    assert trained.resumed_from == trained.steps == 8
    assert equal(trained.folder, run(told, tmp_path / "whole").folder)


@pytest.mark.parametrize("fails", FULL)
def test_train_disk_full_at_a_checkpoint_keeps_the_one_before(
    fails: Any, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    told, saved = recipe(tiny, save_steps=3), []
    real = torch.save

    def save(what: Any, file: Any, *args: Any, **options: Any) -> None:
        saved.append(Path(file).name)
        if saved.count("optimizer.pt") == 2 and Path(file).name == "optimizer.pt":
            Path(file).write_bytes(b"half")
            fails()
        real(what, file, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", save)
        with pytest.raises(TrainingError, match=f"last complete checkpoint in {tmp_path}/work"):
            run(told, tmp_path)
    assert names(tmp_path) - {"home"} == {"work"}
    assert (tmp_path / "work" / "checkpoint-6").is_dir()
    trained = run(told, tmp_path)
    assert trained.resumed_from == 3
    assert equal(trained.folder, run(told, tmp_path / "whole").folder)


def test_disk_full_other_errors_pass():
    for error in (ValueError("x"), RuntimeError("CUDA out of memory"), OSError(errno.EACCES, "no")):
        with pytest.raises(type(error)), disk_full("nothing is kept"):
            raise error


def test_complete_failure_leaves_nothing(tmp_path: Path):
    done = tmp_path / "done"
    with pytest.raises(ZeroDivisionError), complete(done) as folder:
        (folder / "a").write_text("half")
        raise ZeroDivisionError
    assert not names(tmp_path)


def test_complete_what_a_kill_left_is_no_hindrance(tmp_path: Path):
    done = tmp_path / "done"
    partial_of(done).mkdir()
    (partial_of(done) / "left").write_text("half")
    with complete(done) as folder:
        (folder / "a").write_text("whole")
        assert not done.exists()
    assert names(tmp_path) == {"done"} and names(done) == {"a"}


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(torch.arange(40)[None]).logits


@pytest.mark.parametrize("save", [save_tiny_llama, save_tiny_gpt2])
def test_merge_gives_the_logits_of_base_with_adapter(save: Any, tmp_path: Path):
    base = save(tmp_path / "base")
    adapter = run(recipe(base, learning_rate=5e-2), tmp_path).folder
    merged = merge(adapter, tmp_path / "merged")
    assert merged == tmp_path / "merged" and fault(merged) is None
    assert not (merged / "adapter_config.json").exists()
    plain = AutoModelForCausalLM.from_pretrained(base)
    before = logits(plain)
    wanted = logits(PeftModel.from_pretrained(plain, str(adapter)))
    assert (wanted - before).abs().max() > 1
    torch.testing.assert_close(
        logits(AutoModelForCausalLM.from_pretrained(merged)), wanted, rtol=1e-4, atol=1e-4
    )
    assert AutoTokenizer.from_pretrained(merged).get_vocab()


def test_merge_keeps_the_dtype_of_the_base_and_rounds_once(tiny: Path, tmp_path: Path):
    half = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.bfloat16).save_pretrained(half)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(half)
    adapter = run(recipe(half, dtype="float32", learning_rate=5e-2), tmp_path).folder
    exact = weights(merge(adapter, tmp_path / "exact", "float32"))
    merged = weights(merge(adapter, tmp_path / "merged"))
    assert {weight.dtype for weight in merged.values()} == {torch.bfloat16}
    for name, weight in merged.items():
        assert torch.equal(weight, exact[name].to(torch.bfloat16)), name


def test_merge_carries_the_adapters_chat_template(tiny: Path, adapter: Path, tmp_path: Path):
    merged = merge(adapter, tmp_path / "merged")
    assert AutoTokenizer.from_pretrained(merged).chat_template == CHAT_TEMPLATE


def test_merge_base_that_is_gone_is_told(adapter: Path, tmp_path: Path):
    import shutil

    moved = shutil.copytree(adapter, tmp_path / "adapter")
    file = moved / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base_model_name_or_path": "/no"}))
    with pytest.raises(ModelError, match="/no"):
        merge(moved, tmp_path / "merged")
    with pytest.raises(ModelError, match="no adapter"):
        merge(tmp_path, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_merge_disk_full_leaves_nothing_half_written(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(safetensors.torch, "save_file", full_as_safetensors_says)
    monkeypatch.setattr("transformers.modeling_utils.safe_save_file", full_as_safetensors_says)
    with pytest.raises(TrainingError, match=r"the disk is full.*adapter .* is kept"):
        merge(adapter, tmp_path / "merged")
    assert not names(tmp_path)


def test_merged_model_is_trained_on_with_a_new_adapter(tiny: Path, adapter: Path, tmp_path: Path):
    """As GRATH's later rounds do, whose reference is the current model."""
    merged = merge(adapter, tmp_path / "merged")
    trained = run(recipe(merged, dpo=True, num_train_epochs=4), tmp_path)
    margins = [entry["rewards/margins"] for entry in trained.log if "rewards/margins" in entry]
    assert margins[0] == pytest.approx(0, abs=1e-6) and margins[-1] > 0.1
    assert adapter_base(trained.folder) == str(merged)
    assert last_checkpoint(tmp_path / "work") is not None
