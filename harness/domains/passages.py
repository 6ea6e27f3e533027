"""A question that a passage answers in its own words, or does not answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.domains.item import lacking


@dataclass(frozen=True)
class PassageQuestion:
    """A passage, and a question about it.

    Attributes:
        golds: the right answers, as people marked them; none: the passage does not answer.
    """

    context: str
    question: str
    golds: tuple[str, ...]


class Passages:
    """Columns as in SQuAD 2.0: a passage, a question, and answers {"text": [...]}, perhaps none."""

    def __init__(
        self, context: str = "context", question: str = "question", answers: str = "answers"
    ) -> None:
        self.context, self.question, self.answers = context, question, answers

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with a document, or None."""
        return lacking(doc, [self.context, self.question], [self.answers]) or self._fault(doc)

    def asked(self, doc: Mapping[str, Any]) -> PassageQuestion:
        """Take the question out of a document without problems."""
        golds = tuple(doc[self.answers]["text"])
        return PassageQuestion(doc[self.context].strip(), doc[self.question].strip(), golds)

    def _fault(self, doc: Mapping[str, Any]) -> str | None:
        told = doc[self.answers]
        golds = told.get("text") if isinstance(told, Mapping) else None
        if not isinstance(golds, list):
            return f"{self.answers!r} must hold 'text', a list of answers; got {str(told)[:80]!r}"
        if not all(isinstance(gold, str) and gold.strip() for gold in golds):
            return f"{self.answers!r}: an answer is empty or no text: {str(golds)[:80]}"
        return None
