"""Scores of choices: from the log-likelihoods of one document to its value. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any


def best_choice(scores: Sequence[float], gold: Collection[int]) -> float:
    """Expected accuracy of taking the highest of n scores: k tied best ones get 1 / k each.

    argmax would take the first of them, and in TruthfulQA the right answer always comes first.

    >>> best_choice([-1.0, -1.0, -2.0], {0})
    0.5
    """
    best = [place for place, score in enumerate(scores) if score == max(scores)]
    return sum(place in gold for place in best) / len(best)


def is_tied(scores: Sequence[float]) -> bool:
    """Say whether the highest score is shared.

    >>> is_tied([-1.0, -1.0, -2.0])
    True
    """
    return sum(score == max(scores) for score in scores) > 1


def choice_evidence(
    asked: Sequence[tuple[str, str]], scores: Sequence[tuple[float, bool]], controlled: bool
) -> dict[str, Any]:
    """Give what was asked and scored of one document, for the record.

    Args:
        asked: context and choice of each request; the second half are the answer-only control's.
        scores: log-likelihood of each, and whether it is the greedy continuation.
        controlled: whether there is such a second half.
    """
    told = [
        {"choice": choice, "score": score, "greedy": greedy}
        for (_, choice), (score, greedy) in zip(asked, scores, strict=True)
    ]
    half = len(told) // 2 if controlled else len(told)
    evidence: dict[str, Any] = {"prompt": asked[0][0], "choices": told[:half]}
    if controlled:
        evidence |= {"answer_only_prompt": asked[-1][0], "answer_only": told[half:]}
    return evidence
