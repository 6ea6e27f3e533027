"""What the files of a model may do when they are loaded: hold numbers, and execute nothing.

A pickle (`pytorch_model.bin`, `adapter_model.bin`, `*.pt`) can execute whatever its author wrote.
While a model is loaded `torch.load` is therefore refused, whoever calls it, with `weights_only`
too; `--allow-pickles` allows it. Code in a model's repository is run with `--trust_remote_code`
alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn

from harness.errors import ModelError

PLACES = ("pretrained", "peft", "delta")
"""Arguments of lm-eval's models that name weights."""
SOUND = ("*.safetensors", "*.safetensors.index.json", "*.gguf")
PICKLES = ("pytorch_model*.bin", "pytorch_model*.bin.index.json")
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER = ("adapter_model*.safetensors",), ("adapter_model*.bin",)
QUANTISED = ("autogptq", "gptqmodel", "gguf_file")
"""Arguments with which transformers' own loader is not asked, or not for safetensors."""
NO_CONVERSION = "DISABLE_SAFETENSORS_CONVERSION"
CURE = (
    "Convert it where you trust it (load it there; save_pretrained() writes safetensors), or give "
    "--allow-pickles"
)
CODE = (
    "Its repository has code of its own, which is not run unless you ask for it: give "
    "--trust_remote_code (selfcheck run), or trust_remote_code=True among the model's arguments; "
    "a recipe's own model cannot have any"
)

_allowed: ContextVar[bool] = ContextVar("pickles_allowed", default=False)


@contextmanager
def allowing_pickles(allowed: bool) -> Iterator[None]:
    """Say for a while whether models may be loaded from pickles (`--allow-pickles`)."""
    before = _allowed.set(allowed)
    try:
        yield
    finally:
        _allowed.reset(before)


def pickles_allowed() -> bool:
    """Say whether models may be loaded from pickles: another process has to be told."""
    return _allowed.get()


def check_places(args: Mapping[str, Any]) -> None:
    """Check the local folders that a model's arguments name, before anything is loaded.

    Raises:
        ModelError: as `check_folder`.
    """
    for name in PLACES:
        if isinstance(args.get(name), (str, Path)) and not any(map(args.get, QUANTISED)):
            check_folder(Path(args[name], str(args.get("subfolder") or "")))


def check_folder(folder: Path) -> None:
    """Check that a local folder's weights are no pickles; of what is no folder nothing is said.

    Raises:
        ModelError: they are pickles alone; names the first.
    """
    if pickles_allowed() or not folder.is_dir():
        return
    is_adapter = (folder / ADAPTER_CONFIG).is_file()
    sound, pickles = ADAPTER if is_adapter else (SOUND, PICKLES)
    if any(any(folder.glob(pattern)) for pattern in sound):
        return
    found = sorted(file for pattern in pickles for file in folder.glob(pattern))
    if found:
        raise ModelError(_refusal(str(found[0])))


def hub_settings(name: str, args: Mapping[str, Any] | None = None) -> dict[str, bool]:
    """Give what else transformers is told of a name on the hub: not even to fetch pickles."""
    told = args or {}
    if pickles_allowed() or Path(name).is_dir() or any(map(told.get, QUANTISED)):
        return {}
    return {} if "use_safetensors" in told else {"use_safetensors": True}


@contextmanager
def only_numbers() -> Iterator[None]:
    """Refuse pickles while a model is loaded, unless they are allowed.

    The hub's conversion of pickles is not asked for either: it would load what another revision
    holds.

    Raises:
        ModelError: on `torch.load`; names the file.
    """
    if pickles_allowed():
        yield
        return
    import torch

    load, conversion = torch.load, os.environ.get(NO_CONVERSION)
    torch.load = _refuse
    os.environ[NO_CONVERSION] = "1"
    try:
        yield
    finally:
        torch.load = load
        if conversion is None:
            del os.environ[NO_CONVERSION]
        else:
            os.environ[NO_CONVERSION] = conversion


def explained(err: Exception) -> str:
    """Say what went wrong as a model was loaded; of what was refused, how to ask for it."""
    told = f"{type(err).__name__}: {err}"
    if "trust_remote_code" in told:
        return f"{told.strip()} {CODE}"
    if "use_safetensors=True" in told:
        return f"it has no safetensors, and pickles can execute code ({told}). {CURE}"
    return told


def _refuse(f: Any = "a file", *_: Any, **__: Any) -> NoReturn:
    raise ModelError(_refusal(str(getattr(f, "name", f))))


def _refusal(place: str) -> str:
    return (
        f"{place}: is a pickle, which can execute code as it is loaded; allowed: safetensors. "
        f"{CURE}"
    )
