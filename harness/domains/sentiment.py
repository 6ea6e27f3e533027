"""Is a text positive or negative?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from harness.domains.item import UNKNOWN_FORMS, Item, lacking, not_among


class Sentiment:
    """Columns: a text, and a label that is 0 (negative) or 1 (positive).

    Answers outside the two labels: "neutral" (mixed counts as that) and "unknown".
    """

    SLOTS: ClassVar[tuple[str, ...]] = ()
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
        return lacking(doc, [self.text], [self.label]) or not_among(
            self.label, doc[self.label], dict(enumerate(self.LABELS))
        )

    def item(self, doc: Mapping[str, Any]) -> Item:
        """Turn a document without problems into an item."""
        return Item(doc[self.text], self.LABELS[doc[self.label]], self.LABELS, self.FORMS)
