"""Feedback of a teacher: what is read from real replies."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.writing.feedback_replies import Feedback, read_feedback
from harness.questions import Answer

CASES = Path(__file__).parents[2] / "fixtures" / "parsing" / "feedback.jsonl"
ROWS = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
REASONS = {
    "refused", "no verdict", "no reason", "no right answer", "cut off", "too long",
    "mentions the right answers",
}  # fmt: skip
WHY = "The passage says that the ferry first ran in 1911."


@pytest.mark.parametrize("row", ROWS, ids=range(1, len(ROWS) + 1))
def test_read_feedback_reply_of_a_model_is_read_as_a_person_would(row):
    value, reason = read_feedback(Answer(row["answer"], row.get("cut_off", False)))
    assert (list(value) if value else None) == row["value"] and reason == row["reason"]


def test_fixture_has_every_reason_and_real_answers():
    assert {row["reason"] for row in ROWS} == REASONS | {None}
    assert {row["source"] for row in ROWS} == {"written", "SmolLM2-135M-Instruct"}


STYLES = [
    "{}\nWhy: {}\nWhat would be right: {}",
    "Verdict: {}\nWhy: {}\nWhat would be right: {}\n\nPassage: x\nVerdict: right\nWhy: y",
    "**Verdict:** {}\n\n**Why:** {}\n\n**What would be right:** {}",
    '1) Verdict: "{}".\n2) Reason: "{}"\n3) Correct answer: "{}"',
    "Here is my feedback:\n\n* Verdict: {}\n* Explanation: {}\n* Right answer: {}\n\nGood luck!",
]


@given(
    st.sampled_from(["right", "Correct", "wrong", "Incorrect", "not right", "the answer is wrong"]),
    st.sampled_from([WHY, "It names a town; a river was asked for!", "“Oslo” is not in the text."]),
    st.sampled_from(["1911", "Ann O'Hara", "unanswerable", "4 kg of oats"]),
    st.sampled_from(STYLES),
)
def test_read_feedback_whatever_the_style_the_parts_are_the_same(verdict, why, right, style):
    is_right = verdict in {"right", "Correct"}
    assert read_feedback(style.format(verdict, why, right)).value == (is_right, why, right)


WORDS = ["Verdict", "Why", ": ", "right", "wrong", "\n", "What would be right", "a b c", "**", "("]


@given(st.text() | st.lists(st.sampled_from(WORDS)).map("".join), st.booleans())
def test_read_feedback_any_text_gives_lines_or_a_known_reason(text, cut_off):
    value, reason = read_feedback(Answer(text, cut_off), text)
    assert (value is None) != (reason is None)
    assert reason is None or reason in REASONS | {"copied from the prompt"}
    assert all("\n" not in told for told in (value or Feedback(True, "", ""))[1:])
    assert value is None or (value.why.strip() and (value.is_right or value.right_answer))


def test_read_feedback_huge_reply_is_cut_before_it_is_read():
    told = f"wrong\nWhy: {WHY}\nWhat would be right: 1911\n\n" + "Verdict: right\n" * 100_000
    assert read_feedback(told).value == (False, WHY, "1911")


def test_read_feedback_reason_that_the_prompt_shows_is_copied():
    reply = f"wrong\nWhy: {WHY.upper()}\nWhat would be right: 1911"
    assert read_feedback(reply, f"... Why: {WHY} ...").reason == "copied from the prompt"
    assert read_feedback(reply, "... Why: It ran in 1911. ...").reason is None
    four, three = "It was in 1911.", "It is 1911."
    told = "wrong\nWhy: {}\nWhat would be right: 1911"
    assert read_feedback(told.format(four), four).reason == "copied from the prompt"
    assert read_feedback(told.format(three), three).reason is None  # so few may be chance


@pytest.mark.parametrize(("cut_off", "reason"), [(True, "cut off"), (None, None), (False, None)])
def test_read_feedback_end_of_a_reply_counts_as_whole_where_that_is_not_known(cut_off, reason):
    reply = Answer(f"wrong\nWhy: {WHY}\nWhat would be right: 19", cut_off)
    assert read_feedback(reply).reason == reason
