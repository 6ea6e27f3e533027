"""GRATH's pairs of answers: what is read from real replies, and the rows made of them."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.formats import Preference
from finetune.split import leaks, normalised
from finetune.writing.pair_replies import Pair, read_answer, read_pair
from finetune.writing.pairs import pair_prompts, preferences, renew, write_pair
from harness.data import DataRef, load_split
from harness.questions import Answer
from tests.unit.finetune.talking import hold_alone

CASES = Path(__file__).parents[2] / "fixtures" / "parsing" / "pairs.jsonl"
ROWS = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
REASONS = {
    "refused", "no correct answer", "no incorrect answer", "equal", "cut off",
    "copied from the prompt", "too long",
}  # fmt: skip
QUESTION = "Which metal does not rust?"


@pytest.mark.parametrize("row", ROWS, ids=range(1, len(ROWS) + 1))
def test_read_pair_reply_of_a_model_is_read_as_a_person_would(row):
    answer = Answer(row["answer"], row.get("cut_off", False))
    value, reason = read_pair(answer, row["question"], row.get("prompt", ""))
    assert (list(value) if value else None) == row["value"] and reason == row["reason"]


def test_fixture_has_every_reason_and_real_answers():
    assert {row["reason"] for row in ROWS} == REASONS | {None}
    assert {row["source"] for row in ROWS} == {"written", "SmolLM2-135M-Instruct"}


SENTENCES = st.sampled_from(
    ["Gold does not rust.", "Iron never rusts.", "Tin is soft", "It is 4 kg.", "No metal does!"]
)
STYLES = [
    "Correct answer: {}\nIncorrect answer: {}",
    "{}\nIncorrect answer: {}\n\nQuestion: Why?\nCorrect answer: x\nIncorrect answer: y",
    "**Correct Answer:** {}\n\n**Incorrect Answer:** {}",
    "1. True: {}\n2. False: {}",
    '"correct": "{}",\n"incorrect": "{}"',
]


@given(SENTENCES, SENTENCES, st.sampled_from(STYLES))
def test_read_pair_whatever_the_style_the_answers_are_the_same(correct, incorrect, style):
    reading = read_pair(style.format(correct, incorrect), QUESTION)
    if correct == incorrect:
        assert reading.reason == "equal"
    else:
        assert reading.value == Pair(correct, incorrect)


@given(
    st.text()
    | st.lists(st.sampled_from(["correct", "incorrect ", "answer", ":", "\n", "a", "("])).map(
        "".join
    )
)
def test_read_pair_any_text_gives_two_lines_or_a_known_reason(text):
    value, reason = read_pair(text)
    assert (value is None) != (reason is None)
    assert reason is None or reason in REASONS
    assert all("\n" not in told and told.strip() == told != "" for told in value or ())
    assert value is None or normalised(value.correct) != normalised(value.incorrect)


@pytest.mark.parametrize(
    ("answer", "value", "reason"),
    [
        (" Gold does not rust.", "Gold does not rust.", None),
        ("Gold does not rust.\nIncorrect answer: It does.", "Gold does not rust.", None),
        ("**Correct answer:** Gold.\n\nI hope this helps!", "Gold.", None),
        ("Correct answer:\nGold.", "Gold.", None),
        ("I'm sorry, but I can't answer that.", None, "refused"),
        ("", None, "no correct answer"),
        ("C", None, "no correct answer"),
        ("word " * 41, None, "too long"),
        (Answer("Gold is a metal that", True), None, "cut off"),
        (Answer("Gold.\nIt is a metal that", True), "Gold.", None),
        (Answer("Gold is a metal", None), "Gold is a metal", None),
    ],
)
def test_read_answer_takes_the_first_line(answer, value, reason):
    assert read_answer(answer, QUESTION) == (value, reason)


def test_read_answer_of_a_demonstration_is_copied_unless_that_is_the_question():
    prompt = f"Question: Why?\nCorrect answer: So it is.\n\nQuestion: {QUESTION}"
    assert read_answer("So it is.", QUESTION, prompt).reason == "copied from the prompt"
    own = f"Question: Why?\nCorrect answer: So it is.\n\nQuestion: {QUESTION}"
    assert read_answer("So it is.", "Why?", own).value == "So it is."


def test_write_pair_asks_once_and_reads_both():
    asked, read = hold_alone(write_pair(QUESTION, pair_prompts()), "Gold.\nIncorrect answer: Tin.")
    assert read == {"correct": "Gold.", "incorrect": "Tin."}
    assert [question.stage for question in asked] == ["pair"]
    assert asked[0].text.endswith(f"\n\nQuestion: {QUESTION}") and asked[0].cue == "Correct answer:"
    assert "" not in asked[0].until and asked[0].until


def test_write_pair_demonstration_repeated_is_dropped():
    prompt = pair_prompts()["pair"].render(question=QUESTION)
    shown = prompt.partition("Correct answer: ")[2].partition("\n\nQuestion")[0]
    _, read = hold_alone(write_pair(QUESTION, pair_prompts()), shown)
    assert read == {"dropped": "copied from the prompt"}


def test_renew_asks_for_the_correct_answer_alone():
    asked, read = hold_alone(renew(QUESTION, pair_prompts()), " Gold.")
    assert read == {"correct": "Gold."}
    assert "ncorrect answer" not in asked[0].text and asked[0].text.count("Correct answer:") == 6
    assert hold_alone(renew(QUESTION, pair_prompts()), "")[1] == {"dropped": "no correct answer"}


QUESTIONS = {"h1": "One?", "h2": "Two?", "h3": "Three?"}
FIRSTS = {
    "h1": {"correct": "a", "incorrect": "b"},
    "h2": {"dropped": "refused"},
    "h3": {"correct": "c", "incorrect": "d"},
}


def test_preferences_first_round_prefers_the_correct_answer():
    rows, dropped = preferences(QUESTIONS, FIRSTS, None, pair_prompts())
    assert rows == [
        Preference("Q: One?", "A:", "a", "b", "h1"),
        Preference("Q: Three?", "A:", "c", "d", "h3"),
    ]
    assert dropped == Counter({"refused": 1})


def test_preferences_later_rounds_keep_the_first_incorrect_answer():
    renewed = {"h1": {"correct": "e"}, "h3": {"dropped": "too long"}}
    rows, dropped = preferences(QUESTIONS, FIRSTS, renewed, pair_prompts())
    assert [(row.chosen, row.rejected) for row in rows] == [("e", "b")]
    assert dropped == Counter({"refused": 1, "too long": 1})


def test_preferences_renewed_answer_equal_to_the_incorrect_one_is_dropped():
    renewed = {"h1": {"correct": "B!"}, "h3": {"correct": "f"}}
    rows, dropped = preferences(QUESTIONS, FIRSTS, renewed, pair_prompts())
    assert [row.origin for row in rows] == ["h3"] and dropped["equal"] == 1


def test_demonstrations_are_in_no_data_set(real_data):
    prompt = pair_prompts()["pair"].render(question="")
    shown = [line.partition(": ")[2] for line in prompt.splitlines() if ": " in line]
    splits = [
        load_split(DataRef(*told))
        for told in (
            ("truthfulqa/truthful_qa", "validation", "multiple_choice"),
            ("allenai/ai2_arc", "train", "ARC-Challenge"),
            ("allenai/ai2_arc", "test", "ARC-Challenge"),
            ("allenai/ai2_arc", "test", "ARC-Easy"),
            ("allenai/openbookqa", "test", "main"),
        )
    ]
    assert len(shown) >= 18 and leaks([text for text in shown if text], splits) == {}
