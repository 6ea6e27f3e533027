"""Rules of read_redaction that no single answer of a model shows; the answers are in fixtures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parsing import read_redaction
from harness.words import mask_words, split_words

DISTINCT = st.lists(
    st.text(alphabet="bcdefghij", min_size=2, max_size=6), unique=True, min_size=2, max_size=30
)


@pytest.mark.parametrize("mask", ["[REDACTED]", "[REMOVED]", "___", "MASKWORD"])
@given(words=DISTINCT, data=st.data())
def test_read_redaction_of_our_masking_gives_the_same_words(mask: str, words: list[str], data):
    text = " ".join(words)
    original = split_words(text, mask)
    chosen = data.draw(st.sets(st.integers(0, len(words) - 1)))
    answer = mask_words(text, chosen, mask, original)
    assert read_redaction(answer, original, mask).value == chosen


@given(words=DISTINCT, data=st.data())
def test_read_redaction_removed_words_are_hidden(words: list[str], data):
    chosen = data.draw(st.sets(st.integers(0, len(words) - 1), max_size=len(words) - 1))
    answer = " ".join(word for index, word in enumerate(words) if index not in chosen)
    original = split_words(" ".join(words))
    assert read_redaction(answer, original, "[REDACTED]").value == chosen


def test_read_redaction_repeated_words_keep_their_places():
    original = split_words("the good the bad the good")
    answer = "[REDACTED] good the bad the [REDACTED]"
    assert read_redaction(answer, original, "[REDACTED]").value == {0, 5}


def test_read_redaction_four_of_five_words_aligned_is_readable():
    original = split_words("a1 b1 c1 d1 e1 f1")
    assert read_redaction("a1 b1 x [R] d1 f1", original, "[R]").value == {2, 4}  # 4 of 5 = 80%
    assert read_redaction("a1 b1 x [R] d1", original, "[R]") == (None, "does not align")  # 3 of 4


def test_read_redaction_original_without_words_hides_nothing():
    assert read_redaction("[REDACTED]", [], "[REDACTED]").value == frozenset()
    assert read_redaction("a", [], "[REDACTED]") == (None, "does not align")


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("I saw the [REDACTED] film last night.", "[REMOVED]"),
        ("The film was rated XXX by the board.", "[REDACTED]"),
        ("The [REDACTED] sat down.", "[REDACTED]"),
    ],
)
def test_read_redaction_copy_of_a_text_that_looks_masked_hides_nothing(text: str, mask: str):
    words = split_words(text, mask)
    assert read_redaction(text, words, mask, text).value == frozenset()
    more = text.replace("The" if "The" in text else "I", mask)
    assert read_redaction(more, words, mask, text).value == {0}


def test_read_redaction_mask_keeps_its_place_among_repeated_words():
    words = split_words("the cat the dog sat here now today")
    answer = "the [REDACTED] dog sat here now today"
    assert read_redaction(answer, words, "[REDACTED]").value == {1, 2}
