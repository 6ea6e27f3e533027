"""Weights that are pickles are not loaded, unless asked for, and what they would do is not done."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from finetune.training.base_model import load_adapter
from finetune.training.base_model import load_model as load_base
from finetune.watching.scorer import PASSED_ON, Scorer
from harness.commands import main
from harness.errors import ModelError
from harness.loading import load
from harness.models import fingerprint
from harness.trust import allowing_pickles, only_numbers, pickles_allowed
from tests.security.malice import goes_off, spoil, with_pickle
from tests.tiny import save_tiny_gpt2
from tests.unit.test_adapters import peft_warns, save_adapter


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_tiny_gpt2(tmp_path / "model", positions=64)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def hf(place: Path, **more: Any) -> Any:
    args = {"pretrained": str(place), **more}
    return load("hf", args, chat_template=False, batch_size=1, device="cpu")


def test_the_payload_goes_off_where_nobody_minds(tmp_path: Path, canary: Path) -> None:
    goes_off(spoil(tmp_path / "x.bin", canary))
    assert canary.exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin"])
def test_a_folder_of_pickles_is_refused_before_it_is_loaded(model, canary, name) -> None:
    (model / "model.safetensors").unlink()
    file = spoil(model / name, canary)
    with pytest.raises(ModelError, match=r"is a pickle.*safetensors.*--allow-pickles") as caught:
        hf(model)
    assert str(file) in str(caught.value) and not canary.exists()


def test_an_index_of_safetensors_that_names_a_pickle_is_refused(model, canary) -> None:
    (model / "model.safetensors").unlink()
    file = spoil(model / "shard.bin", canary)
    index = {"metadata": {"total_size": 1}, "weight_map": {"transformer.wte.weight": "shard.bin"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="is a pickle") as caught:
        hf(model)
    assert str(file) in str(caught.value) and not canary.exists()


def test_a_delta_of_pickles_is_refused(model, canary, tmp_path) -> None:
    delta = Path(shutil.copytree(model, tmp_path / "delta"))
    (delta / "model.safetensors").unlink()
    spoil(delta / "pytorch_model.bin", canary)
    with pytest.raises(ModelError, match="is a pickle"):
        hf(model, delta=str(delta))
    assert not canary.exists()


@peft_warns
def test_an_adapter_that_is_a_pickle_is_refused_in_scoring_and_in_training(
    model, canary, tmp_path
) -> None:
    adapter = save_adapter(model, tmp_path / "adapter")
    (adapter / "adapter_model.safetensors").unlink()
    file = spoil(adapter / "adapter_model.bin", canary)
    for attempt in (
        lambda: hf(adapter),
        lambda: hf(model, peft=str(adapter)),
        lambda: load_adapter(load_base(str(model), "main", "float32"), adapter),
    ):
        with pytest.raises(ModelError, match="is a pickle") as caught:
            attempt()
        assert str(file) in str(caught.value) and not canary.exists()


def test_the_base_of_a_training_is_no_pickle(model, canary) -> None:
    with_pickle(model)
    with pytest.raises(ModelError, match="is a pickle"):
        load_base(str(model), "main", "float32")
    with allowing_pickles(True):
        assert load_base(str(model), "main", "float32").num_parameters()


@pytest.mark.parametrize("weights_only", [True, False])
def test_torch_load_is_refused_while_a_model_is_loaded_and_no_longer(
    tmp_path, canary, weights_only
) -> None:
    import torch

    file, load_as_it_is = spoil(tmp_path / "x.pt", canary), torch.load
    with only_numbers(), pytest.raises(ModelError, match=r"x\.pt: is a pickle"):
        torch.load(file, weights_only=weights_only)
    with only_numbers(), pytest.raises(ModelError, match=r"x\.pt"), file.open("rb") as opened:
        torch.load(opened)
    assert torch.load is load_as_it_is and not canary.exists()


def test_pickles_that_are_asked_for_are_loaded_and_still_execute_nothing(model, canary) -> None:
    sound = with_pickle(model)
    with allowing_pickles(True):
        assert hf(model).model.num_parameters()
        spoil(sound, canary)
        with pytest.raises(ModelError, match="cannot be loaded"):
            hf(model)
    assert not canary.exists() and not pickles_allowed()


def test_the_fingerprint_of_safetensors_is_what_it_was(model) -> None:
    from lm_eval.models.huggingface import HFLM

    plain = HFLM(pretrained=str(model), device="cpu", batch_size=1)
    told = fingerprint(hf(model))
    assert told is not None and told == fingerprint(plain)
    with allowing_pickles(True):
        assert fingerprint(hf(model)) == told


def test_run_refuses_a_pickle_and_names_it(model, canary, tmp_path, capsys) -> None:
    (model / "model.safetensors").unlink()
    spoil(model / "pytorch_model.bin", canary)
    line = ["run", "--model-args", f"pretrained={model}", "--tasks", "sample_importance_sentiment"]
    assert main([*line, "--subset", "1", "--output", str(tmp_path / "run"), "--device", "cpu"]) == 1
    told = capsys.readouterr().err
    assert "pytorch_model.bin: is a pickle" in told and "Traceback" not in told
    assert not canary.exists() and not (tmp_path / "run").exists()


@pytest.mark.slow
def test_run_with_the_option_loads_a_pickle(tmp_path) -> None:
    model = save_tiny_gpt2(tmp_path / "model")
    with_pickle(model)
    line = ["run", "--model-args", f"pretrained={model}", "--tasks", "sample_truthfulness_mc1"]
    line += ["--subset", "2", "--output", str(tmp_path / "run"), "--device", "cpu"]
    assert main([*line, "--allow-pickles"]) == 0 and (tmp_path / "run" / "run.json").is_file()


@pytest.mark.parametrize("allowed", [True, False])
def test_watch_hands_the_option_to_the_process_that_scores(allowed, tmp_path) -> None:
    told = dict.fromkeys(PASSED_ON) | {"tasks": ["t"], "apply_chat_template": False}
    scorer = Scorer(Namespace(**told, allow_pickles=allowed), {}, lambda: False)
    assert ("--allow-pickles" in scorer.line("m", tmp_path)) == allowed


@pytest.mark.slow
@pytest.mark.parametrize("program", ["scored", "trained"])
def test_a_name_on_the_hub_with_pickles_alone_is_refused(tmp_path, canary, program) -> None:
    """As the hub's cache holds it; without a network."""
    place = tmp_path / "hub" / "models--org--evil"
    snapshot = save_tiny_gpt2(tmp_path / "made", positions=64)
    (snapshot / "model.safetensors").unlink()
    spoil(snapshot / "pytorch_model.bin", canary)
    for folder in ("snapshots", "refs"):
        (place / folder).mkdir(parents=True)
    shutil.move(snapshot, place / "snapshots" / ("a" * 40))
    (place / "refs" / "main").write_text("a" * 40)
    code = {
        "scored": "from harness.loading import load\n"
        "load('hf', {'pretrained': 'org/evil'}, chat_template=False, device='cpu')",
        "trained": "from finetune.training.base_model import load_model\n"
        "load_model('org/evil', 'main', 'float32')",
    }
    env = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code[program]], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 1 and "ModelError" in done.stderr
    assert "it has no safetensors, and pickles can execute code" in done.stderr
    assert "--allow-pickles" in done.stderr and not canary.exists()
