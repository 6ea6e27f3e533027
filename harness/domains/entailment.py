"""Does a hypothesis follow from a premise?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from harness.domains.item import UNKNOWN_FORMS, Item, lacking, not_among
from harness.domains.yes_no import LABELS, NO_FORMS, SILENT_FORMS, YES_FORMS


class Entailment:
    """Columns: a premise, a hypothesis, and a label that is 0 (entailment) or 1 (not entailment).

    The premise may be changed, never the hypothesis. The labels are what is asked for, yes and no;
    answers that speak of entailment mean the same. Outside of them: "unknown".
    """

    SLOTS: ClassVar[tuple[str, ...]] = ("hypothesis",)
    FORMS: Mapping[str, Sequence[str]] = {
        "yes": (
            *YES_FORMS,
            "entailment",
            "entails",
            "entailed",
            "entail",
            "follows",
            "does follow",
            "supported",
            "supports",
            "premise implies",
            "implies the hypothesis",
            "is implied",
            "can be inferred",
            "can be concluded",
        ),
        "no": (
            *NO_FORMS,
            "not entailment",
            "no entailment",
            "non-entailment",
            "not entailed",
            "not entail",
            "doesn't entail",
            "not follow",
            "not necessarily follow",
            "doesn't follow",
            "not supported",
            "not support",
            "doesn't support",
            "unsupported",
            "not imply",
            "doesn't imply",
            "not implied",
            "cannot be inferred",
            "can't be inferred",
            "cannot be concluded",
            "no evidence that",
            "no evidence for",
            "has no evidence",
            "contradiction",
            "contradicts",
            "contradicted",
            "contradictory",
        ),
        "unknown": (*UNKNOWN_FORMS, "neutral"),
        "silent": SILENT_FORMS,
    }

    def __init__(
        self, premise: str = "sentence1", hypothesis: str = "sentence2", label: str = "label"
    ) -> None:
        self.premise, self.hypothesis, self.label = premise, hypothesis, label

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with a document, or None."""
        return lacking(doc, [self.premise, self.hypothesis], [self.label]) or not_among(
            self.label, doc[self.label], {0: "entailment", 1: "not entailment"}
        )

    def item(self, doc: Mapping[str, Any]) -> Item:
        """Turn a document without problems into an item."""
        slots = {"hypothesis": doc[self.hypothesis].strip()}
        gold = LABELS[doc[self.label]]
        return Item(doc[self.premise].strip(), gold, LABELS, self.FORMS, slots)
