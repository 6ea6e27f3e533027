"""Scores of choices: from the log-likelihoods of one document to its value. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence


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
