"""The lm-eval tasks of the checks, which the files in `tasks/` name."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateError

from harness import dialogue
from harness.base_task import SelfcheckTask
from harness.checks import CHECKS, Case
from harness.checks.case import Prompt
from harness.checks.trial import METRICS
from harness.data import doc_hash
from harness.domains import build_domain
from harness.errors import ConfigError, unknown
from harness.questions import Dialogue
from harness.words import split_words

FOREIGN_DRAWS = 100
SLOTS = ("text", "mask", "wanted")  # what a check fills into prompts, beside the topic
_TEMPLATES = Environment(undefined=StrictUndefined, keep_trailing_newline=False, autoescape=False)


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
