"""The lm-eval tasks that the files in `tasks/` name.

They are cheap to build: data is loaded on first use, because `lm_eval --tasks 'selfcheck_*'` builds
a task once for every name and tag that matches.
"""

from __future__ import annotations

import json
import logging
import random
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateError
from lm_eval.api.task import Task

from harness import dialogue
from harness.checks import CHECKS, Case
from harness.checks.case import Prompt
from harness.checks.trial import METRICS
from harness.data import DataRef, Split, doc_hash, load_split, missing
from harness.domains import build_domain
from harness.errors import ConfigError, MissingDataError, ModelError, unknown
from harness.metrics import ClusteredValue, applicable_mean
from harness.questions import Dialogue
from harness.taskfile import TaskFile
from harness.words import split_words

log = logging.getLogger(__name__)
FOREIGN_DRAWS = 100
SLOTS = ("text", "mask", "wanted")  # what a check fills into prompts, beside the topic
_TEMPLATES = Environment(undefined=StrictUndefined, keep_trailing_newline=False, autoescape=False)
_alive: weakref.WeakSet[SelfcheckTask] = weakref.WeakSet()


class SelfcheckTask(Task):  # type: ignore[misc]
    """What all our tasks share: their file, their data, their metrics.

    `Task.__init__` is not called: it would download the data.

    Raises:
        ConfigError: the task file holds a key that nothing reads, or lacks one.
    """

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        self.file = TaskFile.read(config or {}, self.OWN_KEYS)
        self.VERSION = self.file.version
        self._config = self.file.lm_eval_config()
        self._instances: list[Any] | None = None
        self._filters = [dialogue_filter()]
        self._aggregation_list = dict.fromkeys(self.file.metrics, applicable_mean)
        self._higher_is_better = self.file.higher_is_better
        self._metric_fn_list: dict[str, Any] = dict.fromkeys(self.file.metrics)
        self.predict_only = False
        _alive.add(self)

    OWN_KEYS: frozenset[str] = frozenset()

    @property
    def ref(self) -> DataRef:
        """Where the documents come from."""
        return self.file.ref

    @cached_property
    def split(self) -> Split:
        """The documents, loaded on first use.

        Raises:
            MissingDataError: they are nowhere to be had; names what other tasks lack, too.
        """
        try:
            return load_split(self.ref, self.problem)
        except MissingDataError as err:
            others = missing({task.ref for task in _alive} - {self.ref})
            raise MissingDataError("\n".join(map(str, [err, *others.values()]))) from err

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what keeps a document from being used, or None."""
        raise NotImplementedError

    def cluster(self, doc: Mapping[str, Any]) -> str:
        """Name the source that this document shares with others."""
        return doc_hash(doc) if self.file.cluster == "doc" else str(doc[self.file.cluster])

    def score(self, doc: Mapping[str, Any], results: Sequence[Any]) -> Mapping[str, float | None]:
        """Score a document: a value per metric, None where it does not apply (or all failed)."""
        raise NotImplementedError

    def process_results(self, doc: dict[str, Any], results: Sequence[Any]) -> dict[str, Any]:
        """Give every declared metric for the document, with its cluster."""
        if self.predict_only:
            return {"bypass": None}
        cluster = self.cluster(doc)
        return {
            name: None if value is None else ClusteredValue(value, cluster)
            for name, value in self.score(doc, results).items()
        }

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
        total = len(where["samples"] or self.eval_docs[: where["limit"]])
        if (
            total < ranks
        ):  # said on all ranks: one that stopped alone would leave the others waiting
            raise ConfigError(f"{self.task_name}: {total} documents for {ranks} processes")
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

    def requests(self, doc: dict[str, Any], metadata: tuple[Any, ...], **options: Any) -> list[Any]:
        """Build the instances of one document."""
        raise NotImplementedError

    def evidence(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Take from lm-eval's sample what was asked and answered, for the record."""
        raise NotImplementedError

    def cuts(self, sample: Mapping[str, Any], lm: Any) -> dict[str, bool | None]:
        """Say whether a prompt or an answer of the document was cut; None where nobody can tell."""
        raise NotImplementedError

    def override_metric(self, metric_name: str) -> None:
        """Compute no metrics (`--predict_only`)."""
        super().override_metric(metric_name)
        self.predict_only = True
        del self.process_results, self.aggregation  # set on the instance by lm-eval
        self._aggregation_list = {metric_name: lambda values: 999}

    def dump_config(self) -> dict[str, Any]:
        """Give the task file's content, as lm-eval records it, and what data was really loaded."""
        loaded = self.__dict__.get("split")
        data = {"data": loaded.describe()} if loaded is not None else {}
        common = {
            key: self.file.common.get(key) for key in ("cluster", "chance", "dataset_revision")
        }
        return {**super().dump_config(), **common, **self.file.own, **data}

    @property
    def eval_docs(self) -> list[dict[str, Any]]:
        """All documents of the split."""
        return self.split.docs

    def aggregation(self) -> dict[str, Callable[..., float]]:
        """Give the aggregation of each metric: the same for all."""
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
        """Do nothing: `requests` does this."""
        raise NotImplementedError("selfcheck tasks build requests in build_all_requests")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.task_name})"


