"""Data sets from the Hugging Face cache or hub: the revision asked for, or nothing."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.data import DataRef

log = logging.getLogger(__name__)

PROBE_SECONDS = 5
PROBE_AGAIN_AFTER = 60
_COMMIT = re.compile(r"[0-9a-f]{40}")
_probed: list[tuple[float, bool]] = []


@dataclass(frozen=True)
class Fetched:
    """The rows of a split, and what was really loaded."""

    rows: list[dict[str, Any]]
    source: str


def fetch(ref: DataRef) -> Fetched:
    """Load a split with `datasets`.

    Raises:
        Exception: whatever `datasets` raises when it cannot be had.
        LookupError: without a network there is only another revision in the cache: `datasets`
            would take any.
    """
    import datasets

    with _patience():
        table = datasets.load_dataset(
            ref.path, ref.name, split=ref.split, revision=ref.revision, **_data_dir(ref)
        )
    commits = _commits(table.info.download_checksums or ())
    if _COMMIT.fullmatch(ref.revision) and commits and ref.revision not in commits:
        raise LookupError(f"the cache holds commit {', '.join(commits)}, not {ref.revision}")
    return Fetched([dict(row) for row in table], _source(ref, commits))


def how_to_save(ref: DataRef, target: Path | str) -> str:
    """Give the command that saves a split as the file that `SELFCHECK_DATA` should hold."""
    config = f"{ref.name!r}, " if ref.name else ""
    asked = f"{ref.path!r}, {config}split={ref.split!r}, revision={ref.revision!r}"
    asked += "".join(f", {name}={value!r}" for name, value in _data_dir(ref).items())
    return (
        'python -c "from datasets import load_dataset; '
        f"load_dataset({asked}).to_json('{target}', force_ascii=False)\""
    )


def _data_dir(ref: DataRef) -> dict[str, str]:
    return {"data_dir": ref.data_dir} if ref.data_dir else {}


def _source(ref: DataRef, commits: list[str]) -> str:
    if Path(ref.path).exists():  # `load_dataset` prefers it to the hub
        return f"folder {ref.path}"
    return f"hub {ref.path} at {ref.revision} (commit {', '.join(commits) or 'unknown'})"


def _commits(urls: Any) -> list[str]:
    return sorted({m[1] for url in urls if (m := re.search(rf"@({_COMMIT.pattern})/", url))})


@contextmanager
def _patience() -> Iterator[None]:
    """Ask only the cache if the hub does not answer: `datasets` would try for 23 s a data set."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _hub_answers()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _hub_answers() -> bool:
    if _probed and time.monotonic() - _probed[-1][0] < PROBE_AGAIN_AFTER:
        return _probed[-1][1]
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=PROBE_SECONDS)
        answers = True
    except Exception as err:
        log.info("The hub does not answer (%s); only its cache is looked at", type(err).__name__)
        answers = False
    _probed[:] = [(time.monotonic(), answers)]
    return answers
