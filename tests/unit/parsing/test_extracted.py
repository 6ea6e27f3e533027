"""Short answers from a passage, and labels: what models write, and what a person reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.domains import Posed
from harness.parsing import UNANSWERABLE, Reading, extracted, read_chosen, read_extracted
from harness.parsing.squad import normalise

CASES = Path(__file__).parents[2] / "fixtures" / "parsing"


def rows(name: str) -> list[Any]:
    lines = (CASES / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [pytest.param(json.loads(line), id=f"{name}-{n}") for n, line in enumerate(lines, 1)]


def expected(row: dict[str, Any]) -> str | None:
    """Rows known to be misread say how: whoever mends one takes its `misread` away."""
    assert ("misread" in row) == ("why" in row)
    assert row.get("misread", "read right") != row["value"]
    told: str | None = row.get("misread", row["value"])
    return told


@pytest.mark.parametrize("row", rows("extracted"))
def test_read_extracted_reads_what_a_person_would(row):
    assert read_extracted(row["answer"]).value == expected(row)


@pytest.mark.parametrize("row", rows("chosen"))
def test_read_chosen_reads_what_a_person_would(row):
    posed = Posed("Where?", tuple(row.get("options", ())))
    assert read_chosen(row["answer"], posed.forms).value == expected(row)


@pytest.mark.parametrize("row", rows("explained") + rows("predicted"))
def test_read_chosen_reads_answers_to_other_prompts_or_says_why_not(row):
    """Explained answers that conclude, and the one word of a simulator."""
    posed = Posed("q", tuple(row.get("options", ())))
    told = read_chosen(row["answer"], posed.forms).value
    if "explanation" not in row or "o the answer is" in row["answer"]:
        assert told == row["value"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        ("\u200b\n", "empty"),
        ("...", "no words"),
        ("I'm sorry, but I can't assist with that.", "refusal"),
        ("Rollo (unanswerable)", "several answers"),
        ("Passage: x", "repeats the question"),
    ],
)
def test_read_extracted_unreadable_says_why(answer, reason):
    assert read_extracted(answer) == Reading.unreadable(reason)


def test_read_extracted_of_many_statements_looks_at_no_more_than_tell_them_apart(monkeypatch):
    """Each runs to the end of its line: to look at all of them takes the square of their number."""
    looked = []
    stated = extracted._stated
    monkeypatch.setattr(extracted, "_stated", lambda found: looked.append(found) or stated(found))

    assert read_extracted("answer: " * 620) == Reading.unreadable("several answers")
    assert len(looked) == 2


PIECES = st.sampled_from(
    ["Answer: ", "The answer is ", UNANSWERABLE, "the passage does not say", "\n", ". ", "but ",
     '"', "- ", "Rollo ", "1. ", "Passage:", "I'm sorry, ", "**", "<think>", "a: ", "\x00", "é"]
)  # fmt: skip


@given(text=st.text() | st.lists(PIECES | st.text(max_size=4)).map("".join))
def test_read_extracted_any_text_gives_words_no_answer_or_a_reason(text):
    value, reason = read_extracted(text)
    assert (value is None) != (reason is None)
    assert value is None or value == "" or normalise(value)


def test_read_extracted_right_answers_of_real_rows_are_read_as_they_are(real_data):
    lines = (real_data / "rajpurkar__squad_v2" / "validation.jsonl").read_text("utf-8").splitlines()
    golds = {gold for line in lines for gold in json.loads(line)["answers"]["text"]}
    assert len(golds) > 400
    for gold in golds:
        for written in ("{}", "{}.", '"{}"', "Answer: {}", "The answer is {}.", "**Answer:** {}"):
            told = read_extracted(written.format(gold)).value
            assert told is not None and normalise(told) == normalise(gold), (written, gold)
