"""Code that comes with a model or with data is not run, and nobody is asked to agree to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finetune.reading.recipe_file import read_recipe
from finetune.tokenizer import tokenizer_of
from finetune.training.base_model import load_model as load_base
from finetune.training.configuration import load_config
from harness.data import DataRef, load_split
from harness.errors import ConfigError, MissingDataError, ModelError
from harness.loading import load, require_chat_template
from harness.prompts import build_prompt, template
from tests.security.malice import with_code
from tests.tiny import save_tiny_gpt2
from tests.unit.finetune.recipe_cases import GRATH, changed, write

ESCAPE = "{{ ''.__class__.__mro__[1].__subclasses__() }}"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
def model(tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that brings its own classes, where transformers keeps such code."""
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("was asked for an answer"))
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    return with_code(save_tiny_gpt2(tmp_path / "model", positions=64), canary)


def hf(model: Path, **more: Any) -> Any:
    args = {"pretrained": str(model), **more}
    return load("hf", args, chat_template=False, batch_size=1, device="cpu")


def test_code_of_a_model_is_not_run_unless_it_is_asked_for(model, canary) -> None:
    with pytest.raises(ModelError, match=r"--trust_remote_code .*trust_remote_code=True") as caught:
        hf(model)
    assert str(model) in str(caught.value) and not canary.exists()
    hf(model, trust_remote_code=True)
    assert canary.exists(), "the code is never run: this test shows nothing"


@pytest.mark.parametrize("read", ["configuration", "weights", "tokenizer"])
def test_training_never_runs_code_of_a_model(model, canary, tmp_path, read) -> None:
    if read == "tokenizer":
        file = model / "tokenizer_config.json"
        own = {"AutoTokenizer": ["evil.EvilTokenizer", "evil.EvilTokenizer"]}
        told = {**json.loads(file.read_text()), "tokenizer_class": "EvilTokenizer"}
        file.write_text(json.dumps({**told, "auto_map": own}))
    recipe = read_recipe(write(tmp_path, changed(GRATH, "model.name", str(model))))
    attempts = {
        "configuration": lambda: load_config(recipe),
        "weights": lambda: load_base(str(model), "main", "float32"),
        "tokenizer": lambda: tokenizer_of(str(model)),
    }
    with pytest.raises(ModelError, match="a recipe's own model cannot have any"):
        attempts[read]()
    assert not canary.exists()


def test_a_backend_that_trusts_by_default_is_told_not_to(monkeypatch) -> None:
    from harness.loading import _distrusted

    assert _distrusted("sglang", {"pretrained": "m"})["trust_remote_code"] is False
    assert _distrusted("sglang", {"trust_remote_code": True})["trust_remote_code"] is True


def test_code_beside_data_is_not_run(tmp_path, canary, monkeypatch, no_hub) -> None:
    folder = tmp_path / "data" / "own__reviews"
    folder.mkdir(parents=True)
    for name in ("own__reviews.py", "reviews.py", "test.py"):
        (folder / name).write_text(f"import os\nos.makedirs({str(canary)!r})\n")
    (folder / "test.jsonl").write_text('{"text": "a"}\n')
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path / "data"))
    assert load_split(DataRef("own/reviews", "test")).docs == [{"text": "a"}]
    assert not canary.exists()


def test_a_data_set_that_is_a_script_is_not_run(tmp_path, canary, monkeypatch) -> None:
    folder = tmp_path / "script"
    folder.mkdir()
    (folder / "script.py").write_text(f"import os\nos.makedirs({str(canary)!r})\n")
    monkeypatch.setattr("harness.hub._hub_answers", lambda: False)
    with pytest.raises(MissingDataError):
        load_split(DataRef(str(folder), "test"))
    assert not canary.exists()


def test_texts_of_data_are_no_templates() -> None:
    prompt = build_prompt("predict", {"prompt": "Text: {{ text }}", "max_tokens": 1}, ["text"])
    assert prompt.render(text="{{ 7 * 7 }}{% for x in y %}") == "Text: {{ 7 * 7 }}{% for x in y %}"


def test_templates_reach_nothing_of_python(tmp_path) -> None:
    """A file of results of somebody else brings one: how its documents are clustered."""
    from jinja2.exceptions import SecurityError

    with pytest.raises((SecurityError, ConfigError)):
        template("cluster", ESCAPE).render(text="x")


def test_the_chat_template_of_a_model_reaches_nothing_of_python(tmp_path) -> None:
    model = save_tiny_gpt2(tmp_path / "model", positions=64, chat=True)
    (model / "chat_template.jinja").write_text(ESCAPE)
    lm = hf(model)
    with pytest.raises(ModelError, match=r"unsafe|not safely"):
        require_chat_template(lm.apply_chat_template)
