"""What a task's documents scored, read strictly from a run's samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness import stats
from harness.errors import RecordError
from harness.runs import Metric, TaskRun
from harness.strict_json import read_json

ROUNDING = 1e-9


class Column(NamedTuple):
    """A metric over some documents, as values whose mean it is.

    Attributes:
        value: the metric; None: empty, by `lacking`, or because there are no documents.
        values: float64, one a document; of a gain as `stats.gain_values` makes them.
        bounds: the lowest and highest value possible; None if unbounded.
        lacking: why there is no gain, and `values` is NaN.
    """

    value: float | None
    values: NDArray[np.float64]
    bounds: tuple[float, float] | None
    lacking: str | None = None


@dataclass(frozen=True)
class Scores:
    """What a task's documents scored, as columns of n documents.

    Attributes:
        hashes: tell the documents apart.
        clusters: equal names are one source.
        values: plain metric -> float64, shape (n,); NaN where it does not apply.
        metrics: what the record tells of every metric, derived ones too.
    """

    hashes: list[str]
    clusters: list[str]
    values: dict[str, NDArray[np.float64]]
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    def at(self, places: Sequence[int]) -> Scores:
        """Take the documents at these places, in this order."""
        return Scores(
            [self.hashes[place] for place in places],
            [self.clusters[place] for place in places],
            {name: column[places] for name, column in self.values.items()},
            self.metrics,
        )

    def applies(self, name: str) -> NDArray[np.bool_]:
        """Say of each document whether a metric applies; a gain does where both its parts do."""
        parts = self.metrics[name].of or (name,)
        told: NDArray[np.bool_] = ~np.any([np.isnan(self.values[part]) for part in parts], axis=0)
        return told

    def of(self, name: str, chosen: NDArray[np.bool_]) -> Column:
        """Give a metric over the chosen documents, to all of which it applies."""
        metric = self.metrics[name]
        if metric.of is not None:
            after, before = (self.values[part][chosen] for part in metric.of)
            return _gain_column(after, before)
        values = self.values[name][chosen]
        return Column(_mean(values), values, metric.bounds)


def _gain_column(after: NDArray[np.float64], before: NDArray[np.float64]) -> Column:
    value = stats.normalised_gain(after, before)
    if value is not None:
        bounds = stats.gain_bounds(after, before)
        return Column(value, stats.gain_values(after, before), bounds)
    lacking = stats.NO_ROOM if len(after) else None
    return Column(None, np.full(len(after), np.nan), None, lacking)


def _mean(values: NDArray[np.float64]) -> float | None:
    return stats.mean(values) if len(values) else None


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
    names = _plain_metrics(file, task)
    hashes: dict[str, None] = {}
    clusters: list[str] = []
    rows: list[list[float | None]] = []
    for number, line in enumerate(read_lines(file), 1):
        sample = _decode_sample(file, number, line)
        if sample.doc_hash in hashes:
            raise _damaged(file, number, f"document {sample.doc_hash[:12]} is there twice")
        if not sample.metrics.keys() >= set(names):
            lacking = ", ".join(sorted(set(names) - sample.metrics.keys()))
            raise _damaged(file, number, f"no value for {lacking}")
        hashes[sample.doc_hash] = None
        clusters.append(sample.cluster)
        rows.append([sample.metrics[name] for name in names])
    if len(rows) != task.documents:
        raise RecordError(
            f"{file}: holds {len(rows)} documents, the record tells of {task.documents}; "
            "copy the run again, or run it again"
        )
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    values = dict(zip(names, np.ascontiguousarray(table.T), strict=True))
    scores = Scores(list(hashes), clusters, values, task.metrics)
    _check_recorded(file, scores)
    return scores


def _plain_metrics(file: Path, task: TaskRun) -> list[str]:
    """Name the metrics that documents have values of; the parts of gains must be among them."""
    plain = [name for name, metric in task.metrics.items() if metric.of is None]
    for name, metric in task.metrics.items():
        lacking = sorted(set(metric.of or ()) - set(plain))
        if lacking:
            raise RecordError(
                f"{file}: {name} is a gain of {', '.join(lacking)}, which the record does not "
                "have; copy the run again, or run it again"
            )
    return plain


def _check_recorded(file: Path, scores: Scores) -> None:
    """Refuse samples of which the recorded means and gains are not."""
    for name, metric in scores.metrics.items():
        applies = scores.applies(name)
        value, n = scores.of(name, applies).value, int(applies.sum())
        found, recorded = (math.nan if told is None else told for told in (value, metric.value))
        same = math.isclose(found, recorded, rel_tol=ROUNDING, abs_tol=ROUNDING)
        if n != metric.n or not (same or (math.isnan(found) and math.isnan(recorded))):
            raise RecordError(
                f"{file}: {name} is {found} over {n} documents here, but {recorded} over "
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
