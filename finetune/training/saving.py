"""Finished weights on disk: a folder is complete or not there; a full disk is told as such."""

from __future__ import annotations

import errno
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import TrainingError
from harness.trust import ADAPTER_CONFIG

log = logging.getLogger(__name__)

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
TOLD_AS = (
    "No space left", "os error 28", "Disk quota exceeded",
    "PytorchStreamWriter", "inline_container.cc",  # torch.save names no cause; it only writes here
)  # fmt: skip
LEFT_BY_TRAINER = ("training_args.bin", "README.md")
REFERENCE = "ref"
"""What TRL calls the copy of an adapter that is DPO's reference."""


@contextmanager
def disk_full(kept: str) -> Iterator[None]:
    """Tell a full disk from other errors, in the words of all libraries that write.

    Args:
        kept: what is still there, for the message.

    Raises:
        TrainingError: the disk is full.
    """
    try:
        yield
    except Exception as err:
        if not _is_disk_full(err):
            raise
        raise TrainingError(
            f"the disk is full ({type(err).__name__}: {err}). Nothing half-written is left as "
            f"finished; {kept}. Make room, and the same command goes on from there"
        ) from err


def _is_disk_full(err: BaseException) -> bool:
    if isinstance(err, OSError) and err.errno in FULL:
        return True
    plain = type(err) is Exception or type(err).__name__ == "SafetensorError"  # of Rust: tokenizers
    told = plain or isinstance(err, (OSError, RuntimeError))
    return told and any(words in str(err) for words in TOLD_AS)


@contextmanager
def complete(done: Path) -> Iterator[Path]:
    """Give a folder beside `done` that becomes `done` if all goes well, and else is removed.

    Raises:
        OSError: it cannot be written, or `done` is there.
    """
    partial = partial_of(done)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(done)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def partial_of(done: Path) -> Path:
    """Give the name of a folder while it is being written, the same in all processes."""
    return done.with_name(f".{done.name}.partial")


def save_finished(trainer: Any, base: str, revision: str, done: Path) -> None:
    """Save what was trained, with its tokenizer; every process must call this.

    By `Trainer.save_model`, which gathers what FSDP and ZeRO-3 spread over processes; the first
    process alone writes.

    Args:
        base: folder or name of the model that an adapter was trained on.

    Raises:
        OSError, RuntimeError, SafetensorError: it cannot be written; `done` is not there.
    """
    from accelerate import PartialState

    state = PartialState()
    if not state.is_main_process:
        state.wait_for_everyone()  # until the folder is there
        trainer.save_model(str(partial_of(done)))
        state.wait_for_everyone()
        return
    with complete(done) as folder:
        state.wait_for_everyone()
        trainer.save_model(str(folder))
        _tidy(folder)
        _name_base(folder / ADAPTER_CONFIG, base, revision)
        _require_weights(folder)
    state.wait_for_everyone()


def _tidy(folder: Path) -> None:
    for name in LEFT_BY_TRAINER:
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / REFERENCE, ignore_errors=True)


def _name_base(file: Path, base: str, revision: str) -> None:
    """Name the base in an adapter's configuration so that it is found from everywhere."""
    if not file.is_file():
        return
    told = json.loads(file.read_text(encoding="utf-8"))
    local = Path(base).is_dir()
    told["base_model_name_or_path"] = str(Path(base).resolve()) if local else base
    told["revision"] = None if local or revision == "main" else revision
    if isinstance(told.get("target_modules"), list):  # a set, in an order that each process draws
        told["target_modules"] = sorted(told["target_modules"])
    file.write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _require_weights(folder: Path) -> None:
    """Check that weights were written: sharded ones may have been kept apart."""
    if not any(folder.glob("*.safetensors")):
        raise TrainingError(
            "the weights are spread over processes and were not gathered. Set "
            "fsdp_state_dict_type: FULL_STATE_DICT (FSDP), or "
            "stage3_gather_16bit_weights_on_model_save: true (ZeRO-3), in accelerate's "
            "configuration; the trainer's checkpoints are kept"
        )
