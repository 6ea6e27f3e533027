"""The lm-eval tasks of the faithfulness checks, which the files in `tasks/` name."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import cached_property, partial
from itertools import product
from typing import Any

from harness.checks import CHECKS, Case
from harness.checks.trial import METRICS
from harness.data import doc_hash
from harness.dialogue_task import DialogueTask
from harness.domains import build_domain
from harness.errors import ConfigError, unknown
from harness.prompts import build_prompts
from harness.questions import Dialogue
from harness.words import split_words

FOREIGN_DRAWS = 100
TARGETS = ("explicit", "implicit")
AXES = ("persona", "mask", "target")
"""What the variants of a task differ in."""


class FaithfulnessTask(DialogueTask):
    """A check of `harness.checks` on a domain of `harness.domains`."""

    OWN_KEYS = frozenset(
        {"check", "domain", "columns", "noun", "topic", "predict", "explain"}
        | {"mask", "persona", "personas", "target", "variants"}
    )

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        super().__init__(config)
        self._variant_of: str | None = None
        own = self.file.own
        with self.file.errors():
            if own["check"] not in CHECKS:
                raise ConfigError(unknown("check", str(own["check"]), CHECKS))
            if own["target"] not in TARGETS:
                raise ConfigError(unknown("target", str(own["target"]), TARGETS))
            check_variants(own["variants"])
            if not str(own["mask"]).strip():
                raise ConfigError("mask is empty")
            self.check, self.mask = CHECKS[own["check"]], str(own["mask"])
            self.domain = build_domain(own["domain"], own.get("columns") or {})
            self.prompts = build_prompts(own, self.domain.SLOTS)
            if set(self.file.metrics) != set(METRICS):
                raise ConfigError(f"metric_list must hold {', '.join(METRICS)}")

    @property
    def variant(self) -> dict[str, str]:
        """What this task is, on each axis that its check has."""
        return {axis: str(self.file.own[axis]) for axis in self.file.own["variants"]}

    def variants(self, axes: frozenset[str]) -> list[FaithfulnessTask]:
        """Build the task in every combination of its values on these axes, itself first.

        A variant is named after its values: `selfcheck_importance_imdb+you+removed`. For an
        implicit target the chance of hitting it is that of every other answer.

        Raises:
            ConfigError: two variants would have the same name.
        """
        known = self.file.own["variants"]
        values = [known[axis] if axis in axes else [self.file.own[axis]] for axis in known]
        told = [dict(zip(known, values, strict=True)) for values in product(*values)]
        built = [self] + [self._variant(own) for own in told if own != self.variant]
        names = [task.task_name for task in built]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"{self.file.place}: variants of one name: {', '.join(twice)}")
        return built

    def _variant(self, own: Mapping[str, str]) -> FaithfulnessTask:
        changed = [
            re.sub(r"\W+", "-", value).strip("-").lower()
            for axis, value in own.items()
            if value != self.variant[axis]
        ]
        chance = dict(self.file.chance)
        if own.get("target", self.file.own["target"]) != self.file.own["target"]:
            for metric in ("faithfulness", "paper_faithfulness"):
                by_file = chance[metric]
                chance[metric] = None if by_file is None else 1 - by_file
        name = "+".join([self.file.common["task"], *changed])
        variant = type(self)({**self.file.given, **own, "task": name, "chance": chance})
        variant._variant_of = self.variant_of
        return variant

    @property
    def variant_of(self) -> str:
        """The name of the task of which this is a variant; its own, if it is none."""
        return self._variant_of or str(self.task_name)

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
            self.file.own["target"] == "explicit",
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

    def start(self, doc: Mapping[str, Any]) -> Dialogue:
        """Start the dialogue about one document."""
        return self.check(self.case(doc))


def check_variants(told: Any) -> None:
    """Check the axes of variants, and that each has a list of values.

    Raises:
        ConfigError: one is unknown, or no list.
    """
    for axis, values in (told if isinstance(told, Mapping) else {"": told}).items():
        if axis not in AXES:
            raise ConfigError(unknown("axis of variants", str(axis), AXES))
        if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
            raise ConfigError(f"variants of {axis} must be a list of strings, got {values!r}")
