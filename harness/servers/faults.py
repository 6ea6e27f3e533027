"""What may go wrong between a client and a server: what passes, and what does not."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from harness.errors import ModelError, printable
from harness.secrets import BLANK, without_secrets

PASSING = frozenset({408, 409, 425, 429})
"""Status codes below 500 that say nothing against the request; all from 500 on do not either."""
LONGEST_MESSAGE = 300
SHORTEST_SECRET = 6
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|AUTH|COOKIE", re.IGNORECASE)


class PassingError(ModelError):
    """What may be gone at the next attempt.

    Attributes:
        retry_after: seconds that the server asks to wait; None: it does not say.
    """

    def __init__(self, told: str, retry_after: float | None = None) -> None:
        super().__init__(told)
        self.retry_after = retry_after


class RefusedError(ModelError):
    """The server refuses the request, and will again."""


def of_status(
    status: int, headers: Mapping[str, str], text: str, secrets: Iterable[str] = ()
) -> PassingError | RefusedError:
    """Say what a status other than success means.

    Args:
        status: HTTP's.
        headers: the answer's, with names that are looked up whatever their case.
        text: the answer's body.
        secrets: never repeated.
    """
    said = shortened(_message(text), secrets)
    told = f"status {status}: {said}" if said else f"status {status}"
    if status in PASSING or status >= 500:
        return PassingError(told, _seconds(headers.get("Retry-After")))
    return RefusedError(told)


def shortened(text: str, secrets: Iterable[str] = ()) -> str:
    """Make what a server says safe to repeat: short, printable, without secrets."""
    for secret in secrets:
        text = text.replace(secret, BLANK)
    text = str(without_secrets(printable(" ".join(text.split()))))
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."


def known_secrets(header: Mapping[str, Any]) -> list[str]:
    """Collect what must not be repeated: what opens the door, from the header and environment.

    Longest first, so that none is left of which another is a part.
    """
    named = [*header.items(), *os.environ.items()]
    values = [str(value) for name, value in named if _SECRET_NAME.search(name)]
    found = {value.removeprefix("Bearer ") for value in values}
    return sorted(filter(lambda told: len(told) >= SHORTEST_SECRET, found), key=len, reverse=True)


def _message(text: str) -> str:
    """Take the message out of an error's JSON, as all these interfaces have it."""
    try:
        told = json.loads(text)
    except ValueError:
        return text
    error = told.get("error", told) if isinstance(told, dict) else told
    said = error.get("message", error.get("detail")) if isinstance(error, dict) else error
    return said if isinstance(said, str) else text


def _seconds(told: str | None) -> float | None:
    """Read `Retry-After`: seconds, or a date; None for what is neither."""
    if told is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", told):
        return float(told)
    try:
        when = parsedate_to_datetime(told)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
