"""read_follow_ups: on lists as models write them, and on any text."""

import json
import time
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parsing import FollowUps, read_follow_ups

CASES = Path(__file__).parents[2] / "fixtures" / "parsing" / "follow_ups.jsonl"
ROWS = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
ORIGINAL = "Is bamboo a grass?"
REASONS = {
    "no question", "repeats the original", "duplicate", "more than asked", "bad options",
    "no yes-or-no question", "not on its own", "too long", "cut off",
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=range(1, len(ROWS) + 1))
def test_read_follow_ups_list_of_a_model_is_read_as_a_person_would(row: dict[str, Any]):
    kept, dropped = read_follow_ups(
        row["answer"],
        row["original"],
        row["most"],
        row["with_options"],
        cut_off=row.get("cut_off", False),
    )
    assert [[question, list(options)] for question, options in kept] == row["value"]
    assert dict(dropped) == row["dropped"]


QUESTIONS = st.lists(
    st.sampled_from(
        [
            "Is wheat a grass?",
            "Do pandas eat bamboo?",
            "Can rice grow in water?",
            "Has the Moon an atmosphere?",
            "Would a steel flask float?",
        ]
    ),
    unique=True,
    min_size=1,
)
STYLES = [
    lambda items: "\n".join(f"{n}. {item}" for n, item in enumerate(items, 1)),
    lambda items: "\n\n".join(f"**{n}.** {item}" for n, item in enumerate(items, 1)),
    lambda items: "Sure!\n" + "\n".join(f"Q{n}: {item} Yes." for n, item in enumerate(items, 1)),
    lambda items: "\n".join(f"- {item}" for item in items),
    lambda items: "\n".join(items),
    lambda items: json.dumps(items),
]


@pytest.mark.parametrize("style", STYLES)
@given(questions=QUESTIONS)
def test_read_follow_ups_any_style_gives_the_questions(style, questions: list[str]):
    kept, dropped = read_follow_ups(style(questions), ORIGINAL, 5, False)
    assert [follow_up.question for follow_up in kept] == questions
    assert not dropped


OPTION_STYLES = [("{}) {}", "\n"), ("({}) {}", " "), ("- {}: {}", "\n"), ("{}. {}", "\n\n")]


@pytest.mark.parametrize(("mark", "joint"), OPTION_STYLES)
@given(count=st.integers(2, 26), questions=QUESTIONS)
def test_read_follow_ups_any_number_of_options_is_read(mark, joint, count, questions):
    options = tuple(f"thing {n}" for n in range(count))
    lines = joint.join(mark.format(*pair) for pair in zip(ascii_uppercase, options, strict=False))
    answer = "\n\n".join(f"{n}. {q}\n{lines}\nAnswer: B" for n, q in enumerate(questions, 1))
    kept, dropped = read_follow_ups(answer, ORIGINAL, 5, True)
    assert kept == tuple((question, options) for question in questions)
    assert not dropped


PIECES = st.sampled_from(
    ["1. ", "2. ", "\n", "Is bamboo a grass?", "Is wheat tall?", "Which is tall?", "A) ", "B) ",
     "C) ", "x ", "Answer: ", "- ", "Question 1: ", '"', "[", "]", "{", "}", ",", ":", "\ud800",
     "<li>", "```", "**", "\u200b", "\x00", "竹?", "A", "the explanation ", "1.\n"]
)  # fmt: skip


@pytest.mark.parametrize("with_options", [False, True])
@given(
    text=st.text() | st.lists(PIECES | st.text(max_size=4)).map("".join),
    most=st.integers(0, 3),
    cut_off=st.booleans(),
)
def test_read_follow_ups_any_text_keeps_the_rules(with_options, text, most, cut_off):
    kept, dropped = read_follow_ups(text, ORIGINAL, most, with_options, cut_off=cut_off)
    assert len(kept) <= most
    assert set(dropped) <= REASONS and all(count > 0 for count in dropped.values())
    assert len(set(kept)) == len(kept)
    for question, options in kept:
        assert question.casefold() != ORIGINAL.casefold()
        assert " ".join(question.split()) == question
        assert with_options == bool(options) and len(options) in {0, *range(2, 27)}
        assert all(option.strip() and "\n" not in option for option in options)
        assert len({option.casefold() for option in options}) == len(options)


@given(text=st.text(), original=st.text())
def test_read_follow_ups_any_original_raises_nothing(text: str, original: str):
    assert isinstance(read_follow_ups(text, original, 5, False), FollowUps)


UNITS = ["a ", "1. ", "1. Is x?\n", "Is wheat tall? ", "A) ", "A) x B) y ", "?", "\n", "[", "{",
         '"', "Question ", "Q1: ", "- ", "((((", "\ud800", "竹?", "in the ", "Answer: ", "<li>",
         "a: ", "word word: ", "the given ", "- A"]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_read_follow_ups_100_kb_of_noise_takes_no_time(unit: str):
    start = time.perf_counter()
    for with_options in (False, True):
        read_follow_ups((unit * 100_000)[:100_000], ORIGINAL, 10, with_options)
    assert time.perf_counter() - start < 5  # measured: under one second
