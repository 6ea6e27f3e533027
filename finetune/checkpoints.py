"""Folders of weights, looked at without loading them: which there are, whole or not, and changed.

Only what files say of themselves is checked: sizes, headers, indices. Damage within a file of the
right size shows when it is loaded.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from finetune.weight_files import (
    DamagedError,
    check_weights,
    read_json,
    read_object,
)
from harness.errors import ModelError
from harness.hashes import file_sha256
from harness.models import ADAPTER_WEIGHTS, TOKENIZER, WEIGHTS, adapter_base
from harness.trust import ADAPTER_CONFIG

log = logging.getLogger(__name__)

CONFIG = "config.json"
OWN = (
    *WEIGHTS, *ADAPTER_WEIGHTS, *TOKENIZER, "config.json", "adapter_config.json",
    "generation_config.json", "*processor_config.json", "*.index.json", "*.py",
)  # fmt: skip
"""The files that a model consists of; others in its folder (optimiser, logs, cards) are not."""
MODEL_FILES = (
    "model.safetensors", "model.safetensors.index.json",
    "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip
"""In the order in which transformers looks for them."""
ADAPTER_FILES = ("adapter_model.safetensors", "adapter_model.bin")
FSDP = "pytorch_model_fsdp_0"
DEEPSPEED = "global_step*"
TEMPORARY = re.compile(r"\..*|tmp[-_].*|.*[._-]tmp(-.*)?|.*\.(part|partial|incomplete)")
DEPTH = 2
HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


def find(folder: Path) -> list[Path]:
    """Find the checkpoints in a folder: itself, its subfolders, and theirs.

    What is named as temporary files are is left out (`.x`, `tmp-x`, `x.tmp`, `x_tmp`), and what a
    checkpoint holds is part of it. Those that are not whole are there, too (`fault`).

    Returns:
        The folder itself first, then in natural order: checkpoint-20 before checkpoint-100.
    """
    own = [folder] if _holds_weights(folder) else []
    return own + sorted(_below(folder, DEPTH), key=lambda path: natural(path.relative_to(folder)))


def natural(path: Path | str) -> list[tuple[int, int, str]]:
    """Give a key that sorts numbers within names by value.

    >>> sorted(["step-10", "step-9", "step"], key=natural)
    ['step', 'step-9', 'step-10']
    """
    parts = re.findall(r"\d+|\D+", str(path))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def fault(folder: Path) -> str | None:
    """Say what keeps a checkpoint from being loaded, and what to do; None: nothing to be seen.

    An adapter's base is looked for only if it is a path; names on the hub are not looked up.
    """
    try:
        _check(folder)
        return _base_fault(folder)
    except (DamagedError, ModelError) as err:
        return str(err)
    except OSError as err:
        return f"{err.filename or folder} cannot be read: {err.strerror}"


def own_files(folder: Path) -> list[Path]:
    """Give the files that a model consists of, by name."""
    return sorted({file for pattern in OWN for file in folder.glob(pattern) if file.is_file()})


def listing(folder: Path) -> tuple[tuple[str, int, int, int, int], ...]:
    """Say what state the files are in: name, size, times, number; equal: none has changed."""
    told = []
    for file in own_files(folder):
        try:
            found = file.stat()
        except FileNotFoundError:  # removed since
            continue
        state = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
        told.append((file.name, *state))
    return tuple(told)


def digest(folder: Path) -> str:
    """Hash names and contents of the files that a model consists of; each file is read once.

    Raises:
        OSError: one cannot be read.
    """
    told = "".join(f"{file_sha256(file)}  {file.name}\n" for file in own_files(folder))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def identity(place: str | Path) -> str:
    """Tell a model from others: a folder by what it holds, wherever it lies; a name by itself."""
    return digest(Path(place)) if Path(place).is_dir() else str(place)


def _below(folder: Path, depth: int) -> Iterator[Path]:
    for path in _folders(folder):
        if _holds_weights(path) or (path / CONFIG).is_file():
            yield path
        elif depth > 1:
            yield from _below(path, depth - 1)


def _folders(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.is_dir()]
    except (FileNotFoundError, NotADirectoryError):  # rotated away
        return []
    except OSError as err:
        log.warning("%s is not looked into: %s", folder, err.strerror)
        return []
    return [path for path in found if not TEMPORARY.fullmatch(path.name) and path.name != FSDP]


def _holds_weights(folder: Path) -> bool:
    signs = (*WEIGHTS, *ADAPTER_WEIGHTS, ADAPTER_CONFIG, "*.index.json")
    return any(any(folder.glob(sign)) for sign in signs) or _to_consolidate(folder) is not None


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise DamagedError("there is no such folder")
    next(folder.iterdir(), None)  # or a folder that may not be read looks empty
    is_adapter = (folder / ADAPTER_CONFIG).is_file()
    names = ADAPTER_FILES if is_adapter else MODEL_FILES
    weights = next((folder / name for name in names if (folder / name).is_file()), None)
    if weights is None:
        raise DamagedError(_to_consolidate(folder) or _no_weights(folder, names))
    config = folder / (ADAPTER_CONFIG if is_adapter else CONFIG)
    if not config.is_file():
        raise DamagedError(f"there is neither {CONFIG} nor {ADAPTER_CONFIG}")
    for file in own_files(folder):
        if file.stat().st_size == 0:
            raise DamagedError(f"{file.name} is empty")
        if file.suffix == ".json":
            read_json(file)
    read_object(config)
    check_weights(weights)


def _no_weights(folder: Path, names: tuple[str, ...]) -> str:
    shards = sorted(file.name for file in folder.glob("*-of-*"))
    if shards:
        return f"there are shards ({shards[0]}, ...), but no index that names them all"
    what = "the adapter has no weights" if names == ADAPTER_FILES else "there are no weights"
    return f"{what}: none of {', '.join(names)}"


def _to_consolidate(folder: Path) -> str | None:
    """Say how to make weights of what a sharded training keeps; None: there is nothing such."""
    shards = folder / FSDP
    if shards.is_dir() or any(folder.glob("*.distcp")):
        place = shards if shards.is_dir() else folder
        return (
            f"the weights are FSDP's shards: run `accelerate merge-weights {place} {folder}`, or "
            "train with fsdp_state_dict_type FULL_STATE_DICT"
        )
    if any(folder.glob(f"{DEEPSPEED}/*_states.pt")):
        return (
            f"the weights are DeepSpeed's shards: run `python {folder}/zero_to_fp32.py {folder} "
            f"{folder} --safe_serialization`, or train with "
            "stage3_gather_16bit_weights_on_model_save"
        )
    return None


def _base_fault(folder: Path) -> str | None:
    base = adapter_base(folder)
    if base is None:
        return None
    place = Path(base).expanduser()
    if place.exists():
        found = fault(place) if place.resolve() != folder.resolve() else "it is the adapter itself"
        return f"its base model {base}: {found}" if found else None
    if HUB_NAME.fullmatch(base) and not base.startswith("."):
        return None
    return (
        f"its base model {base} is not there: put it there, or correct base_model_name_or_path in "
        f"{ADAPTER_CONFIG}"
    )