class FaithfulnessTask(SelfcheckTask):
    """A check of `harness.checks` on a domain of `harness.domains`."""

    OUTPUT_TYPE = dialogue.REQUEST
    OWN_KEYS = frozenset({"check", "domain", "columns", "mask", "predict", "explain", "topic"})

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        super().__init__(config)
        own = self.file.own
        with self.file.errors():
            if own["check"] not in CHECKS:
                raise ConfigError(unknown("check", str(own["check"]), CHECKS))
            self.check, self.mask = CHECKS[own["check"]], str(own["mask"])
            self.domain = build_domain(own["domain"], own.get("columns") or {})
            slots = {"topic": str(own["topic"])}
            self.prompts = {
                stage: build_prompt(stage, own[stage], slots) for stage in ("predict", "explain")
            }
            if set(self.file.metrics) != set(METRICS):
                raise ConfigError(f"metric_list must hold {', '.join(METRICS)}")

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what keeps a document from being used, or None."""
        return self.domain.problem(doc)

    def case(self, doc: Mapping[str, Any]) -> Case:
        """Open the case of one document."""
        return Case(
            self.domain.item(doc),
            doc_hash(doc),
            self.prompts["predict"],
            self.prompts["explain"],
            self.mask,
            partial(self.foreign_word, doc_hash(doc)),
        )

    @cached_property
    def _docs_by_hash(self) -> list[tuple[str, dict[str, Any]]]:
        return sorted(
            zip(self.split.hashes, self.split.docs, strict=True), key=lambda pair: pair[0]
        )

    def foreign_word(self, own_hash: str, rng: random.Random, unlike: str) -> str | None:
        """Draw a word of another document, unlike a given one, whatever order the set comes in.

        None if many draws find none.
        """
        for _ in range(FOREIGN_DRAWS):
            found, doc = rng.choice(self._docs_by_hash)
            text = self.domain.item(doc).text
            words = [word for word in split_words(text, self.mask) if word.key != unlike]
            if found != own_hash and words:
                word = rng.choice(words)
                return text[word.start : word.end]
        return None

    def doc_to_text(self, doc: Mapping[str, Any]) -> str:
        """Give the first question."""
        case = self.case(doc)
        return case.ask("predict", case.item.text).text

    def doc_to_target(self, doc: Mapping[str, Any]) -> str:
        """Give the gold label."""
        return self.domain.item(doc).gold

    def requests(self, doc: dict[str, Any], metadata: tuple[Any, ...], **options: Any) -> list[Any]:
        """Build the one request of a document: its dialogue."""
        settings = {
            "apply_chat_template": bool(options.get("apply_chat_template")),
            "system_instruction": options.get("system_instruction"),
            "generation_kwargs": dict(self.config.generation_kwargs or {}),
        }
        return [
            dialogue.DialogueInstance(
                request_type=dialogue.REQUEST,
                doc=doc,
                arguments=(self.doc_to_text(doc), settings),
                idx=0,
                metadata=metadata,
                start=lambda: self.start(doc),
                expects=frozenset(self.file.metrics),
            )
        ]

    def start(self, doc: Mapping[str, Any]) -> Dialogue:
        """Start the dialogue about one document."""
        return self.check(self.case(doc))

    def score(self, doc: Mapping[str, Any], results: Sequence[Any]) -> Mapping[str, float | None]:
        """Read the metrics from the dialogue's JSON."""
        told = json.loads(results[0])
        metrics: Mapping[str, float | None] = told.get("metrics") or dict.fromkeys(
            self.file.metrics
        )
        return metrics

    def evidence(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """Take the dialogue: its stages, and what was read from them."""
        told = json.loads(sample["filtered_resps"][0])
        return {"stages": told["stages"], "read": told.get("read")}

    def cuts(self, sample: Mapping[str, Any], lm: Any) -> dict[str, bool | None]:
        """Say whether a prompt or an answer of the dialogue was cut."""
        stages = json.loads(sample["filtered_resps"][0])["stages"]
        told = {name: [stage[name] for stage in stages] for name in ("prompt_cut", "answer_cut")}
        return {name: None if None in cut else any(cut) for name, cut in told.items()}


def build_prompt(stage: str, spec: Mapping[str, Any], slots: Mapping[str, str]) -> Prompt:
    """Make a prompt from its entry in a task file.

    Raises:
        ConfigError: a key that nothing reads, or a template that does not parse.
    """
    known = {"prompt", "cue", "until", "max_tokens", "tokens_per_word"}
    for key in spec:
        if key not in known:
            raise ConfigError(unknown(f"key in {stage!r}", key, known))
    if not isinstance(spec.get("until", []), list):
        raise ConfigError(f"{stage}: until must be a list of strings, got {spec['until']!r}")
    try:
        template = _TEMPLATES.from_string(spec["prompt"])
        template.render(**slots, **dict.fromkeys(SLOTS, "x"))
    except TemplateError as err:
        raise ConfigError(f"{stage}: prompt: {err}; known: {', '.join(SLOTS)}") from err
    return Prompt(
        render=lambda **told: template.render(**slots, **told),
        cue=spec.get("cue", ""),
        until=tuple(spec.get("until", ())),
        max_tokens=spec.get("max_tokens", 64),
        tokens_per_word=spec.get("tokens_per_word", 0.0),
    )


def require_chat_template(render: Callable[..., Any] | None) -> None:
    """Try the model's chat template before anything is asked.

    Raises:
        ModelError: it has none, or cannot render a single turn with it.
    """
    try:
        if render is None:
            raise ValueError("this backend renders no chat templates")
        render([{"role": "user", "content": "?"}], add_generation_prompt=True)
    except Exception as err:
        raise ModelError(
            "a chat template was asked for (--apply_chat_template), but the model gives none: "
            f"{err}. Leave the option out, or add a chat_template to its tokenizer."
        ) from err


def dialogue_filter() -> Any:
    """Give lm-eval's filter that takes the first of repeated answers."""
    from lm_eval.filters import build_filter_ensemble

    return build_filter_ensemble("none", [["take_first", None]])
