"""A question that stands on its own: yes or no, or one of several options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from harness.domains.item import lacking, not_among
from harness.domains.options import Options, either, lettered, letters, option_forms
from harness.domains.yes_no import LABELS, YesNo
from harness.parsing import Reading, read_predicted


@dataclass(frozen=True)
class Posed:
    """A question.

    Attributes:
        question: one that needs no text beside it.
        options: what may be answered; empty: yes or no.
    """

    question: str
    options: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The definite answers: yes and no, or the letters of the options."""
        return letters(self.options) if self.options else LABELS

    @cached_property
    def forms(self) -> Mapping[str, Sequence[str]]:
        """Label (definite or not) -> the ways to say it."""
        return option_forms(self.labels, self.options) if self.options else YesNo.FORMS

    @property
    def text(self) -> str:
        """The question as prompts show it: the options below it."""
        return f"{self.question}\n{lettered(self.options)}" if self.options else self.question

    @property
    def answers(self) -> str:
        """What may be answered, in words."""
        return either(self.labels)

    def read(self, answer: str) -> Reading[str]:
        """Read the label that a short answer gives."""
        return read_predicted(answer, self.forms)


class Questions(Protocol):
    """A kind of question; the constructor takes the columns of the data set."""

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with a document, or None."""

    def posed(self, doc: Mapping[str, Any]) -> Posed:
        """Take the question out of a document without problems."""

    def gold(self, doc: Mapping[str, Any]) -> str:
        """Give the right label of a document without problems."""

    def right(self, doc: Mapping[str, Any]) -> frozenset[str]:
        """Give all its right labels: the gold one, and those of options that say the same."""


class YesNoQuestions:
    """Columns: a question, and an answer that is true or false."""

    def __init__(self, question: str = "question", answer: str = "answer") -> None:
        self.question, self.answer = question, answer

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with a document, or None."""
        return lacking(doc, [self.question], [self.answer]) or not_among(
            self.answer, doc[self.answer], {True: "yes", False: "no"}
        )

    def posed(self, doc: Mapping[str, Any]) -> Posed:
        """Take the question out of a document without problems."""
        return Posed(doc[self.question].strip())

    def gold(self, doc: Mapping[str, Any]) -> str:
        """Give the right label of a document without problems."""
        return "yes" if doc[self.answer] else "no"

    def right(self, doc: Mapping[str, Any]) -> frozenset[str]:
        """Give the gold label alone."""
        return frozenset({self.gold(doc)})


class OptionQuestions:
    """Columns: a question, options, and an answer (see `Options`)."""

    def __init__(
        self,
        question: str = "question",
        options: str | Sequence[str] = "choices",
        answer: str = "answerKey",
    ) -> None:
        self.question, self.options = question, Options(options, answer)

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with a document, or None."""
        columns = self.options.columns
        return lacking(doc, [self.question], columns) or self.options.problem(doc)

    def posed(self, doc: Mapping[str, Any]) -> Posed:
        """Take the question out of a document without problems."""
        return Posed(doc[self.question].strip(), self.options.texts(doc))

    def gold(self, doc: Mapping[str, Any]) -> str:
        """Give the right label of a document without problems."""
        return self.options.right(doc)

    def right(self, doc: Mapping[str, Any]) -> frozenset[str]:
        """Give all the right labels of a document without problems."""
        return self.options.all_right(doc)


QUESTIONS: Mapping[str, type[Questions]] = {"yes_no": YesNoQuestions, "options": OptionQuestions}
