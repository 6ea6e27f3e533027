"""read_follow_ups: on lists as models write them, and on any text."""

import json
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
    "copied from the prompt",
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=range(1, len(ROWS) + 1))
def test_read_follow_ups_list_of_a_model_is_read_as_a_person_would(row: dict[str, Any]):
    kept, dropped = read_follow_ups(
        row["answer"],
        row["original"],
        row["most"],
        row["with_options"],
        cut_off=row.get("cut_off", False),
        prompt=row.get("prompt", ""),
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


SAME = [
    "Can a person hear an echo on the Moon?",
    "could a person hear the echoes on the moon",
    "On the Moon, would a person hear an echo?",
    "Is it possible for a person to hear an echo on the Moon?",
    "Is it true that a person can hear an echo on the Moon?",
    "Is it the case that persons hear an echo on the Moon?",
    "Do you think that a person can hear an echo on the Moon?",
]
OTHERS = [
    "Can an echo hear a person on the Moon?",
    "Can a person hear an echo from the Moon?",
    "Can a person never hear an echo on the Moon?",
    "Can't a person hear an echo on the Moon?",
    "Can a person hear 2 echoes on the Moon?",
    "Can a person hear an echo on Mars?",
]


@pytest.mark.parametrize("first", SAME)
def test_read_follow_ups_same_question_asked_otherwise_is_dropped(first: str):
    answer = "\n".join(f"{n}. {question}" for n, question in enumerate(SAME, 1))
    assert read_follow_ups(answer, first, 9, False) == ((), {"repeats the original": len(SAME)})
    kept, dropped = read_follow_ups(answer, ORIGINAL, 9, False)
    assert len(kept) == 1 and dropped == {"duplicate": len(SAME) - 1}
    kept, dropped = read_follow_ups(answer, ORIGINAL, 9, False, prompt=f"1. {first}\n2. Is it?")
    assert not kept and dropped == {"copied from the prompt": len(SAME)}


def test_read_follow_ups_other_questions_of_the_same_words_are_kept():
    answer = "\n".join(f"{n}. {question}" for n, question in enumerate(OTHERS, 1))
    kept, dropped = read_follow_ups(answer, SAME[0], 9, False, prompt=SAME[0])
    assert [one.question for one in kept] == OTHERS and not dropped


@pytest.mark.parametrize("mark", ["-", "*", "•", "   -"])
@pytest.mark.parametrize("count", [2, 4, 26])
def test_read_follow_ups_options_with_bullets_are_read_in_order(mark: str, count: int):
    options = [f"thing {n}" for n in range(count)]
    answer = "1. Which is red?\n" + "\n".join(f"{mark} {option}" for option in options)
    assert read_follow_ups(answer, ORIGINAL, 5, True).kept == (("Which is red?", tuple(options)),)


UNITS = ["a ", "1. ", "1. Is x?\n", "Is wheat tall? ", "A) ", "A) x B) y ", "?", "\n", "[", "{",
         '"', "Question ", "Q1: ", "- ", "((((", "\ud800", "竹?", "in the ", "Answer: ", "<li>",
         "a: ", "word word: ", "the given ", "- A"]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_read_follow_ups_100_kb_of_noise_is_read(unit: str):
    """Were the time quadratic in the length, this would hang."""
    text = (unit * 100_000)[:100_000]
    for with_options in (False, True):
        kept, _ = read_follow_ups(text, ORIGINAL, 10, with_options, prompt=text)
        assert len(kept) <= 10
