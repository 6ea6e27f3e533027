"""Folders of weights: which there are, what is wrong with them, which training can go on from."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from finetune.checkpoints import (
    digest,
    fault,
    find,
    listing,
    natural,
)
from tests.tiny import save_tiny_gpt2


@pytest.fixture
def model(tmp_path):
    return save_tiny_gpt2(tmp_path / "model")


@pytest.fixture
def sharded(tmp_path, model):
    folder = tmp_path / "sharded"
    AutoModelForCausalLM.from_pretrained(model).save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    return folder


def save_adapter(base, folder, named=None):
    config = LoraConfig(target_modules=["c_attn"], fan_in_fan_out=True)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    model.save_pretrained(folder)
    rename_base(folder, str(named or base))
    return folder


def rename_base(adapter, name):
    config = adapter / "adapter_config.json"
    told = json.loads(config.read_text())
    config.write_text(json.dumps({**told, "base_model_name_or_path": name}))


def shards_of(folder):
    return sorted(folder.glob("model-*-of-*.safetensors"))


def test_fault_of_whole_models_is_none(model, sharded, tmp_path):
    assert fault(model) is None
    assert fault(sharded) is None
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text("{}")
    torch.save({"a": torch.ones(3)}, pickled / "pytorch_model.bin")
    assert fault(pickled) is None
    assert fault(save_adapter(model, tmp_path / "adapter")) is None
    assert fault(save_adapter(model, tmp_path / "of-hub", named="org/some-model")) is None


@pytest.mark.parametrize("length", [3, 60, -1, -200])
def test_fault_of_weights_cut_off_names_the_file(length, model):
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:length])
    assert "model.safetensors" in fault(model) and "cut off" in fault(model)


def test_fault_of_weights_that_are_too_long_gives_both_sizes(model):
    weights = model / "model.safetensors"
    size = weights.stat().st_size
    weights.write_bytes(weights.read_bytes() + b"more")
    assert f"has {size + 4} bytes, and should have {size}" in fault(model)


@pytest.mark.parametrize(
    "header",
    [b"[]", b"{", b'{"a": 1}', b'{"a": {"shape": [1]}}', b'{"a": {"shape": 3, "data_offsets": []}}',
     b'{"a": {"shape": [1], "data_offsets": ["x", "y"]}}'],
)  # fmt: skip
def test_fault_of_a_hostile_header_is_told(header, model):
    (model / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    assert "header is damaged" in fault(model)
    (model / "model.safetensors").write_bytes(b"\xff" * 100)
    assert "its header has no end" in fault(model)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_fault_of_an_empty_file_names_it(name, model):
    (model / name).write_bytes(b"")
    assert fault(model) == f"{name} is empty"


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
def test_fault_of_damaged_json_names_it(name, model):
    (model / name).write_text('{"half": ')
    assert f"{name} is damaged" in fault(model)


def test_fault_of_missing_shards_names_them(sharded):
    first, second, *_ = shards_of(sharded)
    first.unlink()
    second.unlink()
    assert f"shards are missing: {first.name}, {second.name} (" in fault(sharded)


def test_fault_of_a_shard_of_another_model_names_the_tensors(sharded):
    first = shards_of(sharded)[0]
    save_file({"other": torch.ones(3)}, first)
    assert f"{first.name} lacks tensors" in fault(sharded) and "transformer." in fault(sharded)


def test_fault_of_shards_without_index_or_with_a_hostile_one(sharded):
    index = sharded / "model.safetensors.index.json"
    told = json.loads(index.read_text())
    told["weight_map"]["x"] = "../../elsewhere.safetensors"
    index.write_text(json.dumps(told))
    assert "'../../elsewhere.safetensors' is no name of a file" in fault(sharded)
    index.write_text("{}")
    assert "no weight_map" in fault(sharded)
    index.unlink()
    assert "no index that names them all" in fault(sharded)


def test_fault_of_a_folder_without_weights_or_configuration(model, tmp_path):
    assert fault(tmp_path / "nowhere") == "there is no such folder"
    (model / "config.json").unlink()
    assert fault(model) == "there is neither config.json nor adapter_config.json"
    (model / "model.safetensors").unlink()
    assert "there are no weights: none of model.safetensors" in fault(model)


def test_fault_of_a_pickle_cut_off_names_it(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    torch.save({"a": torch.ones(300)}, tmp_path / "pytorch_model.bin")
    weights = tmp_path / "pytorch_model.bin"
    weights.write_bytes(weights.read_bytes()[:-50])
    assert fault(tmp_path).startswith("pytorch_model.bin is cut off")


def test_fault_of_an_adapter_tells_of_its_base(model, tmp_path):
    adapter = save_adapter(model, tmp_path / "adapter")
    for name in (f"{tmp_path}/no/model", "./no-model", "runs/a/model", "~/no-model"):
        rename_base(adapter, name)
        assert f"its base model {name} is not there" in fault(adapter)
        assert "base_model_name_or_path" in fault(adapter)
    rename_base(adapter, str(adapter))
    assert fault(adapter) == f"its base model {adapter}: it is the adapter itself"
    rename_base(adapter, str(model))
    (model / "model.safetensors").write_bytes(b"")
    assert fault(adapter) == f"its base model {model}: model.safetensors is empty"
    (adapter / "adapter_model.safetensors").unlink()
    assert "the adapter has no weights: none of adapter_model.safetensors" in fault(adapter)
    rename_base(adapter, 3)
    (adapter / "adapter_model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    assert "base_model_name_or_path is 3" in fault(adapter)


def test_fault_of_sharded_training_states_says_how_to_consolidate(tmp_path):
    fsdp = tmp_path / "fsdp"
    (fsdp / "pytorch_model_fsdp_0").mkdir(parents=True)
    (fsdp / "pytorch_model_fsdp_0" / "__0_0.distcp").write_bytes(b"x")
    assert "accelerate merge-weights" in fault(fsdp) and "FULL_STATE_DICT" in fault(fsdp)
    zero = tmp_path / "zero"
    (zero / "global_step5").mkdir(parents=True)
    (zero / "global_step5" / "zero_pp_rank_0_mp_rank_00_model_states.pt").write_bytes(b"x")
    assert "zero_to_fp32.py" in fault(zero)
    assert find(tmp_path) == [fsdp, zero]
    (zero / "config.json").write_text("{}")
    save_file({"a": torch.empty(0), "b": torch.empty(0)}, zero / "model.safetensors")
    assert "empty tensors" in fault(zero) and "ZeRO-3" in fault(zero)


def test_fault_of_a_folder_that_may_not_be_read_is_told(model, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(type(model), "iterdir", refuse)  # root may read everything
    assert fault(model) == f"{model} cannot be read: Permission denied"


def touch(folder, name="config.json"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"{}")
    return folder


def test_find_gives_all_layouts_in_natural_order_without_temporary_ones(tmp_path):
    names = ["checkpoint-20", "checkpoint-100", "epoch_1", "iter_000010/hf", "step-5"]
    made = [touch(tmp_path / name) for name in reversed(names)]
    for name in (".hidden", "tmp-checkpoint-3", "checkpoint-4.tmp", "checkpoint-4_tmp", "logs"):
        touch(tmp_path / name, "trainer_log.jsonl" if name == "logs" else "config.json")
    touch(tmp_path / "a/b/too-deep")
    touch(tmp_path / "checkpoint-20/merged")  # part of that checkpoint
    assert find(tmp_path) == list(reversed(made))
    touch(tmp_path)  # somebody's settings
    assert find(tmp_path)[0] != tmp_path
    touch(tmp_path, "model.safetensors")
    assert find(tmp_path)[0] == tmp_path and len(find(tmp_path)) == 1 + len(names)
    assert find(tmp_path / "nowhere") == []
    assert sorted(["b10", "b9", "b", "10", "9"], key=natural) == ["9", "10", "b", "b9", "b10"]


def test_digest_tells_other_weights_and_not_what_is_no_part_of_the_model(model, tmp_path):
    before, files = digest(model), listing(model)
    (model / "README.md").write_text("a card")
    (model / "trainer_state.json").write_text("{}")
    (model / "optimizer.pt").write_bytes(b"x")
    assert digest(model) == before and listing(model) == files
    (model / "config.json").write_text((model / "config.json").read_text() + " ")
    assert digest(model) != before and listing(model) != files
    other = save_tiny_gpt2(tmp_path / "other", seed=1)
    assert digest(other) != before
    assert digest(save_tiny_gpt2(tmp_path / "copy")) == before


def test_checkpoints_are_looked_at_without_torch():
    code = "import sys, finetune.checkpoints; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
