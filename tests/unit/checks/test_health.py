"""The health of generation: worked out by hand on answers of known form."""

from __future__ import annotations

import pytest

from harness.checks.health import METRICS, distinct_share, health
from harness.questions import Answer, Question


def measured(text: str, cut_off: bool | None = False) -> dict[str, float | None]:
    dialogue = health(Question("ask", "Why?"))
    next(dialogue)
    with pytest.raises(StopIteration) as stopped:
        dialogue.send(Answer(text, cut_off))
    outcome = stopped.value.value
    assert tuple(outcome.metrics) == METRICS
    return outcome.metrics


def test_health_of_a_plain_answer():
    told = measured("Light bends because glass slows it down.")
    assert told == {"ended": 1, "distinct_3": 1, "length": 7, "refused": 0}


def test_health_of_a_loop_is_near_zero():
    told = measured("no no no no no no no no no no no no", cut_off=True)
    assert told == {"ended": 0, "distinct_3": 1 / 10, "length": 12, "refused": 0}


@pytest.mark.parametrize("text", ["", "\n", "42", "Two words"])
def test_health_of_less_than_three_words_has_no_trigrams(text: str):
    assert measured(text)["distinct_3"] is None


def test_health_where_tokens_are_not_told_has_no_ended():
    assert measured("An answer of some words", None)["ended"] is None


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I'm sorry, but I can't assist with that.", 1),
        ("As an AI language model, I cannot answer this.", 1),
        ("Sorry is what people say when they step on a foot.", 0),
        ("Water cannot flow uphill by itself.", 0),
    ],
)
def test_health_counts_refusals(text: str, refused: int):
    assert measured(text)["refused"] == refused


def test_distinct_share_by_hand():
    # a b, b a, a b, b c: three of four are distinct
    assert distinct_share("a b a b c".split(), 2) == 3 / 4
