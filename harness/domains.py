"""What a text is asked about: the labels, how an answer is read, what a document must hold.

A domain turns a document of a data set into an `Item`. The words of the prompts are not here: they
are in the task files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.errors import ConfigError, unknown
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
    """

    text: str
    gold: str
    labels: tuple[str, ...]
    forms: Mapping[str, Sequence[str]]
    slots: Mapping[str, str] = field(default_factory=dict)

    def read(self, answer: str) -> Reading[str]:
        """Read the label that an answer gives."""
        return read_label(answer, self.forms)

    def other(self, label: str) -> str:
        """Give the label after this one, cyclically: of two labels, the opposite."""
        return self.labels[(self.labels.index(label) + 1) % len(self.labels)]


class Domain(Protocol):
    """A kind of question about a text."""

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with a document, or None."""

    def item(self, doc: Mapping[str, Any]) -> Item:
        """Turn a document without problems into an item."""


class Sentiment:
    """Is a text positive or negative? Columns: a text, and a label that is 0 or 1 (positive).

    Answers outside the two labels: "neutral" (mixed counts as that) and "unknown".
    """

    LABELS = ("negative", "positive")
    FORMS: Mapping[str, Sequence[str]] = {
        "positive": ("positive", "favorable", "favourable"),
        "negative": ("negative", "unfavorable", "unfavourable"),
        "neutral": ("neutral", "mixed", "ambivalent", "balanced"),
        "unknown": UNKNOWN_FORMS,
    }

    def __init__(self, text: str = "text", label: str = "label") -> None:
        self.text, self.label = text, label

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with a document, or None."""
        missing = [column for column in (self.text, self.label) if column not in doc]
        if missing:
            return f"no column {missing[0]!r}; there are: {', '.join(sorted(doc))}"
        text, label = doc[self.text], doc[self.label]
        if not isinstance(text, str) or not text.strip():
            return f"{self.text!r} is empty or no text"
        if type(label) is not int or label not in (0, 1):
            return f"{self.label!r} is {label!r}; allowed: 0 (negative), 1 (positive)"
        return None

    def item(self, doc: Mapping[str, Any]) -> Item:
        """Turn a document without problems into an item."""
        return Item(doc[self.text], self.LABELS[doc[self.label]], self.LABELS, self.FORMS)


DOMAINS: Mapping[str, type[Domain]] = {"sentiment": Sentiment}


def build_domain(name: str, columns: Mapping[str, str]) -> Domain:
    """Make the domain of that name, reading these columns (role -> column of the data set).

    Raises:
        ConfigError: no domain has that name, or it does not know such a role.
    """
    if name not in DOMAINS:
        raise ConfigError(unknown("domain", name, DOMAINS))
    try:
        return DOMAINS[name](**columns)
    except TypeError as err:
        raise ConfigError(f"columns of domain {name!r}: {err}") from err
