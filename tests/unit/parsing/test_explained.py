"""read_explained, names_label and read_predicted: on answers of models, and on any text."""

import json
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.domains.choice import option_forms
from harness.domains.yes_no import YesNo
from harness.parsing import names_label, read_explained, read_predicted

FIXTURES = Path(__file__).parents[2] / "fixtures" / "parsing"
OPTIONS = ["a paper cup", "a steel flask", "a glass bowl", "water"]
YES_NO = YesNo.FORMS
CHOICE = option_forms("ABCD", OPTIONS)


def rows_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FIXTURES / name).read_text("utf-8").splitlines()]


ROWS = rows_of("explained.jsonl")
PREDICTED = rows_of("predicted.jsonl")


def forms_of(row: dict[str, Any]) -> Any:
    options = row.get("options", ())
    return option_forms(ascii_uppercase[: len(options)], options) if options else YES_NO


@pytest.mark.parametrize("row", ROWS, ids=range(1, len(ROWS) + 1))
def test_read_explained_answer_of_a_model_is_read_as_a_person_would(row: dict[str, Any]):
    explanation, label = read_explained(row["answer"], forms_of(row))
    assert (explanation, label.value) == (row["explanation"], row["value"])


@pytest.mark.parametrize("row", ROWS, ids=range(1, len(ROWS) + 1))
def test_names_label_tells_which_explanations_give_the_answer_away(row: dict[str, Any]):
    named = bool(row["value"]) and names_label(row["explanation"], row["value"], forms_of(row))
    assert named == row["leak"]


@pytest.mark.parametrize("row", PREDICTED, ids=range(1, len(PREDICTED) + 1))
def test_read_predicted_word_of_a_simulator_is_read_as_a_person_would(row: dict[str, Any]):
    assert read_predicted(row["answer"], forms_of(row)).value == row["value"]


def test_read_predicted_labels_that_are_not_asked_for_are_not_given():
    forms = {"up": ("up",), "down": ("down",)}
    for answer in ("Y", "Probably not", "unknown", "None of the above"):
        assert read_predicted(answer, forms) == (None, "no label")


LISTS = st.permutations(["oxygen", "carbon dioxide", "iron", "sand"])
LINES = ["{}) {}: looked at.", "- {}. {} is no metal.", "Option {}: {}", "({}) {}", "{}: {} - no"]


@given(
    texts=LISTS,
    line=st.sampled_from(LINES),
    lead=st.sampled_from(["So the answer is", "Final answer:", "The correct answer is"]),
    label=st.sampled_from("ABCD"),
    times=st.integers(1, 3),
)
def test_read_explained_options_gone_through_are_kept(texts, line, lead, label, times):
    body = "\n".join(line.format(*pair) for pair in zip("ABCD", texts, strict=True))
    forms = option_forms("ABCD", texts)
    explanation, read = read_explained(f"{body}\n\n" + f"{lead} {label}. " * times, forms)
    assert (explanation, read.value) == (body, label)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        ("Bamboo is a grass.", "no label"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("Bamboo is a grass. So the answer is yes. So the answer is no.", "several labels"),
    ],
)
def test_read_explained_unreadable_says_why(answer: str, reason: str):
    assert read_explained(answer, YES_NO).label == (None, reason)


@pytest.mark.parametrize(
    ("text", "label", "named"),
    [
        ("Yes, bamboo is a grass.", "yes", True),
        ("So the statement is false.", "no", True),
        ("It is true that bamboo is a grass.", "yes", False),
        ("There is no air on the Moon.", "no", False),
        ("No animal eats it.", "no", False),
        ("Yes, bamboo is a grass.", "no", False),
        ("", "yes", False),
    ],
)
def test_names_label_yes_or_no_must_be_said_as_an_answer(text: str, label: str, named: bool):
    assert names_label(text, label, YES_NO) is named


@pytest.mark.parametrize(
    ("text", "label", "named"),
    [
        ("A vacuum keeps heat in, so it must be (B).", "B", True),
        ("Steel flasks have a vacuum.", "B", False),
        ("A cup cools fast.", "A", False),
        ("The steel flask has a vacuum.", "B", True),
        ("The steel flask has a vacuum.", "C", False),
    ],
)
def test_names_label_option_is_named_by_letter_or_text(text: str, label: str, named: bool):
    assert names_label(text, label, CHOICE) is named


@given(
    said=st.sampled_from(
        ["Grass grows in fields.", "Steel holds heat; paper does not.", "Pandas eat\nbamboo."]
    ),
    lead=st.sampled_from(
        ["So the answer is", "Therefore, the answer is:", "Answer:", "The correct answer is"]
    ),
    joint=st.sampled_from([" ", "\n", "\n\n"]),
    label=st.sampled_from(["yes", "no"]),
    end=st.sampled_from(["", ".", "!"]),
)
def test_read_explained_what_is_put_together_comes_apart(said, lead, joint, label, end):
    explanation, read = read_explained(f"{said}{joint}{lead} {label}{end}", YES_NO)
    assert (explanation, read.value) == (said, label)


PIECES = st.sampled_from(
    ["So the answer is ", "yes", "no", ".", " ", "\n", "Answer:", "B)", "(A)", "a steel flask",
     "because ", "Question: ", "\\boxed{", "}", "**", "<think>", "<", ">", "not ", "I'm sorry, ",
     "\ud800", "\u200b", "\x00", "竹", "Explanation: ", "unknown", "cannot be determined"]
)  # fmt: skip


@pytest.mark.parametrize("forms", [YES_NO, CHOICE, {}], ids=["yes_no", "choice", "none"])
@given(text=st.text() | st.lists(PIECES | st.text(max_size=4)).map("".join))
def test_read_explained_any_text_gives_a_label_or_a_reason(forms, text: str):
    explanation, label = read_explained(text, forms)
    assert (label.value is None) != (label.reason is None)
    assert label.value is None or label.value in forms
    assert explanation == explanation.strip()
    assert not explanation or any(char.isalnum() for char in explanation)
    assert names_label(text, "B", forms) in {True, False}
    predicted = read_predicted(text, forms)
    assert (predicted.value is None) != (predicted.reason is None)
    assert predicted.value is None or predicted.value in forms


UNITS = ["a ", "A. ", "yes ", "Yes. ", "So the answer is yes. ", "the answer to ", "\n", "((((",
         "because ", "B) ", "so so, ", "\\boxed{", "not ", "<p>", "\ud800", "竹", ".", "?", "*",
         "the best ", "Question", ")", "x" * 50 + " ",
         "A) x\n", "A) x\nB) y\n", "<|eot_id|>", "\nuser", "none of ", "probably "]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_read_explained_100_kb_of_noise_is_read(unit: str):
    """Were the time quadratic in the length, this would hang."""
    text = (unit * 100_000)[:100_000]
    for forms in (YES_NO, CHOICE):
        explanation, _ = read_explained(text, forms)
        assert len(explanation) <= len(text)
        assert names_label(text, "B", forms) in {True, False}
        assert read_predicted(text, forms).value in {None, *forms}
