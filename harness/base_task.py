"""What all our lm-eval tasks share: their file, their data, their metrics.

They are cheap to build: data is loaded on first use, because `lm_eval --tasks 'selfcheck_*'` builds
a task once for every name and tag that matches.
"""

from __future__ import annotations

import hashlib
import json
import logging
import weakref
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from jinja2 import TemplateError
from lm_eval.api.task import Task
from lm_eval.filters import build_filter_ensemble

from harness.data import DataRef, Split, doc_hash, load_split, missing
from harness.errors import ConfigError, MissingDataError
from harness.loading import require_chat_template
from harness.metrics import ClusteredValue, GainValue, applicable_gain, applicable_mean
from harness.prompts import template
from harness.taskfile import TaskFile

log = logging.getLogger(__name__)
DATASET = ("dataset_revision", "dataset_kwargs", "where")
_alive: weakref.WeakSet[SelfcheckTask] = weakref.WeakSet()


class Usage(NamedTuple):
    """What asking took; None where nobody can tell.

    Attributes:
        prompt_cut: how many prompts lost their start.
        answer_cut: how many answers reached their limit.
        tokens_in, tokens_out: of prompts, or contexts and choices, and of answers; one that is
            shared or cached counts each time.
    """

    prompt_cut: int | None
    answer_cut: int | None
    tokens_in: int | None
    tokens_out: int | None


def total(parts: Sequence[int | None]) -> int | None:
    """Add up; None if a part is unknown."""
    return None if None in parts else sum(filter(None, parts))


