"""The record of a run: what was measured, on what, with what, in a directory of its own.

    run.json                what is needed to judge and repeat the run
    samples_<task>.jsonl    one line a document: every question, answer, reading and value

A run directory is complete or absent: it is written under a temporary name and renamed.
"""

from __future__ import annotations

import json
import math
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness import __version__
from harness.errors import ConfigError
from harness.stats import Interval

SCHEMA = 1
_PACKAGES = ("selfcheck-harness", "lm-eval", "torch", "transformers", "datasets", "peft", "numpy")
_SECRET_NAME = r"(?i:(?<![a-z])(?:api_?key|key|token|secret|password|authorization|credentials?))"
_SECRET_VALUE = re.compile(rf"({_SECRET_NAME}['\"]?\s*[=:]\s*['\"]?)(?i:bearer\s+)?[^,\s'\"}}]+")


@dataclass(frozen=True)
class Metric:
    """One number: the mean of a metric over the documents to which it applies.

    Attributes:
        value: the mean; None if no document applies.
        interval: 95%, and how it was made.
        n: documents to which it applies.
        chance: what guessing gives; None if that is no fixed number.
    """

    value: float | None
    interval: Interval
    n: int
    chance: float | None


@dataclass(frozen=True)
class TaskRun:
    """One task of a run.

    Attributes:
        variant: the settings that tell it from its variants.
        variant_of: the task as its file has it; itself, if it is that.
        documents: how many were evaluated.
        prompts_cut: on how many of them lm-eval cut the start of a prompt; None: nobody can tell.
        answers_cut: on how many of them an answer reached its limit; None: nobody can tell.
        failed: why there are no metrics.
    """

    version: Any
    source: str
    variant: Mapping[str, str]
    variant_of: str
    data: Mapping[str, Any]
    documents: int
    prompts_cut: int | None
    answers_cut: int | None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    failed: str | None = None


@dataclass(frozen=True)
class Run:
    """A whole run; `samples` are kept beside it, one list a task."""

    model: Mapping[str, Any]
    settings: Mapping[str, Any]
    tasks: Mapping[str, TaskRun]
    created: str
    seconds: float
    samples: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict, repr=False)

    @property
    def failed(self) -> dict[str, str]:
        """The tasks that failed, with the reason."""
        return {name: task.failed for name, task in self.tasks.items() if task.failed}


def check_absent(folder: Path) -> None:
    """Refuse a folder that holds something already, or cannot be written.

    Raises:
        ConfigError: so it is.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already; give --output a new or empty folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder.parent).close()
    except OSError as err:
        raise ConfigError(f"--output {folder}: cannot be written: {err.strerror}") from err


def write_run(run: Run, folder: Path) -> Path:
    """Write a run to a folder, all or nothing, and give the folder."""
    check_absent(folder)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, samples in run.samples.items():
            _write_lines(draft / f"samples_{name}.jsonl", samples)
        (draft / "run.json").write_text(json.dumps(_record(run), indent=1) + "\n", encoding="utf-8")
        draft.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return folder


def without_secrets(told: Any) -> Any:
    """Blank what looks like a secret, in arguments by name and within strings.

    >>> without_secrets({"model": "m", "api_key": "xyz", "args": "base_url=u,token=abc"})
    {'model': 'm', 'api_key': '***', 'args': 'base_url=u,token=***'}
    """
    if isinstance(told, Mapping):
        return {
            key: "***" if re.search(f"{_SECRET_NAME}$", str(key)) else without_secrets(value)
            for key, value in told.items()
        }
    if isinstance(told, (list, tuple)):
        return [without_secrets(value) for value in told]
    if not isinstance(told, str):
        return told
    return re.sub(r"://[^/@\s]+@", "://***@", _SECRET_VALUE.sub(r"\1***", told))


def _record(run: Run) -> Any:
    return _plain(
        {
            "schema": SCHEMA,
            "created": run.created,
            "seconds": round(run.seconds, 1),
            "command": without_secrets(sys.argv),
            "selfcheck": __version__,
            "packages": {name: _version(name) for name in _PACKAGES},
            "python": platform.python_version(),
            "platform": platform.platform(),
            "model": without_secrets(run.model),
            "settings": without_secrets(run.settings),
            "tasks": {name: asdict(task) for name, task in run.tasks.items()},
        }
    )


def _plain(value: Any) -> Any:
    """Make a value strict JSON: NaN is no JSON, and becomes null."""
    if isinstance(value, Interval):
        return {"low": _plain(value.low), "high": _plain(value.high), "method": value.method}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)


def _write_lines(path: Path, rows: Iterable[Any]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(_plain(row)) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
