"""Whether a simulator is the model under test: by weights, however either is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.models import fingerprint, share_weights
from tests.tiny import save_tiny_gpt2
from tests.unit.test_adapters import save_adapter
from tests.unit.test_models import change_one_weight, load, server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny_gpt2(tmp_path / "model", chat=True)


@pytest.mark.parametrize(
    "settings", [{"max_length": 32}, {"add_bos_token": True}, {"dtype": "bfloat16"}]
)
def test_share_weights_same_folder_otherwise_run(folder: Path, settings: dict[str, Any]) -> None:
    first, second = load(folder), load(folder, **settings)
    assert fingerprint(first) != fingerprint(second), "else nothing is shown"
    assert share_weights(first, second) and share_weights(second, first)


def test_share_weights_other_weights_do_not(folder: Path, tmp_path: Path) -> None:
    other = save_tiny_gpt2(tmp_path / "other", chat=True)
    change_one_weight(other)
    assert not share_weights(load(folder), load(other))


def test_share_weights_base_and_its_adapter_do_not(folder: Path, tmp_path: Path) -> None:
    adapter = save_adapter(folder, tmp_path / "adapter")
    assert not share_weights(load(folder), load(folder, peft=str(adapter)))


def test_share_weights_model_object_is_known_by_its_memory(folder: Path) -> None:
    import torch
    from lm_eval.models.huggingface import HFLM

    known = load(folder)
    given = HFLM(pretrained=load(folder).model, tokenizer=known.tokenizer)
    assert share_weights(known, given) and share_weights(given, known)
    with torch.no_grad():
        next(given.model.parameters()).add_(1)
    assert not share_weights(known, given)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"base_url": "http://localhost:8000/v1/chat/completions"}, True),
        ({"base_url": "http://127.0.0.1:8000/v1/completions", "max_length": 9}, True),
        ({"base_url": "http://127.0.0.1:8001/v1/completions"}, False),
        ({"base_url": "http://127.0.0.1:8000/v1/completions", "model": "other"}, False),
    ],
)
def test_share_weights_servers_by_host_port_and_model(change: dict[str, Any], same: bool) -> None:
    first = server(base_url="http://127.0.0.1:8000/v1/completions")
    assert share_weights(first, server(**change)) is same


def test_share_weights_of_different_kinds_is_not_known(folder: Path) -> None:
    assert not share_weights(load(folder), server())
