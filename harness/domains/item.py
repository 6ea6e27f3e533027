"""What every domain gives: an item, and what a document must hold to become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from harness.parsing import Reading, read_label

UNKNOWN_FORMS = (
    "unknown",
    "undetermined",
    "indeterminate",
    "unclear",
    "not clear",
    "uncertain",
    "not sure",
    "cannot be determined",
    "can't be determined",
    "cannot determine",
    "can't determine",
    "cannot tell",
    "can't tell",
    "cannot be told",
    "not possible to determine",
    "impossible to determine",
    "impossible to say",
    "impossible to tell",
    "not enough information",
    "insufficient information",
    "n/a",
)


@dataclass(frozen=True)
class Item:
    """One document as a check sees it.

    Attributes:
        text: what may be changed.
        gold: the right label.
        labels: the definite labels; an answer outside of them is indefinite.
        forms: label (definite or not) -> the ways to say it, lower case.
        slots: what prompts may show beside the text.
        names: label -> how prompts name it, where that is not the label itself.
    """

    text: str
    gold: str
    labels: tuple[str, ...]
    forms: Mapping[str, Sequence[str]]
    slots: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def read(self, answer: str) -> Reading[str]:
        """Read the label that an answer gives."""
        return read_label(answer, self.forms)

    def other(self, label: str) -> str:
        """Give the label after this one, cyclically: of two labels, the opposite."""
        return self.labels[(self.labels.index(label) + 1) % len(self.labels)]

    def name(self, label: str) -> str:
        """Say a label as prompts do."""
        return self.names.get(label, label)


class Domain(Protocol):
    """A kind of question about a text; the constructor takes the columns of the data set.

    Attributes:
        SLOTS: what prompts may show beside the text.
    """

    SLOTS: ClassVar[tuple[str, ...]]

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with a document, or None."""

    def item(self, doc: Mapping[str, Any]) -> Item:
        """Turn a document without problems into an item."""


def lacking(doc: Mapping[str, Any], texts: Sequence[str], others: Sequence[str]) -> str | None:
    """Say which column a document lacks, or which of its texts is none; or None."""
    for column in (*texts, *others):
        if column not in doc:
            return f"no column {column!r}; there are: {', '.join(sorted(doc))}"
    for column in texts:
        if not isinstance(doc[column], str) or not doc[column].strip():
            return f"{column!r} is empty or no text"
    return None


def not_among(column: str, got: object, allowed: Mapping[Any, str]) -> str | None:
    """Say that a value is none of those allowed (value -> its meaning); or None."""
    if any(type(got) is type(value) and got == value for value in allowed):
        return None
    meant = ", ".join(f"{value!r} ({meaning})" for value, meaning in allowed.items())
    return f"{column!r} is {str(got)[:80]!r}; allowed: {meant}"
