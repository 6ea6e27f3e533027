"""Random weights with a tokenizer, kept as a folder like any other model's.

The folder is named by all that its content depends on: whoever asks for the same weights again, in
another process or after a kill, gets the folder that is there.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from finetune.architectures import auto_class, config_class, implied, token_fields
from finetune.recipe import Architecture, Scratch
from finetune.tokenizer import tokenizer_of
from harness.cache import cache_home, make_home
from harness.data import doc_hash
from harness.errors import ConfigError, ModelError, printable
from harness.models import folder_digest

log = logging.getLogger(__name__)

SHOWN = 16
"""Digits of the digest in a folder's name."""
LOADED_BY = ("is_local", "local_files_only", "name_or_path")
"""What a tokenizer's file says of where it was, no matter for what it does."""


def scratch_model(scratch: Scratch, architecture: Architecture, tokenizer: str) -> Path:
    """Give the folder of random weights; the first call makes it, other processes wait for it.

    Random states of this process stay as they are.

    Args:
        scratch: checked (`finetune.reading.scratch_keys`).
        tokenizer: name on the hub or folder of the model whose tokenizer is taken.

    Raises:
        ConfigError: transformers cannot make the model.
        ModelError: the tokenizer cannot be had, or has no end token; or what was made cannot be
            written.
        OSError: the user's cache cannot be written; `SELFCHECK_HOME` names another place.
    """
    told = json.dumps([asdict(scratch), architecture, tokenizer, str(cache_home())])
    folder = _folder(told)
    return folder if folder.is_dir() else _make(scratch, architecture, tokenizer, folder)


@lru_cache(maxsize=64)
def _folder(told: str) -> Path:
    """Name the folder, once in a process: that takes the tokenizer's files."""
    scratch, architecture, tokenizer, home = json.loads(told)
    digest = doc_hash(
        {
            "scratch": scratch,
            "architecture": architecture,
            "tokenizer": _content(_padding(tokenizer)),
            "made by": _versions(),
        }
    )
    return Path(home) / "models" / f"random-{scratch['type']}-{digest[:SHOWN]}"


def _padding(name: str) -> Any:
    """Load the tokenizer of a model as random weights are saved with it: it can pad.

    Raises:
        ModelError: it cannot be had, or has no end token.
    """
    tokenizer = tokenizer_of(name)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def token_ids(tokenizer: Any, config: Any) -> dict[str, int | None]:
    """Give the special tokens that a configuration class names, by their numbers.

    A decoder begins with the padding token, as T5's does; no token is forced upon an answer. Where
    an end token also pads, a decoder alone is not told so: padding is not learnt.

    Args:
        config: the class.
    """
    known = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    if config.is_encoder_decoder or tokenizer.pad_token_id != tokenizer.eos_token_id:
        known["pad_token_id"] = tokenizer.pad_token_id
    told = {name: known.get(name) for name in token_fields(config)}
    if config.is_encoder_decoder:
        told["decoder_start_token_id"] = tokenizer.pad_token_id
    return told


def _size(tokenizer: Any) -> int:
    """Count the rows of a table that has one for each number; there may be gaps."""
    return 1 + max(int(number) for number in tokenizer.get_vocab().values())


def _content(tokenizer: Any) -> str:
    """Tell a tokenizer from others by its files, wherever it was loaded from."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        file = Path(folder) / "tokenizer_config.json"
        told = json.loads(file.read_text(encoding="utf-8"))
        own = {key: value for key, value in told.items() if key not in LOADED_BY}
        file.write_text(json.dumps(own, sort_keys=True), encoding="utf-8")
        return folder_digest(Path(folder))


def _versions() -> Mapping[str, str]:
    """Name what draws the weights; builds of torch for other devices draw the same."""
    import torch
    import transformers

    return {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}


def _make(scratch: Scratch, architecture: Architecture, tokenizer: str, folder: Path) -> Path:
    from filelock import FileLock

    make_home()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            own = _padding(tokenizer)
            _save(_weights(scratch, architecture, own), own, folder)
            log.info("Random weights: %s", folder)
    return folder


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save whole, or not at all.

    Raises:
        ModelError: it cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as place:
        partial = Path(place) / folder.name
        try:
            model.save_pretrained(partial)
            tokenizer.save_pretrained(partial)
        except Exception as err:  # safetensors has errors of its own for a full disk
            raise ModelError(
                f"{folder}: random weights cannot be written ({type(err).__name__}: {err}): make "
                "room, or name another place by SELFCHECK_HOME"
            ) from err
        partial.rename(folder)


def _weights(scratch: Scratch, architecture: Architecture, tokenizer: Any) -> Any:
    """Draw the weights on the CPU: the same for a seed, whatever devices there are.

    Raises:
        ConfigError: transformers cannot make the model.
    """
    import torch

    try:
        config = config_class(scratch.type)
        made = config(
            **{**scratch.config, "vocab_size": _size(tokenizer), **implied(config, architecture)},
            **token_ids(tokenizer, config),
        )
        before = torch.get_rng_state()
        try:
            torch.default_generator.manual_seed(scratch.seed)  # not `manual_seed`: also of GPUs
            with torch.device("cpu"):
                return auto_class(architecture).from_config(made, dtype=torch.float32)
        finally:
            torch.set_rng_state(before)
    except Exception as err:
        told = printable(f"{type(err).__name__}: {err}")
        raise ConfigError(f"model.scratch: no {scratch.type} can be made of it: {told}") from err
