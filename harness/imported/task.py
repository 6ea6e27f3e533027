"""One task of lm-eval's output: its samples in our form, and its metrics."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.base_task import total
from harness.data import doc_hash
from harness.errors import RecordError
from harness.imported.samples import NO_GAIN, NO_MEAN, read_samples
from harness.imported.written import MetricEntry, Results, TaskConfig, read_config
from harness.runs import Metric, TaskRun
from harness.stats import Interval

log = logging.getLogger(__name__)
ROUNDING = 1e-6
NORMAL = 1.959964
DEFINITION = (
    "doc_to_text", "doc_to_choice", "doc_to_target", "doc_to_image", "doc_to_audio", "use_prompt",
    "description", "target_delimiter", "fewshot_delimiter", "gen_prefix", "fewshot_split",
    "fewshot_config", "process_docs", "process_results", "filter_list", "metric_list",
    "output_type",
)  # fmt: skip
"""Keys of lm-eval's own task configurations that decide what is asked and how it is scored."""
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+|(?<=<)/[^\s<>]*/(?=[^\s<>/]+ object)")
"""What of a function or object dumped by its repr is of one process or machine only."""
OVER_ALL = frozenset(
    {"accuracy", "committed", "lift_all", "acc", "acc_norm", "acc_answer_only", "ties"}
    | {"length", "refused", "explained", "simulatable", "consistency_all"}
)
"""Our metrics that have a value for every document; of choice tasks, `lift` too."""


