"""Rules of read_label that no single answer of a model shows; the answers are in fixtures."""

import pytest

from harness.parsing import read_label

FORMS = {
    "positive": ("positive",),
    "negative": ("negative",),
    "neutral": ("neutral", "mixed"),
    "unknown": ("unknown", "cannot be determined", "cannot determine", "unclear"),
}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        ("positive or negative", "several labels"),
        ("It is not positive.", "negated label"),
        ("It is what it is.", "no label"),
        ("影片很好", "no label"),
        ("I'm sorry, but I can't assist with positive or negative reviews.", "refusal"),
    ],
)
def test_read_label_unreadable_says_why(answer: str, reason: str):
    assert read_label(answer, FORMS) == (None, reason)


def test_read_label_neither_without_neutral_is_unreadable():
    forms = {label: FORMS[label] for label in ("positive", "negative", "unknown")}
    assert read_label("Neither positive nor negative.", FORMS).value == "neutral"
    assert read_label("Neither positive nor negative.", forms) == (None, "negated label")


@pytest.mark.parametrize("answer", ["unknowable", "positively", "post-positive", "positives"])
def test_read_label_part_of_a_word_is_no_label(answer: str):
    assert read_label(answer, FORMS).value is None


def test_read_label_refusal_to_determine_is_unknown():
    answer = "I'm sorry, but I cannot determine whether it is positive or negative."
    assert read_label(answer, FORMS).value == "unknown"


def test_read_label_no_forms_is_unreadable():
    assert read_label("positive", {}).value is None
    assert read_label("positive", {"empty": ("", " ")}).value is None
