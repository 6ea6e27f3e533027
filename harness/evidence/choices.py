"""The choices of a sample with their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness.evidence.texts import as_json, listed, mapping, number

KINDS = (
    ("with the question", "prompt", "choices"),
    ("answers only", "answer_only_prompt", "answer_only"),
)
"""Title, and where a sample holds prompt and choices."""


class Choice(NamedTuple):
    """One choice: its score, whether none scored higher, and whether it is right if one can tell.

    Ties have several best ones.
    """

    text: str
    score: float | None
    best: bool
    right: bool | None


class Choices(NamedTuple):
    """Choices that were scored after one prompt."""

    title: str
    prompt: str
    rows: tuple[Choice, ...]


def read_choices(sample: Mapping[str, Any]) -> tuple[Choices, ...]:
    """Read what was scored: after the question, and for the control without it."""
    told = []
    for title, prompt, key in KINDS:
        rows = [mapping(row) for row in listed(sample.get(key))]
        if rows:
            found = _rows(rows, mapping(sample.get("doc")), sample.get("target"))
            asked = sample.get(prompt)
            told.append(Choices(title, "" if asked is None else as_json(asked), found))
    return tuple(told)


def _rows(
    rows: Sequence[Mapping[Any, Any]], doc: Mapping[Any, Any], target: object
) -> tuple[Choice, ...]:
    texts = [as_json(row.get("choice", "")) for row in rows]
    scores = [number(row.get("score")) for row in rows]
    best = max((score for score in scores if score is not None), default=None)
    right: Sequence[bool | None] | None = _labelled(texts, doc) or _targeted(len(texts), target)
    return tuple(
        Choice(text, score, score is not None and score == best, told)
        for text, score, told in zip(texts, scores, right or [None] * len(texts), strict=True)
    )


def _labelled(texts: Sequence[str], doc: Mapping[Any, Any]) -> list[bool] | None:
    """Take the labels that stand beside these very choices in a column (as in TruthfulQA)."""
    for column in map(mapping, doc.values()):
        choices, labels = listed(column.get("choices")), listed(column.get("labels"))
        if len(choices) == len(labels) == len(texts) and all(
            as_json(one).strip() == text.strip() for one, text in zip(choices, texts, strict=True)
        ):
            return [label == 1 for label in labels]
    return None


def _targeted(count: int, target: object) -> list[bool] | None:
    """Take the target, where it is the place of a choice or of several."""
    places = listed(target) or [target]
    if not all(type(place) is int and 0 <= place < count for place in places):
        return None
    return [place in places for place in range(count)]
