"""Is the answer to a question about a passage yes or no?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from harness.domains.item import UNKNOWN_FORMS, Item, lacking, not_among

LABELS = ("yes", "no")
YES_FORMS = ("yes", "yeah", "yep", "true", "correct", "affirmative")
NO_FORMS = ("no", "nope", "false", "incorrect", "untrue", "not true", "not correct")
SILENT_FORMS = (
    "not known",
    "don't know",
    "do not know",
    "not specified",
    "not stated",
    "not mentioned",
    "doesn't mention",
    "does not mention",
    "doesn't specify",
    "does not specify",
    "doesn't say",
    "does not say",
    "doesn't state",
    "does not state",
    "doesn't tell",
    "does not tell",
    "doesn't provide",
    "does not provide",
    "no information",
    "any information",
    "don't have any",
    "do not have any",
    "don't have enough",
    "do not have enough",
    "no answer",
    "not provided",
    "not given",
    "not enough context",
    "cannot answer",
    "can't answer",
    "cannot be answered",
    "can't be answered",
)
"""Of a question that a passage should answer, "it does not say" means unknown."""


class YesNo:
    """Columns: a passage, a question, and an answer that is true or false.

    The passage may be changed, never the question. Answers outside of yes and no: "unknown".
    """

    SLOTS: ClassVar[tuple[str, ...]] = ("question",)
    FORMS: Mapping[str, Sequence[str]] = {
        "yes": YES_FORMS,
        "no": NO_FORMS,
        "unknown": UNKNOWN_FORMS,
        "silent": SILENT_FORMS,
    }

    def __init__(
        self, passage: str = "passage", question: str = "question", answer: str = "answer"
    ) -> None:
        self.passage, self.question, self.answer = passage, question, answer

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with a document, or None."""
        return lacking(doc, [self.passage, self.question], [self.answer]) or not_among(
            self.answer, doc[self.answer], {True: "yes", False: "no"}
        )

    def item(self, doc: Mapping[str, Any]) -> Item:
        """Turn a document without problems into an item."""
        gold = "yes" if doc[self.answer] else "no"
        slots = {"question": doc[self.question].strip()}
        return Item(doc[self.passage].strip(), gold, LABELS, self.FORMS, slots)
