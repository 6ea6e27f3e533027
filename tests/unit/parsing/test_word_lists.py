"""Rules of read_word_list that no single answer of a model shows; the answers are in fixtures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parsing import read_word_list
from harness.parsing.word_lists import MAX_ITEMS

WORDS = st.lists(
    st.sampled_from(["dull", "great", "not good", "well-made", "don't", "café", "映画"]),
    unique=True,
    min_size=2,
)
STYLES = [
    ", ".join,
    "; ".join,
    "\n".join,
    lambda words: "\n".join(f"- {word}" for word in words),
    lambda words: "\n".join(f"{n}. {word}" for n, word in enumerate(words, 1)),
    lambda words: "\n".join(
        f"{n}) **{word}**: a reason, at length" for n, word in enumerate(words)
    ),
    lambda words: "\n".join(f"• “{word}” – a reason" for word in words),
    lambda words: "Sure! Here are the words:\n\n" + ", ".join(f'"{word}"' for word in words),
    lambda words: "[" + ", ".join(f'"{word}"' for word in words) + "]",
    lambda words: ", ".join(f"{word} (why)" for word in words),
]


@pytest.mark.parametrize("style", STYLES)
@given(words=WORDS)
def test_read_word_list_any_style_gives_the_words(style, words: list[str]):
    assert read_word_list(style(words)).value == tuple(words)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("", "empty"), ("None.", "no list"), ("...", "no list"), ("I cannot comply.", "refusal")],
)
def test_read_word_list_unreadable_says_why(answer: str, reason: str):
    assert read_word_list(answer) == (None, reason)


def test_read_word_list_too_many_items_are_cut():
    words = read_word_list(", ".join(f"w{n}" for n in range(MAX_ITEMS + 2_000))).value
    assert words is not None
    assert (len(words), words[-1]) == (MAX_ITEMS, f"w{MAX_ITEMS - 1}")
