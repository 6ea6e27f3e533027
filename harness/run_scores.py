"""What a task's documents scored, read strictly from a run's samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.errors import RecordError
from harness.runs import TaskRun
from harness.stats import mean
from harness.strict_json import read_json

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


class _Sample(msgspec.Struct):
    doc_hash: str
    cluster: str
    metrics: dict[str, float | None]


def read_scores(file: Path, task: TaskRun) -> Scores:
    """Read what a task's documents scored.

    Args:
        file: the task's samples.
        task: what the record tells of it.

    Raises:
        RecordError: the file is damaged, or is not what the record speaks of; names the line.
    """
    names = set(task.metrics)
    hashes: dict[str, None] = {}
    clusters: list[str] = []
    rows: list[list[float | None]] = []
    for number, line in enumerate(read_lines(file), 1):
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
            f"{file}: holds {len(rows)} documents, the record tells of {task.documents}; "
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
                f"{metric.n} in the record: they are of different runs"
            )


def _decode_sample(file: Path, number: int, line: bytes) -> _Sample:
    try:
        return read_json(line, _Sample)
    except ValueError as err:
        raise _damaged(file, number, str(err)) from err


def _damaged(file: Path, number: int, fault: str) -> RecordError:
    cure = "the file is damaged: copy the run again, or run it again"
    return RecordError(f"{file}, line {number}: {fault}; {cure}")


def read_lines(file: Path) -> Iterator[bytes]:
    """Read a file line by line.

    Raises:
        RecordError: it cannot be read.
    """
    try:
        with file.open("rb") as lines:
            yield from lines
    except OSError as err:
        raise RecordError(f"{file}: cannot be read: {err.strerror}") from err
