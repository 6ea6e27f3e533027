"""Run records on disk: written whole or not at all, read strictly.

    run.json                the record (`harness.runs.Record`)
    samples_<task>.jsonl    one line a document: hash, cluster, metrics; every question and answer

A run is complete or absent: files are written under a temporary name, and without `run.json`, which
comes last, there is no run. `run_scores` reads what documents scored.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from harness.errors import ConfigError, RecordError
from harness.run_scores import Scores, read_lines, read_scores
from harness.runs import SCHEMA, Record, Run, TaskRun
from harness.secrets import without_secrets
from harness.strict_json import read_json
from harness.whole_files import claimed

RECORD = "run.json"
LONGEST_NAME = 200


@dataclass(frozen=True)
class StoredRun:
    """A run on disk; its samples are read when they are asked for.

    Attributes:
        name: how tables call it: its folder's.
        id: twelve hexadecimal digits of the record's hash; only copies share them.
    """

    folder: Path
    record: Record
    name: str
    id: str

    @property
    def tasks(self) -> dict[str, TaskRun]:
        """The tasks by name."""
        return self.record.tasks

    def has_samples(self, task: str) -> bool:
        """Say whether a task was recorded with its documents, not as aggregated numbers only."""
        return self.tasks[task].sampled

    def samples(self, task: str, chosen: Collection[str] | None = None) -> Iterator[dict[str, Any]]:
        """Read a task's samples with all their evidence, one by one.

        Args:
            chosen: hashes of documents, to read these alone; None reads all.
        """
        for line in read_lines(_samples_file(self.folder, task)):
            if chosen is None or read_json(line, _Hash).doc_hash in chosen:
                yield json.loads(line)

    def samples_size(self, task: str) -> int:
        """Give the bytes of a task's samples.

        Raises:
            RecordError: their file cannot be read.
        """
        file = _samples_file(self.folder, task)
        try:
            return file.stat().st_size
        except OSError as err:
            raise RecordError(f"{file}: cannot be read: {err.strerror}") from err

    def scores(self, task: str) -> Scores:
        """Read what a task's documents scored.

        Raises:
            RecordError: the file is damaged, or is not what the record speaks of; names the line.
        """
        return read_scores(_samples_file(self.folder, task), self.tasks[task])


def check_absent(folder: Path) -> None:
    """Refuse a folder that holds something already, or cannot be written.

    What a killed process left of a run there does not count: the next one removes it.

    Raises:
        ConfigError: so it is.
    """
    try:
        if folder.exists() and (not folder.is_dir() or _others(folder)):
            raise ConfigError(f"{folder} is there already; give --output a new or empty folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=_beside(folder)).close()
    except OSError as err:
        raise ConfigError(f"--output {folder}: cannot be written: {err.strerror}") from err


@contextmanager
def claimed_run(folder: Path) -> Iterator[None]:
    """Have the folder of a run that is yet to be made for this process alone.

    Raises:
        ConfigError: as `check_absent` and `claimed`.
    """
    with claimed(folder, lock_of(folder)):
        check_absent(folder)
        yield


def lock_of(folder: Path) -> Path:
    """Give the file that is locked while a run is made: beside its folder, or in it."""
    return _beside(folder) / f".{_name(folder)}.lock"


def write_run(run: Run, folder: Path) -> Path:
    """Write a run to a folder, all or nothing, and give the folder.

    Secrets are blanked here, and nowhere else: in model arguments, options, the command line, and
    what a failure says. A folder that is there (empty, perhaps mounted, or somebody's working
    directory) is not replaced but filled, with the record last.

    Raises:
        ConfigError: as `claimed_run`, or there is no room; what was answered is in the cache.
        ValueError: a metric of a document is NaN or infinite.
    """
    with claimed_run(folder):
        try:
            _put(run, folder)
        except OSError as err:
            raise ConfigError(
                f"--output {folder}: the run cannot be written: {err.strerror or err}. Make room, "
                "and run the same again: cached answers are used"
            ) from err
    return folder


def _put(run: Run, folder: Path) -> None:
    _remove_remains(folder)
    fill = folder.is_dir()
    draft = _beside(folder) / f".{_name(folder)}-{uuid4().hex[:12]}"
    try:
        draft.mkdir()
        _write(run, draft)
        if fill:
            files = sorted(draft.iterdir(), key=lambda file: file.name == RECORD)
            for file in files:
                file.rename(folder / file.name)
            draft.rmdir()
        else:
            draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _beside(folder: Path) -> Path:
    """Give the folder in which a run is drafted: on the same file system."""
    return folder if folder.is_dir() else folder.parent


def _name(folder: Path) -> str:
    return folder.resolve().name


def _drafts(folder: Path) -> list[Path]:
    draft = re.compile(rf"\.{re.escape(_name(folder))}-[0-9a-f]{{12}}")
    return [path for path in _beside(folder).iterdir() if draft.fullmatch(path.name)]


def _remains(folder: Path) -> list[Path]:
    """Give what killed processes left: drafts, and what they had moved out of one."""
    drafts = _drafts(folder)
    moved = folder.glob("samples_*.jsonl") if drafts and folder.is_dir() else ()
    return [*drafts, *moved]


def _others(folder: Path) -> bool:
    """Say whether a folder holds anything but remains of a killed process."""
    held = set(folder.iterdir()) - {lock_of(folder)}
    return bool(held) and ((folder / RECORD).exists() or bool(held - set(_remains(folder))))


def _remove_remains(folder: Path) -> None:
    for path in sorted(_remains(folder), key=Path.is_dir):  # drafts last: they tell whose files
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _write(run: Run, draft: Path) -> None:
    for name, samples in run.samples.items():
        if not run.tasks[name].failed:
            _check_finite(name, samples)
        _write_lines(_samples_file(draft, name), samples)
    tasks = {
        name: msgspec.structs.replace(task, sampled=name in run.samples)
        for name, task in run.tasks.items()
    }
    record = msgspec.structs.replace(run.record, tasks=tasks)
    told = without_secrets(_plain(msgspec.to_builtins(record, enc_hook=str)))
    (draft / RECORD).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def read_run(folder: Path, name: str | None = None) -> StoredRun:
    """Read a run's record.

    Args:
        folder: that of the run.
        name: how tables shall call it; the folder's name if not given.

    Raises:
        RecordError: there is none, it is damaged, or another version of selfcheck wrote it.
    """
    file = folder / RECORD
    try:
        told = file.read_bytes()
    except OSError as err:
        hint = "give the folder of a run; `selfcheck import` makes one of lm-eval's output"
        raise RecordError(f"{file}: cannot be read ({err.strerror}); {hint}") from err
    record = _decode(told, file)
    if not record.tasks:
        raise RecordError(f"{file}: the run has no tasks")
    for task in record.tasks:
        if not is_file_name(task):
            raise RecordError(f"{file}: the task name {task[:80]!r} is no file name")
    digest = hashlib.sha256(told).hexdigest()[:12]
    return StoredRun(folder, record, name or folder.resolve().name, digest)


def is_file_name(name: str) -> bool:
    """Say whether a task of this name may have a file."""
    usual = 0 < len(name.encode("utf-8", "replace")) <= LONGEST_NAME and "\0" not in name
    return usual and name != ".." and Path(name).name == name


class _Head(msgspec.Struct):
    schema: int


class _Hash(msgspec.Struct):
    doc_hash: str


def _decode(told: bytes, file: Path) -> Record:
    try:
        written = read_json(told, _Head).schema
        if written == SCHEMA:
            return read_json(told, Record)
    except ValueError as err:
        raise RecordError(f"{file}: is no record of a run: {err}") from err
    age = "a newer" if written > SCHEMA else "an older"
    cure = "upgrade selfcheck" if written > SCHEMA else "run it again: cached answers are used"
    raise RecordError(
        f"{file}: written by {age} selfcheck (schema {written}, this one reads {SCHEMA}); {cure}"
    )


def _samples_file(folder: Path, task: str) -> Path:
    return folder / f"samples_{task}.jsonl"


def _write_lines(path: Path, rows: Iterable[Any]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(_plain(row)) + "\n")


def _check_finite(task: str, samples: Iterable[Mapping[str, Any]]) -> None:
    for sample in samples:
        for name, value in sample["metrics"].items():
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{task}, document {sample['doc_hash'][:12]}: {name} is {value}")


def _plain(value: Any) -> Any:
    """Make a value strict JSON: NaN is no JSON, and becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)
