"""Hashes of files, each file read once: they are remembered on disk by path and state."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from harness.cache import cache_home, make_home

log = logging.getLogger(__name__)

RACY_SECONDS = 2  # a file this fresh may change again without a new mtime


def file_sha256(path: Path) -> str:
    """Hash a file; a second look at an unchanged one does not read it.

    Unchanged: its size, its times and which file it is. The mtime alone does not tell: archives and
    `cp -p` set it, so that two checkpoints may share it.

    Raises:
        OSError: it cannot be read.
    """
    real = path.resolve()
    found = real.stat()
    state = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
    known = _read_memo().get(str(real))
    if isinstance(known, list) and known[:-1] == state:
        return str(known[-1])
    digest = read_sha256(real)
    if time.time() - found.st_mtime > RACY_SECONDS:
        _remember(str(real), [*state, digest])
    return digest


def read_sha256(path: Path) -> str:
    """Hash a file, reading it.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


def _read_memo() -> dict[str, list[Any]]:
    try:
        memo = json.loads((cache_home() / "hashes.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return memo if isinstance(memo, dict) else {}


def _remember(path: str, entry: list[Any]) -> None:
    memo = {known: value for known, value in _read_memo().items() if _exists(known)}
    target = cache_home() / "hashes.json"
    part = target.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        make_home()
        part.write_text(json.dumps({**memo, path: entry}), encoding="utf-8")
        part.replace(target)
    except OSError as err:
        log.debug("Hash of %s is not remembered: %s", path, err)


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:  # in a folder that is another user's; a name that is none
        return False
