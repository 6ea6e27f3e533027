"""Run records on disk: written whole or not at all, read strictly.

    run.json                the record (`harness.runs.Record`)
    samples_<task>.jsonl    one line a document: hash, cluster, metrics; every question and answer

A run directory is complete or absent: it is written under a temporary name and renamed.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import ConfigError, RecordError
from harness.runs import SCHEMA, Record, Run, TaskRun
from harness.stats import mean

RECORD = "run.json"
ROUNDING = 1e-9


@dataclass(frozen=True)
class Scores:
    """What a task's documents scored, as columns of n documents.

    Attributes:
        hashes: tell the documents apart.
        clusters: equal names are one source.
        values: metric -> float64, shape (n,); NaN where it does not apply.
    """

    hashes: list[str]
    clusters: list[str]
    values: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class StoredRun:
    """A run on disk; its samples are read when they are asked for.

    Attributes:
        name: how tables call it: its folder's.
        id: twelve hexadecimal digits, of the record's hash: no other run has them.
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
        return _samples_file(self.folder, task).is_file()

    def samples(self, task: str) -> Iterator[dict[str, Any]]:
        """Read a task's samples with all their evidence, one by one."""
        for line in _lines(_samples_file(self.folder, task)):
            yield json.loads(line)

    def scores(self, task: str) -> Scores:
        """Read what a task's documents scored.

        Raises:
            RecordError: the file is damaged, or is not what the record speaks of; names the line.
        """
        return _read_scores(_samples_file(self.folder, task), self.tasks[task])


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
            _write_lines(_samples_file(draft, name), samples)
        record = json.dumps(_plain(msgspec.to_builtins(run.record, enc_hook=str)), indent=1)
        (draft / RECORD).write_text(record + "\n", encoding="utf-8")
        draft.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return folder


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
    for task in record.tasks:
        if not task or Path(task).name != task:
            raise RecordError(f"{file}: the task name {task!r} is no file name")
    digest = hashlib.sha256(told).hexdigest()[:12]
    return StoredRun(folder, record, name or folder.resolve().name, digest)


class _Head(msgspec.Struct):
    schema: int


class _Sample(msgspec.Struct):
    doc_hash: str
    cluster: str
    metrics: dict[str, float | None]


_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (_Head, Record, _Sample)
}
T = TypeVar("T", _Head, Record, _Sample)


def _read(told: bytes, kind: type[T]) -> T:
    """Read strict JSON of a strict type; halves of surrogate pairs are fine, models write them.

    Raises:
        ValueError: it is something else (a `msgspec.ValidationError` names the place).
    """
    try:
        decoded: T = _decoders[kind].decode(told)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.convert(json.loads(told, parse_constant=_no_number), kind)
    return decoded


def _decode(told: bytes, file: Path) -> Record:
    try:
        written = _read(told, _Head).schema
        if written == SCHEMA:
            return _read(told, Record)
    except (ValueError, RecursionError) as err:
        raise RecordError(f"{file}: is no record of a run: {err}") from err
    age = "a newer" if written > SCHEMA else "an older"
    cure = "upgrade selfcheck" if written > SCHEMA else "run it again: cached answers are used"
    raise RecordError(
        f"{file}: written by {age} selfcheck (schema {written}, this one reads {SCHEMA}); {cure}"
    )


def _read_scores(file: Path, task: TaskRun) -> Scores:
    names = set(task.metrics)
    hashes: dict[str, None] = {}
    clusters: list[str] = []
    rows: list[list[float | None]] = []
    for number, line in enumerate(_lines(file), 1):
        sample = _decode_sample(file, number, line)
        if sample.doc_hash in hashes:
            raise _damaged(file, number, f"document {sample.doc_hash[:12]} is there twice")
        if not names <= set(sample.metrics):
            lacking = ", ".join(sorted(names - set(sample.metrics)))
            raise _damaged(file, number, f"no value for {lacking}")
        hashes[sample.doc_hash] = None
        clusters.append(sample.cluster)
        rows.append([sample.metrics[name] for name in task.metrics])
    if len(rows) != task.documents:
        raise RecordError(
            f"{file}: holds {len(rows)} documents, {RECORD} tells of {task.documents}; "
            "copy the run again, or run it again"
        )
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    values = dict(zip(task.metrics, np.ascontiguousarray(table.T), strict=True))
    _check_means(file, task, values)
    return Scores(list(hashes), clusters, values)


def _check_means(file: Path, task: TaskRun, values: Mapping[str, NDArray[np.float64]]) -> None:
    for name, metric in task.metrics.items():
        told = values[name][~np.isnan(values[name])]
        found = mean(told.tolist()) if len(told) else math.nan
        recorded = math.nan if metric.value is None else metric.value
        same = math.isclose(found, recorded, rel_tol=ROUNDING, abs_tol=ROUNDING)
        if len(told) != metric.n or not (same or (math.isnan(found) and math.isnan(recorded))):
            raise RecordError(
                f"{file}: {name} is {found} over {len(told)} documents here, but {recorded} over "
                f"{metric.n} in {RECORD}: they are of different runs"
            )


def _decode_sample(file: Path, number: int, line: bytes) -> _Sample:
    try:
        return _read(line, _Sample)
    except (ValueError, RecursionError) as err:
        raise _damaged(file, number, str(err)) from err


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _damaged(file: Path, number: int, fault: str) -> RecordError:
    cure = "the file is damaged: copy the run again, or run it again"
    return RecordError(f"{file}, line {number}: {fault}; {cure}")


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as lines:
            yield from lines
    except OSError as err:
        raise RecordError(f"{file}: cannot be read: {err.strerror}") from err


def _samples_file(folder: Path, task: str) -> Path:
    return folder / f"samples_{task}.jsonl"


def _write_lines(path: Path, rows: Iterable[Any]) -> None:
    with path.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(_plain(row)) + "\n")


def _plain(value: Any) -> Any:
    """Make a value strict JSON: NaN is no JSON, and becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)
