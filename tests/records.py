"""Run records made up: a value per document and metric is all that a test gives."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.run_files import StoredRun, read_run, write_run
from harness.runs import Environment, Metric, Model, Record, Run, Settings, TaskRun

Values = Mapping[str, Sequence[float | None]]
LIFT = (-1.0, 1.0)


def doc_hash(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def task_run(values: Values, clusters: Sequence[str] | None = None, **changed: Any) -> TaskRun:
    """One task; `bounds`, `directions`, `gains` (to the parts) are by metric, others attributes."""
    bounds, directions = changed.pop("bounds", {}), changed.pop("directions", {})
    gains = changed.pop("gains", {})
    documents = max(map(len, values.values()), default=0)
    names = clusters or [doc_hash(number) for number in range(documents)]
    told: dict[str, Any] = {
        "version": 1.0,
        "source": "a test",
        "variant": {},
        "variant_of": "task",
        "data": {"path": "made/up", "fingerprint": "f" * 64, "documents": 1000},
        "conditions": {"generation": {"do_sample": False}, "num_fewshot": 0},
        "headline": next(iter(values), None),
        "documents": documents,
        "prompts_cut": None,
        "answers_cut": None,
        "tokens_in": None,
        "tokens_out": None,
        "metrics": {
            name: _metric(column, names, bounds.get(name, (0.0, 1.0)), directions.get(name, True))
            for name, column in values.items()
        }
        | {
            name: _gain(values, names, of, directions.get(name, True)) for name, of in gains.items()
        },
    }
    return TaskRun(**{**told, **changed})


def _metric(column: Sequence[float | None], names: Sequence[str], bounds: Any, up: Any) -> Metric:
    told = [(value, name) for value, name in zip(column, names, strict=True) if value is not None]
    return Metric.over(
        [value for value, _ in told],
        [name for _, name in told],
        chance=None,
        higher_is_better=up,
        bounds=bounds,
    )


def _gain(values: Values, names: Sequence[str], of: tuple[str, str], up: Any) -> Metric:
    told = [
        ((after, before), name)
        for after, before, name in zip(values[of[0]], values[of[1]], names, strict=True)
        if None not in (after, before)
    ]
    return Metric.gain(
        [parts for parts, _ in told],
        [name for _, name in told],
        of=of,
        chance=0.0,
        higher_is_better=up,
    )


def samples(
    values: Values, clusters: Sequence[str] | None = None, numbers: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    total = max(map(len, values.values()), default=0)
    return [
        {
            "doc_id": number,
            "doc_hash": doc_hash(number),
            "cluster": clusters[place] if clusters else doc_hash(number),
            "doc": {"text": f"document {number}"},
            "metrics": {name: column[place] for name, column in values.items()},
        }
        for place, number in enumerate(numbers or range(total))
    ]


def make_run(
    tasks: Mapping[str, TaskRun],
    told: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    **model: Any,
) -> Run:
    described = {
        "backend": "hf",
        "args": {"pretrained": "made/up"},
        "fingerprint": None,
        "device": "cpu",
        "dtype": "float32",
        "batch_size": 1,
    }
    record = Record(
        created="2026-01-01T00:00:00+00:00",
        seconds=1.0,
        environment=Environment(command=None, packages={}, python=None, platform=None),
        model=Model(**{**described, **model}),
        settings=Settings(tasks=list(tasks), **(settings or {})),
        tasks=dict(tasks),
    )
    return Run(record, dict(told or {}))


def store(
    folder: Path,
    values: Mapping[str, Values],
    *,
    clusters: Sequence[str] | None = None,
    numbers: Sequence[int] | None = None,
    settings: Mapping[str, Any] | None = None,
    fingerprint: str | None = None,
    keep_samples: bool = True,
    **changed: Any,
) -> StoredRun:
    """Write a run of tasks with these values, and read it back.

    `numbers` are the documents' (0, 1, ... if not given); other keywords go to `task_run`.
    """
    tasks = {
        name: task_run(told, clusters, **{"variant_of": name, **changed})
        for name, told in values.items()
    }
    kept = values if keep_samples else {}
    rows = {name: samples(told, clusters, numbers) for name, told in kept.items()}
    return read_run(write_run(make_run(tasks, rows, settings, fingerprint=fingerprint), folder))
