"""What a text is asked about: the labels, how an answer is read, what a document must hold.

A domain turns a document of a data set into an `Item`. The words of the prompts are not here: they
are in the task files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.domains.choice import Choice
from harness.domains.entailment import Entailment
from harness.domains.item import Domain, Item
from harness.domains.sentiment import Sentiment
from harness.domains.yes_no import YesNo
from harness.errors import ConfigError, unknown

DOMAINS: Mapping[str, type[Domain]] = {
    "sentiment": Sentiment,
    "entailment": Entailment,
    "choice": Choice,
    "yes_no": YesNo,
}


def build_domain(name: str, columns: Mapping[str, Any]) -> Domain:
    """Make the domain of that name, reading these columns (role -> column of the data set).

    Raises:
        ConfigError: no domain has that name, or it does not know such a role.
    """
    if name not in DOMAINS:
        raise ConfigError(unknown("domain", name, DOMAINS))
    for role, column in columns.items():
        shared = role == "options" and isinstance(column, list)
        if not isinstance(column, str) and not shared:
            raise ConfigError(f"columns: {role} must name a column, got {column!r}")
    try:
        return DOMAINS[name](**columns)
    except TypeError as err:
        raise ConfigError(f"columns of domain {name!r}: {err}") from err


__all__ = ["DOMAINS", "Domain", "Item", "build_domain"]
