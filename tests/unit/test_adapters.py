from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import models
from harness.errors import ConfigError, ModelError
from harness.models import adapter_base, fingerprint, resolve_model_args
from tests.tiny import save_tiny_gpt2

# peft 0.21 asks transformers 5.23 for an attribute that is to be renamed in version 6
peft_warns = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is dep:FutureWarning")


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


def edit_json(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def save_adapter(base: Path, folder: Path, seed: int = 0) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    config = LoraConfig(
        r=2, target_modules=["c_attn"], init_lora_weights=False, fan_in_fan_out=True
    )
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder


@peft_warns
def test_fingerprint_adapters_differ_by_weights_not_by_place(folder: Path, tmp_path: Path) -> None:
    one, two = save_adapter(folder, tmp_path / "one"), save_adapter(folder, tmp_path / "two", 1)
    shutil.copytree(one, tmp_path / "copy")
    edit_json(tmp_path / "copy" / "adapter_config.json", base_model_name_or_path="elsewhere")
    prints = [fingerprint(load(folder, peft=str(p))) for p in (one, two, tmp_path / "copy")]
    assert prints[0] == prints[2]
    assert len({None, fingerprint(load(folder)), prints[0], prints[1]}) == 4


def test_adapter_base_reads_the_configuration(tmp_path: Path) -> None:
    assert adapter_base(tmp_path) is None
    assert adapter_base("owner/name") is None
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    assert adapter_base(tmp_path) == "owner/base"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "cannot be read as a PEFT configuration"),
        ("[]", "cannot be read as a PEFT configuration"),
        ("{}", "base_model_name_or_path is None; give pretrained= and peft="),
    ],
)
def test_adapter_base_broken_configuration_raises(tmp_path: Path, content: str, fault: str) -> None:
    (tmp_path / "adapter_config.json").write_text(content)
    with pytest.raises(ModelError) as caught:
        adapter_base(tmp_path)
    assert str(tmp_path / "adapter_config.json") in str(caught.value)
    assert fault in str(caught.value)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    return tmp_path


def test_resolve_model_args_adapter_folder_gives_base_and_peft(adapter: Path) -> None:
    given = {"pretrained": str(adapter), "dtype": "float32"}
    expected = {"pretrained": "owner/base", "peft": str(adapter), "dtype": "float32"}
    assert resolve_model_args("hf", given) == expected
    assert given["pretrained"] == str(adapter)


def test_resolve_model_args_adapter_with_tokenizer_uses_it(adapter: Path) -> None:
    (adapter / "tokenizer_config.json").write_text("{}")
    assert resolve_model_args("hf", {"pretrained": str(adapter)})["tokenizer"] == str(adapter)
    asked = {"pretrained": str(adapter), "tokenizer": "other"}
    assert resolve_model_args("hf", asked)["tokenizer"] == "other"


def test_resolve_model_args_two_adapters_raises(adapter: Path) -> None:
    with pytest.raises(ConfigError, match=r"is an adapter, and peft=more another.*owner/base"):
        resolve_model_args("hf", {"pretrained": str(adapter), "peft": "more"})


@pytest.mark.parametrize(
    ("model", "args"),
    [("hf", {"pretrained": "owner/name"}), ("hf", {}), ("dummy", {"pretrained": "."})],
)
def test_resolve_model_args_anything_else_is_left_alone(model: str, args: dict[str, Any]) -> None:
    assert resolve_model_args(model, args) == args


@peft_warns
def test_resolve_model_args_loads_with_lm_eval(folder: Path, tmp_path: Path) -> None:
    saved = save_adapter(folder, tmp_path / "adapter")
    args = resolve_model_args("hf", {"pretrained": str(saved)})
    lm = load(args.pop("pretrained"), **args)
    assert fingerprint(lm) == fingerprint(load(folder, peft=str(saved)))
