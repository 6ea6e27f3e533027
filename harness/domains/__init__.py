"""What a text is asked about: the labels, how an answer is read, what a document must hold.

A domain turns a document of a data set into an `Item`: a text, and what is asked about it. Where a
question stands on its own it is `Posed`; where a passage has the answer in its words, a
`PassageQuestion`. The words of the prompts are not here: they are in the task files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from harness.domains.choice import Choice
from harness.domains.entailment import Entailment
from harness.domains.item import Domain, Item
from harness.domains.passages import PassageQuestion, Passages
from harness.domains.posed import QUESTIONS, Posed, Questions
from harness.domains.sentiment import Sentiment
from harness.domains.yes_no import YesNo
from harness.errors import ConfigError, unknown

DOMAINS: Mapping[str, type[Domain]] = {
    "sentiment": Sentiment,
    "entailment": Entailment,
    "choice": Choice,
    "yes_no": YesNo,
}
T = TypeVar("T")


def build_domain(name: str, columns: Mapping[str, Any]) -> Domain:
    """Make the domain of that name, reading these columns (role -> column of the data set).

    Raises:
        ConfigError: no domain has that name, or it does not know such a role.
    """
    return _build("domain", DOMAINS, name, columns)


def build_questions(name: str, columns: Mapping[str, Any]) -> Questions:
    """Make the kind of questions of that name, reading these columns (role -> column).

    Raises:
        ConfigError: there is none of that name, or it does not know such a role.
    """
    return _build("kind of questions", QUESTIONS, name, columns)


def build_passages(columns: Mapping[str, Any]) -> Passages:
    """Make the reader of questions about passages, reading these columns (role -> column).

    Raises:
        ConfigError: it does not know such a role.
    """
    return _build("kind of text", {"passages": Passages}, "passages", columns)


def _build(what: str, known: Mapping[str, type[T]], name: str, columns: Mapping[str, Any]) -> T:
    if name not in known:
        raise ConfigError(unknown(what, name, known))
    for role, column in columns.items():
        shared = role == "options" and isinstance(column, list)
        if not isinstance(column, str) and not shared:
            raise ConfigError(f"columns: {role} must name a column, got {column!r}")
    try:
        return known[name](**columns)
    except TypeError as err:
        raise ConfigError(f"columns of {what} {name!r}: {err}") from err


__all__ = [
    "DOMAINS",
    "QUESTIONS",
    "Domain",
    "Item",
    "PassageQuestion",
    "Passages",
    "Posed",
    "Questions",
    "build_domain",
    "build_passages",
    "build_questions",
]