class SelfcheckTask(Task):  # type: ignore[misc]
    """An lm-eval task of ours.

    `Task.__init__` is not called: it would download the data.

    Raises:
        ConfigError: the task file holds a key that nothing reads, or lacks one.
    """

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        self.file = TaskFile.read(config or {}, self.OWN_KEYS)
        self.VERSION = self.file.version
        self._config = self.file.lm_eval_config()
        self._instances: list[Any] | None = None
        self._filters = [build_filter_ensemble("none", [["take_first", None]])]
        self._aggregation_list: dict[str, Callable[..., float]] = {
            name: applicable_gain if name in self.file.derived else applicable_mean
            for name in self.file.metrics
        }
        self._higher_is_better = self.file.higher_is_better
        self._metric_fn_list: dict[str, Any] = dict.fromkeys(self.file.metrics)
        self.predict_only = False
        with self.file.errors():
            self._cluster = cluster_by(self.file.cluster)
        _alive.add(self)

    OWN_KEYS: frozenset[str] = frozenset()

    @property
    def refs(self) -> frozenset[DataRef]:
        """All the splits that the task reads."""
        return frozenset({self.file.ref})

    @cached_property
    def split(self) -> Split:
        """The documents, loaded on first use.

        Raises:
            MissingDataError: they are nowhere to be had; names what other tasks lack, too.
        """
        return self._load(self.file.ref, self._fault)

    def load(self) -> None:
        """Load all the data that the task reads, now.

        Raises:
            DataError, MissingDataError: as `split`.
        """
        self.split  # noqa: B018

    def _load(self, ref: DataRef, fault: Callable[[Mapping[str, Any]], str | None]) -> Split:
        try:
            return load_split(ref, fault)
        except MissingDataError as err:
            others = missing({other for task in _alive for other in task.refs} - {ref})
            raise MissingDataError("\n".join(map(str, [err, *others.values()]))) from err

    @property
    def variant(self) -> dict[str, str]:
        """The settings in which variants of this task differ, with their values."""
        return {}

    @property
    def variant_of(self) -> str:
        """The name of the task of which this is a variant; its own, if it is none."""
        return str(self.task_name)

    def variants(self, axes: frozenset[str]) -> Sequence[SelfcheckTask]:
        """Build the task in every combination of its values on these axes, itself first."""
        return [self]

    @abstractmethod
    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what keeps a document from being used, or None."""

    def check_documents(self, docs: Sequence[Mapping[str, Any]]) -> None:
        """Check what a task needs of the documents that will be evaluated, beside the data."""

    @property
    def headline(self) -> str | None:
        """The metric that a leaderboard ranks by; None: it does not rank this task."""
        return self.file.headline

    @property
    def simulated_by(self) -> str | None:
        """Who simulates the model, for people; None: the task has no simulator."""
        return None

    def describe_data(self) -> dict[str, Any]:
        """Give what a record needs to tell the data from other data."""
        return self.split.describe()

    def cluster(self, doc: Mapping[str, Any]) -> str:
        """Name the source that this document shares with others."""
        return self._cluster(doc)

    def _fault(self, doc: Mapping[str, Any]) -> str | None:
        fault = self.problem(doc)
        if fault:
            return fault
        try:
            found = self.cluster(doc)
        except KeyError as err:
            return f"cluster: no column {err}; there are: {', '.join(sorted(doc))}"
        except TemplateError as err:
            return f"cluster {self.file.cluster!r}: {err}; there are: {', '.join(sorted(doc))}"
        return None if found else f"cluster {self.file.cluster!r} is empty"

    @abstractmethod
    def score(self, doc: Mapping[str, Any], results: Sequence[Any]) -> Mapping[str, float | None]:
        """Score a document: a value per plain metric, None where it does not apply (or failed)."""

    def process_results(self, doc: dict[str, Any], results: Sequence[Any]) -> dict[str, Any]:
        """Give every declared metric for the document, with its cluster."""
        if self.predict_only:
            return {"bypass": None}
        cluster = self.cluster(doc)
        told = {
            name: None if value is None else ClusteredValue(value, cluster)
            for name, value in self.score(doc, results).items()
        }
        gains = {
            name: GainValue.over(told[after], told[before])
            for name, (after, before) in self.file.derived.items()
        }
        return {**told, **gains}

    def build_all_requests(self, **options: Any) -> None:
        """Build the instances of this rank's documents; options as in lm-eval."""
        if options.pop("cache_requests", False):
            log.warning(
                "%s: cache_requests is ignored, our requests depend on more than its key", self
            )
        options.pop("rewrite_requests_cache", None)
        if options.get("apply_chat_template"):
            require_chat_template(options.get("chat_template"))
        where = {
            name: options.pop(name, None) for name in ("limit", "samples", "rank", "world_size")
        }
        ranks = where["world_size"] or 1
        chosen = self.eval_docs[: where["limit"]]
        if where["samples"]:
            chosen = [self.eval_docs[place] for place in where["samples"]]
        # of all ranks' documents: a rank that stopped alone would leave the others waiting
        if len(chosen) < ranks:
            raise ConfigError(f"{self.task_name}: {len(chosen)} documents for {ranks} processes")
        self.check_documents(chosen)
        documents = self.doc_iterator(
            limit=where["limit"],
            samples=where["samples"],
            rank=where["rank"] or 0,
            world_size=ranks,
        )
        self._instances = [
            instance
            for doc_id, doc in documents
            for instance in self.requests(
                doc, (self.task_name, doc_id, self.config.repeats), **options
            )
        ]

    @abstractmethod
    def requests(self, doc: dict[str, Any], metadata: tuple[Any, ...], **options: Any) -> list[Any]:
        """Build the instances of one document."""

    @abstractmethod
    def evidence(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Take from lm-eval's sample what was asked and answered, for the record."""

    @abstractmethod
    def usage(self, sample: Mapping[str, Any], lm: Any) -> Usage:
        """Say what asking about the document took."""

    def tally(self, sample: Mapping[str, Any]) -> dict[str, int]:
        """Take from lm-eval's sample how often the document had each label; empty: not counted."""
        return {}

    def conditions(self) -> dict[str, Any]:
        """Say what scores depend on besides model, documents and the task's version."""
        told = json.dumps(self.file.own, sort_keys=True, default=str)
        return {
            "definition": hashlib.sha256(told.encode()).hexdigest()[:16],
            "generation": dict(self.config.generation_kwargs or {}),
            "num_fewshot": self.config.num_fewshot or 0,
            "repeats": self.config.repeats,
        }

    def override_metric(self, metric_name: str) -> None:
        """Compute no metrics (`--predict_only`)."""
        super().override_metric(metric_name)
        self.predict_only = True
        for name in ("process_results", "aggregation"):  # set on the instance by lm-eval
            self.__dict__.pop(name, None)
        self._aggregation_list = {metric_name: lambda values: 999}

    def dump_config(self) -> dict[str, Any]:
        """Give the task file's content, as lm-eval records it, and what data was really loaded."""
        data = {"data": self.describe_data()} if "split" in self.__dict__ else {}
        common = {key: self.file.common.get(key) for key in ("cluster", "chance", *DATASET)}
        told = {**common, **self.file.own, **self.variant, **data}
        told |= {"headline": self.headline, "simulated_by": self.simulated_by}
        return {**super().dump_config(), **told, "conditions": self.conditions()}

    @property
    def eval_docs(self) -> list[dict[str, Any]]:
        """All documents of the split."""
        return self.split.docs

    def aggregation(self) -> dict[str, Callable[..., float]]:
        """Give the aggregation of each metric: a mean, or a gain of two others."""
        return self._aggregation_list

    def higher_is_better(self) -> dict[str, Any]:
        """Give the direction of each metric; None where it has none."""
        return self._higher_is_better

    def has_training_docs(self) -> bool:
        """Tell that there are none."""
        return False

    has_validation_docs = has_training_docs

    def has_test_docs(self) -> bool:
        """Tell that there are some."""
        return True

    def construct_requests(self, doc: Any, ctx: Any, **kwargs: Any) -> list[Any]:
        """Refuse: `build_all_requests` does this, by `requests`."""
        raise TypeError("our tasks build their requests in build_all_requests")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.task_name})"


def cluster_by(told: str) -> Callable[[Mapping[str, Any]], str]:
    """Give what names a document's source: "doc" (itself), a column, or a template of columns."""
    if told == "doc":
        return doc_hash
    if "{{" in told:
        return template("cluster", told).render
    return lambda doc: str(doc[told])
