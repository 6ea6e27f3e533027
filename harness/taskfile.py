"""What a task file says, checked: every key has a reader, every metric a chance level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data import DataRef
from harness.errors import ConfigError, unknown

REQUIRED = frozenset(
    {"task", "dataset_path", "test_split", "cluster", "chance", "metric_list", "headline"}
    | {"metadata"}
)
OPTIONAL = frozenset(
    {
        "class",
        "task_alias",
        "tag",
        "dataset_name",
        "dataset_revision",
        "dataset_kwargs",
        "where",
        "generation_kwargs",
        "repeats",
    }
)
METRIC_KEYS = frozenset({"metric", "aggregation", "higher_is_better", "range", "of"})
MEAN, GAIN = "applicable_mean", "normalised_gain"
"""Aggregations: a mean over documents; a gain of one such metric over another, from totals."""


@dataclass(frozen=True)
class TaskFile:
    """A task file, checked.

    Attributes:
        place: the file, for messages.
        given: all of it, as lm-eval hands it over.
        common: the keys that all our tasks have.
        own: the keys of this kind of task.
        metadata: the file's own metadata. lm-eval merges model arguments into what it hands over:
            a `version` among them must not count, and an API key must not be recorded.
    """

    place: str
    given: Mapping[str, Any]
    common: Mapping[str, Any]
    own: Mapping[str, Any]
    metadata: Mapping[str, Any]

    @classmethod
    def read(cls, config: Mapping[str, Any], own_keys: frozenset[str]) -> TaskFile:
        """Check what lm-eval hands over of a task file.

        Raises:
            ConfigError: names all unknown and missing keys, and what is wrong with the metrics.
        """
        merged = config.get("metadata") or {}
        merged = merged if isinstance(merged, Mapping) else {}
        place = str(merged.get("config_source", f"task {config.get('task')!r}"))
        known = REQUIRED | OPTIONAL | own_keys
        faults = [unknown("key", str(key), known) for key in config if key not in known]
        faults += [f"key {key!r} is missing" for key in sorted(REQUIRED - set(config))]
        common = {key: value for key, value in config.items() if key in REQUIRED | OPTIONAL}
        own = {key: value for key, value in config.items() if key in own_keys}
        metadata = _declared(place, merged)
        faults += [
            f"metadata lacks {key!r}" for key in ("version", "source") if key not in metadata
        ]
        kwargs, where = common.get("dataset_kwargs") or {}, common.get("where") or {}
        if not isinstance(kwargs, Mapping) or not isinstance(where, Mapping):
            faults.append("dataset_kwargs and where must be mappings: key to value")
            kwargs, where = {}, {}
        faults += [
            f"where: {column} must be one value, got {value!r}"
            for column, value in where.items()
            if not isinstance(value, (str, int, float, bool))
        ]
        if kwargs.get("data_dir") and common.get("dataset_name"):
            faults.append("give dataset_name or data_dir, not both")
        faults += [
            unknown("key of dataset_kwargs", key, ["data_dir"])
            for key in kwargs
            if key != "data_dir"
        ]
        faults += _shape_faults(config)
        if not faults:
            faults += _metric_faults(common)
        if faults:
            raise ConfigError("\n".join(f"{place}: {fault}" for fault in faults))
        return cls(place, dict(config), common, own, metadata)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The declared metrics."""
        return tuple(entry["metric"] for entry in self.common["metric_list"])

    @property
    def derived(self) -> dict[str, tuple[str, str]]:
        """The metrics that are normalised gains: the first of the two over the second."""
        entries = self.common["metric_list"]
        return {e["metric"]: (e["of"][0], e["of"][1]) for e in entries if e["aggregation"] == GAIN}

    @property
    def plain_metrics(self) -> tuple[str, ...]:
        """The declared metrics that a document has a value of: all but the derived ones."""
        derived = self.derived
        return tuple(name for name in self.metrics if name not in derived)

    @property
    def higher_is_better(self) -> dict[str, bool | None]:
        """The direction of each metric; None where it has none."""
        return {e["metric"]: e.get("higher_is_better") for e in self.common["metric_list"]}

    @property
    def ranges(self) -> dict[str, tuple[float, float] | None]:
        """The lowest and highest value of each metric; None if unbounded."""
        entries = {e["metric"]: e.get("range", [0, 1]) for e in self.common["metric_list"]}
        return {name: tuple(bounds) if bounds else None for name, bounds in entries.items()}

    @property
    def headline(self) -> str | None:
        """The metric that a leaderboard ranks by; None: it does not rank this task."""
        told = self.common["headline"]
        return None if told is None else str(told)

    @property
    def chance(self) -> Mapping[str, float | None]:
        """What each metric gives for guessing; None where that is no fixed number."""
        return dict(self.common["chance"])

    @property
    def cluster(self) -> str:
        """What documents share: "doc" (nothing), a column, or a template over the columns."""
        return str(self.common["cluster"])

    @property
    def version(self) -> Any:
        """The version of prompts, parsers and metrics together."""
        return self.metadata["version"]

    @property
    def ref(self) -> DataRef:
        """Where the documents come from."""
        return self.ref_of(self.common["test_split"])

    def ref_of(self, split: str) -> DataRef:
        """Name a split of the data set."""
        return DataRef(
            path=self.common["dataset_path"],
            name=self.common.get("dataset_name"),
            split=split,
            revision=self.common.get("dataset_revision") or "main",
            data_dir=(self.common.get("dataset_kwargs") or {}).get("data_dir"),
            where=tuple((self.common.get("where") or {}).items()),
        )

    def lm_eval_config(self, output_type: str = "generate_until", num_fewshot: int = 0) -> Any:
        """Give the part that lm-eval reads; `output_type` makes it apply `--gen_kwargs`."""
        from lm_eval.config.task import TaskConfig

        generates = output_type == "generate_until"
        settings = {"until": [], "do_sample": False, **(self.common.get("generation_kwargs") or {})}
        return TaskConfig(
            task=self.common["task"],
            task_alias=self.common.get("task_alias"),
            dataset_path=self.common["dataset_path"],
            dataset_name=self.common.get("dataset_name"),
            test_split=self.common["test_split"],
            metric_list=[dict(entry) for entry in self.common["metric_list"]],
            output_type=output_type,
            generation_kwargs=settings if generates else None,
            num_fewshot=num_fewshot,
            repeats=self.common.get("repeats", 1),
            metadata={**self.metadata, "config_source": self.place},
        )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Say in which file a fault is."""
        try:
            yield
        except KeyError as err:
            raise ConfigError(f"{self.place}: key {err} is missing") from err
        except ConfigError as err:
            raise ConfigError(f"{self.place}: {err}") from err


def _declared(place: str, merged: Mapping[str, Any]) -> Mapping[str, Any]:
    if not Path(str(merged.get("config_source", ""))).is_file():
        return {key: merged[key] for key in ("version", "source") if key in merged}
    from lm_eval.tasks._yaml_loader import load_yaml

    declared = load_yaml(place, resolve_func=False).get("metadata")
    return declared if isinstance(declared, Mapping) else {}


def _shape_faults(config: Mapping[str, Any]) -> Iterator[str]:
    """Say which keys hold another kind of thing than is read of them."""
    for key in ("chance", "columns"):
        if not isinstance(config.get(key) or {}, Mapping):
            yield f"{key} must be a mapping, got {config[key]!r:.80}"
    entries = config.get("metric_list", [])
    if not isinstance(entries, list) or not all(isinstance(one, Mapping) for one in entries):
        yield "metric_list must be a list of mappings: {metric: ..., aggregation: ...}"
    for key in ("test_split", "dataset_path", "cluster"):
        told = config.get(key, "absent")
        if not isinstance(told, str) or not told.strip():
            yield f"{key} must be text, got {told!r:.80}"


def _metric_faults(common: Mapping[str, Any]) -> Iterator[str]:
    entries, chance = common["metric_list"], common["chance"]
    names = [entry.get("metric") for entry in entries]
    if common["headline"] not in {None, *names}:
        yield unknown("metric as headline", str(common["headline"]), map(str, names))
    for entry in entries:
        for key in set(entry) - METRIC_KEYS:
            yield unknown(f"key of metric {entry.get('metric')!r}", str(key), METRIC_KEYS)
        yield from _aggregation_faults(entry, entries)
    for name in set(names) - set(chance):
        yield f"chance lacks the metric {name!r} (null: no fixed number)"
    for name in set(chance) - set(names):
        yield unknown("metric in chance", str(name), [str(n) for n in names])


def _aggregation_faults(entry: Mapping[str, Any], entries: Sequence[Any]) -> Iterator[str]:
    """Say what is wrong with how a metric is made of documents, or of other metrics."""
    place, told = f"metric {entry.get('metric')!r}", entry.get("aggregation")
    if told not in (MEAN, GAIN):
        yield f"{place}: aggregation must be {MEAN!r} or {GAIN!r}, got {told!r}"
    elif told == MEAN and "of" in entry:
        yield f"{place}: 'of' belongs to the aggregation {GAIN!r}"
    elif told == GAIN:
        yield from _part_faults(place, entry.get("of"), entries)
        if entry.get("range", ()) is not None:
            yield f"{place}: range must be null: a gain is unbounded below"


def _part_faults(place: str, parts: Any, entries: Sequence[Any]) -> Iterator[str]:
    texts = isinstance(parts, list) and all(isinstance(part, str) for part in parts)
    if not texts or len(parts) != 2 or parts[0] == parts[1]:
        yield f"{place}: of must name two metrics, [after, before], got {parts!r}"
        return
    known = {e.get("metric"): e for e in entries if e.get("aggregation") == MEAN}
    for part in parts:
        if part not in known:
            yield unknown(f"metric in of of {place}", part, map(str, known))
        elif list(known[part].get("range", (0, 1)) or ()) != [0, 1]:
            yield f"{place}: of names {part!r}, whose range is not [0, 1]"
