"""Files of weights: whether each is as long as it says, and all that belong together are there."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

INDEX = ".index.json"
LONGEST_HEADER = 100_000_000  # safetensors' own limit
ZIP = b"PK"
MOST_NAMED = 5


class DamagedError(Exception):
    """What is wrong with a file, or which file is not there; for people."""


def check_weights(file: Path) -> None:
    """Check a file of weights, or all that an index names.

    Raises:
        DamagedError: names the file and the fault, or the files that are missing.
        OSError: one cannot be read.
    """
    if file.name.endswith(INDEX):
        _check_index(file)
    else:
        _check_file(file)


def check_archive(file: Path) -> None:
    """Check that what `torch.save` wrote has its end, where its table of contents is.

    Raises:
        DamagedError: it has none.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            archive.namelist()
    except zipfile.BadZipFile as err:
        raise DamagedError(f"{file.name} is cut off, or was not written by torch.save") from err


def read_json(file: Path) -> Any:
    """Read JSON.

    Raises:
        DamagedError: it is none.
    """
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as err:
        raise DamagedError(f"{file.name} is damaged: {err}") from err


def read_object(file: Path) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises:
        DamagedError: it is none.
    """
    told = read_json(file)
    if not isinstance(told, dict):
        raise DamagedError(f"{file.name} is damaged: it holds no JSON object")
    return told


def _check_index(file: Path) -> None:
    shards = _shards(file)
    missing = [name for name in shards if not (file.parent / name).is_file()]
    if missing:
        raise DamagedError(f"shards are missing: {_listed(missing)} ({file.name} names them)")
    for name, tensors in shards.items():
        held = _check_file(file.parent / name)
        lacking = sorted(tensors - held) if held is not None else []
        if lacking:
            raise DamagedError(f"{name} lacks tensors that {file.name} names: {_listed(lacking)}")


def _shards(file: Path) -> dict[str, set[str]]:
    """Read which tensors each shard should hold."""
    placed = read_object(file).get("weight_map")
    if not isinstance(placed, dict) or not placed:
        raise DamagedError(f"{file.name} is damaged: it has no weight_map")
    shards: dict[str, set[str]] = {}
    for tensor, name in placed.items():
        if not isinstance(name, str) or Path(name).name != name:
            raise DamagedError(f"{file.name} is damaged: {name!r} is no name of a file beside it")
        shards.setdefault(name, set()).add(tensor)
    return dict(sorted(shards.items()))


def _check_file(file: Path) -> set[str] | None:
    """Check one file; give the names of its tensors, None where they are not told."""
    size = file.stat().st_size
    if size == 0:
        raise DamagedError(f"{file.name} is empty")
    if file.suffix == ".safetensors":
        return _check_safetensors(file, size)
    with file.open("rb") as stream:
        is_archive = stream.read(len(ZIP)) == ZIP
    if is_archive:  # older ones are plain pickles, whose end cannot be told
        check_archive(file)
    return None


def _check_safetensors(file: Path, size: int) -> set[str]:
    """Read the header: 8 bytes of its length, JSON, then the tensors without gaps."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > LONGEST_HEADER:
            raise DamagedError(f"{file.name} is no safetensors file: its header has no end")
        if size < 8 + length:
            raise DamagedError(f"{file.name} is cut off: it ends within its header")
        header = stream.read(length)
    try:
        tensors = json.loads(header)
        tensors.pop("__metadata__", None)
        empty = sum(0 in tensor["shape"] for tensor in tensors.values())
        end = max((int(tensor["data_offsets"][1]) for tensor in tensors.values()), default=0)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as err:
        raise DamagedError(f"{file.name} is no safetensors file: its header is damaged") from err
    if size != 8 + length + end:
        raise DamagedError(
            f"{file.name} has {size} bytes, and should have {8 + length + end}: it is cut off, "
            "still being written, or another file was written over it"
        )
    if empty > len(tensors) / 2:
        raise DamagedError(
            f"{file.name} holds empty tensors: one of several processes sharing the weights saved "
            "its own; gather them (ZeRO-3: stage3_gather_16bit_weights_on_model_save)"
        )
    return set(tensors)


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
