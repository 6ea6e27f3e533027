"""What comes of reading a model's answer: a value, or the reason why there is none."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Reading(NamedTuple, Generic[T]):
    """A value read from an answer, or a short constant phrase that says why it is unreadable.

    Exactly one of the two is None; an empty value (no word was redacted) is still a value.
    """

    value: T | None
    reason: str | None

    @classmethod
    def read(cls, value: T) -> Reading[T]:
        """Say what was read."""
        return cls(value, None)

    @classmethod
    def unreadable(cls, reason: str) -> Reading[T]:
        """Say why nothing was read; the reason never quotes the model."""
        return cls(None, reason)