@dataclass(frozen=True)
class ImportedTask:
    """One task of lm-eval's output.

    Attributes:
        told: the whole results file.
        results: where that is.
        file: where its samples are, if they were logged.
    """

    name: str
    told: Results
    results: Path
    file: Path | None

    @property
    def documents(self) -> int:
        """How many documents lm-eval evaluated."""
        return self.told.samples[self.name].effective

    @cached_property
    def config(self) -> TaskConfig:
        """The task's configuration, as far as it is read.

        Raises:
            RecordError: it is none.
        """
        return read_config(self.results, self.name, self.told.configs.get(self.name, {}))

    @property
    def ours(self) -> bool:
        """Whether the task is one of selfcheck's, whose configuration tells more."""
        return self.config.conditions is not None

    def samples(self) -> list[dict[str, Any]] | None:
        """Read its documents in our form, each with one value per metric; None: not logged.

        Raises:
            RecordError: the file is damaged, or lacks documents.
        """
        if self.file is None:
            return None
        return read_samples(self.file, self.name, self.config, self.documents)

    def record(self, samples: Sequence[Mapping[str, Any]] | None) -> TaskRun:
        """Describe it: from its samples, or if there are none from the aggregated numbers.

        Raises:
            RecordError: an answer of ours tells of its tokens what it cannot.
        """
        config = self.config
        failed = None if samples is None else _failure(samples)
        metrics = self._aggregated() if samples is None else {}
        if samples is not None and not failed:
            metrics = self._metrics(samples)
        usage = self._usage(samples or [])
        return TaskRun(
            version=self._version(),
            source=self._source(),
            variant={},
            variant_of=self.name,
            data={**config.data, "cluster": config.cluster},
            conditions=self._conditions(),
            headline=config.headline if self.ours else next(iter(metrics), None),
            simulated_by=config.simulated_by,
            documents=self.documents,
            metrics=metrics,
            failed=failed,
            prompts_cut=usage["prompts_cut"],
            answers_cut=usage["answers_cut"],
            tokens_in=usage["tokens_in"],
            tokens_out=usage["tokens_out"],
        )

    def _version(self) -> str | float | None:
        told = self.told.versions.get(self.name)
        is_other = isinstance(told, bool) or not isinstance(told, (int, float, type(None)))
        return str(told) if is_other else told

    def _source(self) -> str | None:
        metadata = self.config.metadata
        source = metadata.get("source") if isinstance(metadata, dict) else None
        return None if source is None else str(source)

    def _conditions(self) -> dict[str, Any]:
        config, shots = self.config, self._shots()
        if config.conditions is not None:
            return dict(config.conditions)
        known = bool(self.told.configs.get(self.name))
        seed = {"fewshot_seed": self.told.config.fewshot_seed} if shots else {}
        return {
            "definition": self._definition() if known else None,
            "generation": (config.generation_kwargs or {}) if known else None,
            "num_fewshot": shots,
            "repeats": config.repeats if known else None,
            **seed,
        }

    def _shots(self) -> int | None:
        told = self.told.shots.get(self.name)
        return told if isinstance(told, int) else None

    def _definition(self) -> str:
        told = self.told.configs[self.name]
        asked = json.dumps({key: told.get(key) for key in DEFINITION}, sort_keys=True)
        return doc_hash({"asked": ADDRESS.sub("", asked)})[:16]

    def _metrics(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Metric]:
        metrics = {}
        for name in samples[0]["metrics"] if samples else ():
            metric = self._metric(name, samples)
            if self._is_recorded(name, metric.value):
                metrics[name] = metric
            else:
                log.warning(NO_MEAN, self.name, name)
        return metrics | self._gains(metrics, samples)

    def _gains(
        self, known: Mapping[str, Metric], samples: Sequence[Mapping[str, Any]]
    ) -> dict[str, Metric]:
        """Compute the gains again of which both parts are known."""
        metrics = {}
        for name, of in self.config.gains.items():
            metric = self._gain(name, of, samples) if known.keys() >= set(of) else None
            if metric is not None and self._is_recorded(name, metric.value):
                metrics[name] = metric
            else:
                log.warning(NO_GAIN, self.name, name)
        return metrics

    def _gain(self, name: str, of: tuple[str, str], samples: Sequence[Mapping[str, Any]]) -> Metric:
        scores = [sample["metrics"] for sample in samples]
        both = [place for place, one in enumerate(scores) if None not in (one[of[0]], one[of[1]])]
        return Metric.gain(
            [(scores[place][of[0]], scores[place][of[1]]) for place in both],
            [samples[place]["cluster"] for place in both],
            of=of,
            chance=self.config.chance.get(name),
            higher_is_better=self._direction(name),
        )

    def _metric(self, name: str, samples: Sequence[Mapping[str, Any]]) -> Metric:
        told = [sample for sample in samples if sample["metrics"][name] is not None]
        values = [sample["metrics"][name] for sample in told]
        binary = (0.0, 1.0) if set(values) <= {0.0, 1.0} else None
        return Metric.over(
            values,
            [sample["cluster"] for sample in told],
            chance=self.config.chance.get(name),
            higher_is_better=self._direction(name),
            bounds=self._bounds(name) if self.ours else binary,
        )

    def _is_recorded(self, name: str, value: float | None) -> bool:
        recorded = self._result(name)
        if recorded is None or value is None:
            return value is None and recorded is not None and math.isnan(recorded)
        return math.isclose(value, recorded, rel_tol=ROUNDING, abs_tol=ROUNDING)

    def _result(self, name: str, suffix: str = "") -> float | None:
        """Look up lm-eval's own number for a metric, or for its error by the suffix."""
        metric, _, chosen = name.partition(",")
        for key, value in self.told.results.get(self.name, {}).items():
            known, _, filtered = key.partition(",")
            if known == metric + suffix and chosen in ("", filtered):
                return float(value) if isinstance(value, (int, float)) else None
        return None

    def _aggregated(self) -> dict[str, Metric]:
        keys = [key for key in self.told.results.get(self.name, {}) if "," in key]
        names = [key.removesuffix(",none") for key in keys if "_stderr," not in key]
        metrics = {}
        for name in names:
            value = self._result(name)
            if value is None or name == "bypass":
                continue
            if self._is_over_all(name):
                metrics[name] = self._aggregated_metric(name, value)
            else:
                what = "lm-eval does not tell over how many documents it is, without samples"
                log.warning("%s: %s is left out: %s", self.name, name, what)
        return metrics

    def _is_over_all(self, name: str) -> bool:
        """Whether a metric surely has a value for every document."""
        dialogue = (self.config.check, self.config.simulated_by) != (None, None)
        return not self.ours or name in OVER_ALL or (name == "lift" and not dialogue)

    def _aggregated_metric(self, name: str, value: float) -> Metric:
        bounds = self._bounds(name)
        known = math.isfinite(value)
        return Metric(
            value=value if known else None,
            interval=_normal(value, self._result(name, "_stderr"), bounds),
            n=self.documents if known else 0,
            chance=self.config.chance.get(name),
            higher_is_better=self._direction(name),
            bounds=bounds,
            of=self.config.gains.get(name),
        )

    def _direction(self, name: str) -> bool | None:
        return (self.told.higher_is_better.get(self.name) or {}).get(name.partition(",")[0])

    def _bounds(self, name: str) -> tuple[float, float] | None:
        """Give the declared bounds of one of our metrics; nobody declares those of others."""
        if not self.ours:
            return None
        entries: list[MetricEntry] = self.config.metric_list
        declared = {entry.metric: entry.range for entry in entries}
        if name not in declared:
            raise RecordError(
                f"{self.results}: the metric_list of {self.name} lacks {name}; copy the file "
                "again, or run it again"
            )
        return declared[name]

    def _usage(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, int | None]:
        try:
            return _usage([sample["stages"] for sample in samples if "stages" in sample])
        except TypeError as err:
            raise RecordError(
                f"{self.file}: a stage's tokens are no number: {err}; copy it again, or run it "
                "again"
            ) from err


def _normal(value: float, error: float | None, bounds: tuple[float, float] | None) -> Interval:
    if not math.isfinite(value):
        return Interval(None, None, "no values")
    if error is None or not math.isfinite(error):
        return Interval(None, None, "lm-eval gives no standard error")
    if error <= 0:  # equal values say nothing of their spread
        return Interval(None, None, "lm-eval's standard error is 0")
    least, most = bounds or (-math.inf, math.inf)
    reach = NORMAL * error
    low, high = max(value - reach, least), min(value + reach, most)
    return Interval(low, high, "normal, lm-eval's standard error")


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
