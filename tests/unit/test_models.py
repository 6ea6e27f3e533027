from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import hashes, models
from harness.models import fingerprint, lacks_chat_template
from tests.tiny import CHAT_TEMPLATE, byte_tokenizer, save_tiny_gpt2
from tests.unit.test_adapters import save_adapter


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SELFCHECK_HOME", str(tmp_path / "home"))
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    models._say_once.cache_clear()
    yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny_gpt2(tmp_path / "model", chat=True)


def load(folder: Path | str, **settings: Any) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(folder), device="cpu", **settings)


def age(folder: Path) -> None:
    for file in folder.iterdir():
        os.utime(file, (1_700_000_000, 1_700_000_000))


def edit_json(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_fingerprint_loaded_twice_is_the_same(folder: Path) -> None:
    first = fingerprint(load(folder))
    assert first == fingerprint(load(folder))
    assert first is not None
    assert len(first) == 64


def test_fingerprint_after_answering_is_the_same(folder: Path) -> None:
    from lm_eval.api.instance import Instance

    lm = load(folder)
    before = fingerprint(lm)
    settings = {"max_gen_toks": 2, "do_sample": False}
    lm.generate_until([Instance("generate_until", {}, ("a", settings), 0, (None, None, 1))])
    assert fingerprint(lm) == before


def test_fingerprint_copy_in_another_folder_is_the_same(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(load(tmp_path / "copy")) == fingerprint(load(folder))


def test_fingerprint_other_batch_size_is_the_same(folder: Path) -> None:
    assert fingerprint(load(folder, batch_size=4)) == fingerprint(load(folder))


def change_generation(folder: Path) -> None:
    edit_json(folder / "generation_config.json", repetition_penalty=1.5)


def change_tokenizer(folder: Path) -> None:
    file = folder / "tokenizer.json"
    text = json.loads(file.read_text())
    text["model"]["vocab"]["a"], text["model"]["vocab"]["b"] = (
        text["model"]["vocab"]["b"], text["model"]["vocab"]["a"],
    )  # fmt: skip
    file.write_text(json.dumps(text))


def change_chat_template(folder: Path) -> None:
    byte_tokenizer(CHAT_TEMPLATE + " ").save_pretrained(folder)


def change_config(folder: Path) -> None:
    edit_json(folder / "config.json", layer_norm_epsilon=0.1)


def change_weights(folder: Path) -> None:
    save_tiny_gpt2(folder, seed=1, chat=True)


def change_one_weight(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights["transformer.wte.weight"][0, 7] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    "change",
    [
        change_weights,
        change_one_weight,
        change_tokenizer,
        change_chat_template,
        change_config,
        change_generation,
    ],
)
def test_fingerprint_changed_folder_is_another(
    folder: Path, change: Callable[[Path], None]
) -> None:
    before = fingerprint(load(folder))
    change(folder)
    assert fingerprint(load(folder)) not in (before, None)


@pytest.mark.parametrize(
    "settings",
    [
        {"dtype": "bfloat16"},
        {"max_length": 100},
        {"add_bos_token": True},
        {"truncation": True},
        {"think_end_token": "</think>"},
        {"chat_template_args": {"x": 1}},
        {"think_end_token": "</think>", "enable_thinking": True},
        {"softmax_dtype": "float32"},
        {"prefix_token_id": 5},
        {"attn_implementation": "eager"},
    ],
)
def test_fingerprint_other_settings_are_another(folder: Path, settings: dict[str, Any]) -> None:
    assert fingerprint(load(folder, **settings)) not in (fingerprint(load(folder)), None)


def test_fingerprint_other_kind_of_device_is_another_its_number_is_not(folder: Path) -> None:
    import torch

    lm = load(folder)
    prints = [fingerprint(lm)]
    for device in ("cuda:0", "cuda:1"):
        lm._device = torch.device(device)
        prints.append(fingerprint(lm))
    assert prints[0] != prints[1] == prints[2]


@pytest.mark.parametrize("swap", [shutil.copyfile, os.replace])
def test_fingerprint_other_checkpoint_of_the_same_size_and_time_is_another(
    folder: Path, tmp_path: Path, swap: Callable[[Path, Path], object]
) -> None:
    # as `cp -p`, and archives whose files all have one date, leave it
    other = save_tiny_gpt2(tmp_path / "other", seed=1, chat=True)
    age(folder)
    age(other)
    lm, expected = load(folder), fingerprint(load(other))
    before = fingerprint(lm)
    state = (folder / "model.safetensors").stat()
    swap(other / "model.safetensors", folder / "model.safetensors")
    age(folder)
    after = (folder / "model.safetensors").stat()
    assert (after.st_size, after.st_mtime_ns) == (state.st_size, state.st_mtime_ns)
    assert fingerprint(load(folder)) == expected != before


@pytest.mark.parametrize("change", [change_weights, change_one_weight])
def test_fingerprint_files_replaced_after_loading_are_not_what_was_loaded(
    folder: Path, change: Callable[[Path], None]
) -> None:
    old = load(folder)
    change(folder)
    assert fingerprint(old) not in (fingerprint(load(folder)), None)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is dep:FutureWarning")
def test_fingerprint_other_adapter_at_the_same_place_is_another(
    folder: Path, tmp_path: Path
) -> None:
    place, prints = tmp_path / "adapter", set()
    for seed in range(2):
        save_adapter(folder, place, seed)
        age(place)
        prints.add(fingerprint(load(folder, peft=str(place))))
    assert len({None, *prints}) == 3


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_fingerprint_memo_with_names_that_are_none_is_no_hindrance(
    folder: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "hashes.json").write_text(json.dumps({name: [1, 2, "x"], "schema": 2}))
    age(folder)
    assert fingerprint(load(folder)) is not None
    assert str(folder / "model.safetensors") in hashes._read_memo()


def test_fingerprint_other_tokenizer_is_another(folder: Path, tmp_path: Path) -> None:
    byte_tokenizer("{{ messages }}").save_pretrained(tmp_path / "tokenizer")
    lm = load(folder, tokenizer=str(tmp_path / "tokenizer"))
    assert fingerprint(lm) not in (fingerprint(load(folder)), None)


def test_fingerprint_delta_is_another(folder: Path, tmp_path: Path) -> None:
    delta = save_tiny_gpt2(tmp_path / "delta", seed=1)
    assert fingerprint(load(folder, delta=str(delta))) not in (fingerprint(load(folder)), None)


def test_fingerprint_subfolders_of_one_folder_differ(folder: Path) -> None:
    # lm-eval does not keep the name of the subfolder: the weights in memory tell
    for seed, name in ((1, "step-1"), (2, "step-2")):
        save_tiny_gpt2(folder / name, seed=seed, chat=True)
    prints = {fingerprint(load(folder, subfolder=name)) for name in ("", "step-1", "step-2")}
    assert len(prints) == 3


def test_fingerprint_weights_changed_in_memory_are_another(folder: Path) -> None:
    lm = load(folder)
    before = fingerprint(lm)
    lm.model.transformer.wte.weight.data += 1
    assert fingerprint(lm) not in (before, None)


def test_fingerprint_second_look_does_not_read_the_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(folder)
    lm = load(folder)
    first = fingerprint(lm)

    def refuse(path: Path) -> str:
        raise AssertionError(f"reads {path} again")

    monkeypatch.setattr(hashes, "read_sha256", refuse)
    assert fingerprint(lm) == first


def test_fingerprint_hub_id_is_found_in_the_cache_without_a_network(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = tmp_path / "hub" / "models--owner--tiny" / "snapshots" / ("a" * 40)
    shutil.copytree(folder, snapshot)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("a" * 40)
    lm = load(folder)
    expected = fingerprint(lm)
    lm.pretrained = lm.tokenizer.name_or_path = "owner/tiny"
    assert fingerprint(lm) == expected


def test_fingerprint_hub_id_that_is_not_cached_is_none(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    lm = load(folder)
    lm.pretrained = "owner/tiny"
    assert fingerprint(lm) is None
    assert "owner/tiny is neither a folder nor in the hub's cache" in caplog.text


@pytest.mark.filterwarnings("ignore:`pretrained` model kwarg is not of type")
def test_fingerprint_model_object_is_none_and_said_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM

    lm = HFLM(pretrained=AutoModelForCausalLM.from_pretrained(folder), tokenizer=str(folder))
    assert fingerprint(lm) is None
    assert fingerprint(lm) is None
    assert caplog.text.count("HFLM: its answers are not kept for other runs: a model object") == 1


def test_fingerprint_unknown_kind_of_model_is_none_with_a_hint(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert fingerprint(SimpleNamespace()) is None
    assert "it may define selfcheck_fingerprint" in caplog.text


def test_fingerprint_subclass_of_the_hf_model_is_none(folder: Path) -> None:
    from lm_eval.models.huggingface import HFLM

    class Steered(HFLM):  # type: ignore[misc]
        pass

    assert fingerprint(Steered(pretrained=str(folder), device="cpu")) is None


@pytest.mark.parametrize("own", ["mine", lambda: "mine"])
def test_fingerprint_model_that_says_who_it_is_is_believed(own: Any) -> None:
    lm = SimpleNamespace(selfcheck_fingerprint=own)
    assert fingerprint(lm) == "mine"
    assert fingerprint(SimpleNamespace(lm=lm)) == "mine"  # as in lm-eval's CachingLM


def server(**changes: Any) -> Any:
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    lm = LocalCompletionsAPI.__new__(LocalCompletionsAPI)  # its packages may not be installed
    settings = {
        "base_url": "http://localhost:8000/v1", "model": "m", "max_length": 2047,
        "add_bos_token": False, "tokenized_requests": False, "_truncate": False,
    }  # fmt: skip
    vars(lm).update({**settings, **changes})
    return lm


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "http://localhost:8001/v1"},
        {"model": "n"},
        {"selfcheck_revision": "2"},
        {"max_length": 100},
    ],
)
def test_fingerprint_other_server_is_another(change: dict[str, Any]) -> None:
    assert fingerprint(server()) == fingerprint(server())
    assert fingerprint(server(**change)) not in (fingerprint(server()), None)


def test_fingerprint_server_key_plays_no_part() -> None:
    base = fingerprint(server(base_url="http://host/v1?version=1"))
    with_secrets = server(base_url="http://user:word@host/v1?version=1&api-key=abc")
    vars(with_secrets)["api_key"] = "secret"
    assert fingerprint(with_secrets) == base
    assert fingerprint(server(base_url="http://host/v1?version=2")) != base


def test_fingerprint_server_without_address_is_none() -> None:
    assert fingerprint(server(base_url=None)) is None


def test_import_models_loads_nothing_heavy() -> None:
    code = "import sys, harness.models; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_lacks_chat_template_only_files_without_one_say_so(tmp_path: Path) -> None:
    args = {"pretrained": str(tmp_path)}
    assert not lacks_chat_template("hf", args), "not a folder of a model: nobody knows"
    config = tmp_path / "tokenizer_config.json"
    config.write_text("{}", encoding="utf-8")
    assert lacks_chat_template("hf", args)
    assert not lacks_chat_template("vllm", args)
    assert not lacks_chat_template("hf", {**args, "tokenizer": "some/hub-id"})
    config.write_text('{"chat_template": "x"}', encoding="utf-8")
    assert not lacks_chat_template("hf", args)
    config.write_text("{}", encoding="utf-8")
    (tmp_path / "chat_template.jinja").write_text("x", encoding="utf-8")
    assert not lacks_chat_template("hf", args)
