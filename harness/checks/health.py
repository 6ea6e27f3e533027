"""Does the model still write well? What preference training may spoil while scores rise."""

from __future__ import annotations

from harness.parsing import is_refusal
from harness.questions import Answer, Dialogue, Outcome, Question
from harness.words import split_words

METRICS = ("ended", "distinct_3", "length", "refused")


def health(question: Question) -> Dialogue:
    """Ask one question, and look at the form of the answer alone.

    `ended`: it ended by itself before its limit of tokens (None where tokens are not told).
    `distinct_3`: distinct word 3-grams over all of them (None below three words): a loop is near 0.
    `length`: words. `refused`: it declines to answer.
    """
    answer = yield question
    assert isinstance(answer, Answer)
    keys = [word.key for word in split_words(answer)]
    refused = is_refusal(answer.strip())
    return Outcome(
        {
            "ended": None if answer.cut_off is None else float(not answer.cut_off),
            "distinct_3": distinct_share(keys, 3),
            "length": float(len(keys)),
            "refused": float(refused),
        },
        {"words": len(keys), "refused": refused},
    )


def distinct_share(keys: list[str], n: int) -> float | None:
    """Share of the n-grams of a text that are distinct; None if it has none.

    >>> distinct_share("a b a b a".split(), 2)
    0.5
    """
    grams = [tuple(keys[start : start + n]) for start in range(len(keys) - n + 1)]
    return len(set(grams)) / len(grams) if grams else None
