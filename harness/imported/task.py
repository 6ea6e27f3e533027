"""One task of lm-eval's output: its samples in our form, and its metrics."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from harness.base_task import cluster_by, total
from harness.data import doc_hash
from harness.errors import RecordError
from harness.runs import Metric, TaskRun
from harness.scoring import choice_evidence
from harness.stats import Interval

log = logging.getLogger(__name__)
ROUNDING = 1e-6
NORMAL = 1.959964
DEFINITION = (
    "doc_to_text", "doc_to_choice", "doc_to_target", "description", "filter_list", "output_type",
)  # fmt: skip
"""Keys of lm-eval's own task configurations that decide what is asked."""


@dataclass(frozen=True)
class ImportedTask:
    """One task of lm-eval's output.

    Attributes:
        told: the whole results file.
        file: where its samples are, if they were logged.
    """

    name: str
    told: Mapping[str, Any]
    file: Path

    @property
    def has_samples(self) -> bool:
        """Whether its samples were logged."""
        return self.file.is_file()

    @property
    def documents(self) -> int:
        """How many documents lm-eval evaluated."""
        return int(self.told["n-samples"][self.name]["effective"])

    @property
    def config(self) -> Mapping[str, Any]:
        """The task's configuration as lm-eval dumped it."""
        return dict(self.told["configs"].get(self.name) or {})

    @property
    def ours(self) -> bool:
        """Whether the task is one of selfcheck's, whose configuration tells more."""
        return "conditions" in self.config

    def samples(self) -> list[dict[str, Any]]:
        """Read its documents in our form, each with one value per metric.

        Raises:
            RecordError: the file is damaged, or lacks documents.
        """
        groups = groupby(self._rows(), key=lambda row: row["doc_id"])
        documents = [self._sample(list(group)) for _, group in groups]
        if len(documents) != self.documents:
            raise RecordError(
                f"{self.file}: holds {len(documents)} documents, the results tell of "
                f"{self.documents}; copy it again, or run it again"
            )
        return documents

    def record(self, samples: Sequence[Mapping[str, Any]] | None) -> TaskRun:
        """Describe it: from its samples, or if there are none from the aggregated numbers."""
        config = self.config
        failed = None if samples is None else _failure(samples)
        metrics = self._aggregated() if samples is None else self._metrics(samples)
        version = self.told.get("versions", {}).get(self.name)
        return TaskRun(
            version=version if isinstance(version, (int, float, type(None))) else str(version),
            source=(config.get("metadata") or {}).get("source"),
            variant={},
            variant_of=self.name,
            data={**config.get("data", {}), "cluster": config.get("cluster", "doc")},
            conditions=self._conditions(),
            headline=config["headline"] if self.ours else next(iter(metrics), None),
            documents=self.documents,
            metrics={} if failed else metrics,
            failed=failed,
            **_usage([sample["stages"] for sample in samples or [] if "stages" in sample]),
        )

    def _rows(self) -> list[dict[str, Any]]:
        """Read lm-eval's samples, one per document and filter, in the documents' order."""
        with self.file.open(encoding="utf-8") as lines:
            rows = [self._row(number, line) for number, line in enumerate(lines, 1)]
        several = len({row.get("filter") for row in rows}) > 1
        for row in rows:
            row["values"] = {
                f"{name},{row['filter']}" if several else name: _number(row.get(name))
                for name in row["metrics"]
                if name != "bypass"
            }
        return sorted(rows, key=lambda row: int(row["doc_id"]))

    def _row(self, number: int, line: str) -> dict[str, Any]:
        try:
            row = dict(json.loads(line))
            lacking = {"doc_id", "doc", "metrics"} - set(row)
            if lacking:
                raise ValueError(f"no {', '.join(sorted(lacking))}")
        except (ValueError, TypeError) as err:
            raise RecordError(
                f"{self.file}, line {number}: is no sample of lm-eval: {err}; copy it again, or "
                "run it again"
            ) from err
        return row

    def _sample(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        first = rows[0]
        try:
            cluster = cluster_by(self.config.get("cluster", "doc"))(first["doc"])
        except (KeyError, TemplateError) as err:
            raise RecordError(f"{self.file}: document {first['doc_id']}: cluster: {err}") from err
        return {
            "doc_id": first["doc_id"],
            "doc_hash": doc_hash(first["doc"]),
            "cluster": cluster,
            "doc": first["doc"],
            "target": first.get("target"),
            "metrics": {name: value for row in rows for name, value in row["values"].items()},
            **self._evidence(rows),
        }

    def _evidence(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        answers = rows[0].get("filtered_resps") or []
        if self.ours and answers and isinstance(answers[0], str):
            told = json.loads(answers[0])
            return {"stages": told["stages"], "read": told.get("read")}
        asked = [tuple(one.values()) for one in (rows[0].get("arguments") or {}).values()]
        if self.ours:
            scores = [(float(score), str(greedy) == "True") for score, greedy in answers]
            return choice_evidence(asked, scores, "acc_answer_only" in rows[0]["metrics"])
        return {"asked": asked, "answers": [row.get("filtered_resps") for row in rows]}

    def _conditions(self) -> dict[str, Any]:
        if self.ours:
            return dict(self.config["conditions"])
        asked = {key: self.config.get(key) for key in DEFINITION}
        return {
            "definition": doc_hash(json.loads(json.dumps(asked, default=str)))[:16],
            "generation": self.config.get("generation_kwargs") or {},
            "num_fewshot": self.told.get("n-shot", {}).get(self.name),
            "repeats": self.config.get("repeats", 1),
        }

    def _metrics(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Metric]:
        metrics = {}
        for name in dict.fromkeys(name for sample in samples for name in sample["metrics"]):
            metric = self._metric(name, samples)
            if self._is_mean(name, metric.value):
                metrics[name] = metric
            else:
                log.warning("%s: %s is left out: it is no mean over documents", self.name, name)
        return metrics

    def _metric(self, name: str, samples: Sequence[Mapping[str, Any]]) -> Metric:
        told = [
            (value, sample["cluster"])
            for sample in samples
            if (value := sample["metrics"].get(name)) is not None
        ]
        values = [value for value, _ in told]
        return Metric.over(
            values,
            [cluster for _, cluster in told],
            chance=(self.config.get("chance") or {}).get(name),
            higher_is_better=self._direction(name),
            bounds=self._bounds(name, values),
        )

    def _is_mean(self, name: str, value: float | None) -> bool:
        recorded = self._result(name)
        if value is None or recorded is None or math.isnan(recorded):
            return True
        return math.isclose(value, recorded, rel_tol=ROUNDING, abs_tol=ROUNDING)

    def _result(self, name: str, suffix: str = "") -> float | None:
        """Look up lm-eval's own number for a metric, or for its error by the suffix."""
        metric, _, chosen = name.partition(",")
        for key, value in self.told["results"].get(self.name, {}).items():
            known, _, filtered = key.partition(",")
            if known == metric + suffix and chosen in ("", filtered):
                return float(value) if isinstance(value, (int, float)) else None
        return None

    def _aggregated(self) -> dict[str, Metric]:
        results = self.told["results"].get(self.name, {})
        names = [key.removesuffix(",none") for key in results if "," in key]
        told = {name: self._result(name) for name in names if "_stderr" not in name}
        return {
            name: Metric(
                value=value if math.isfinite(value) else None,
                interval=_normal(value, self._result(name, "_stderr")),
                n=self.documents,
                chance=(self.config.get("chance") or {}).get(name),
                higher_is_better=self._direction(name),
                bounds=None,
            )
            for name, value in told.items()
            if value is not None
        }

    def _direction(self, name: str) -> bool | None:
        told = self.told.get("higher_is_better", {}).get(self.name) or {}
        return told.get(name.partition(",")[0])

    def _bounds(self, name: str, values: Sequence[float]) -> tuple[float, float] | None:
        if not self.ours:
            return (0.0, 1.0) if set(values) <= {0.0, 1.0} else None
        entries = {entry["metric"]: entry for entry in self.config["metric_list"]}
        told = entries[name].get("range", [0, 1])
        return (float(told[0]), float(told[1])) if told else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (bool, int, float)) else None


def _normal(value: float, error: float | None) -> Interval:
    if error is None or not math.isfinite(error) or not math.isfinite(value):
        return Interval(None, None, "lm-eval gives no standard error")
    reach = NORMAL * error
    return Interval(value - reach, value + reach, "normal, lm-eval's standard error")


def _failure(samples: Sequence[Mapping[str, Any]]) -> str | None:
    values = [value for sample in samples for value in sample["metrics"].values()]
    if any(value is not None and not math.isfinite(value) for value in values):
        return "lm-eval recorded a value that is not finite"
    if values and all(value is None for value in values):
        return "no document has a value; lm-eval's log says why"
    return None


def _usage(talks: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, int | None]:
    told: dict[str, int | None] = {}
    for name, key in (("prompts_cut", "prompt_cut"), ("answers_cut", "answer_cut")):
        cut: list[list[Any]] = [[stage.get(key) for stage in talk] for talk in talks]
        known = bool(cut) and not any(None in flags for flags in cut)
        told[name] = sum(map(any, cut)) if known else None
    for name in ("tokens_in", "tokens_out"):
        tokens = [stage.get(name) for talk in talks for stage in talk]
        told[name] = total(tokens) if tokens else None
    return told
