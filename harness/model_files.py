"""Which of a model's files is damaged: asked once a model could not be loaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

PLACES = ("pretrained", "peft", "tokenizer", "delta")
"""Arguments of lm-eval's models that name folders."""


def names_in(args: Mapping[str, Any]) -> str:
    """Name the model that arguments are of, with its adapter."""
    return ", ".join(str(args[name]) for name in (*PLACES, "model") if args.get(name))


def fault_in(args: Mapping[str, Any]) -> str | None:
    """Name the damaged files of a model's local folders; None: no file is damaged by itself."""
    folders = dict.fromkeys(Path(args[name]) for name in PLACES if isinstance(args.get(name), str))
    told = [f"{file}: {fault}" for folder in folders for file, fault in _faults(folder)]
    return "; ".join(told) or None


def _faults(folder: Path) -> Iterator[tuple[Path, str]]:
    for pattern, read in _READERS.items():
        for file in sorted(folder.glob(pattern)):
            try:
                read(file)
            except Exception as err:
                yield file, f"is damaged: {type(err).__name__}: {err}"


def _read_json(file: Path) -> None:
    if not isinstance(json.loads(file.read_text(encoding="utf-8")), dict):
        raise ValueError("it holds no JSON object")


def _read_text(file: Path) -> None:
    file.read_text(encoding="utf-8")


def _read_tokenizer(file: Path) -> None:
    from tokenizers import Tokenizer

    Tokenizer.from_file(str(file))


def _read_weights(file: Path) -> None:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as weights:
        weights.keys()


_READERS: Mapping[str, Callable[[Path], None]] = {
    "*config.json": _read_json,
    "*.index.json": _read_json,
    "tokenizer.json": _read_tokenizer,
    "*.jinja": _read_text,
    "*.safetensors": _read_weights,
}
