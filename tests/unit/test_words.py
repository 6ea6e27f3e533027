"""The words of a text: split, mask, find, compare, align, draw."""

import random
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stopwords import STOP_WORDS
from harness.words import (
    Word,
    align,
    draw_control,
    edit_distance,
    find_listed,
    mask_words,
    replace_words,
    split_words,
)

MASK = "[REDACTED]"
PIECES = ["the ", "don't ", MASK, "<br />", "\u0301", "'", "-", "\u200d", "映", "e\u0301"]
TEXTS = st.text() | st.lists(st.sampled_from(PIECES)).map("".join)


def keys(text: str, mask: str = "") -> list[str]:
    return [word.key for word in split_words(text, mask)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("...!?", []),
        ("A fine, FINE film.", ["a", "fine", "fine", "film"]),
        ("Don't, don’t, don`t", ["don't", "don't", "don't"]),
        ("well-made well‑made", ["well-made", "well-made"]),
        ("good--bad 'quoted' dogs' -x-", ["good", "bad", "quoted", "dogs", "x"]),
        ("snake_case 10/10 3.5", ["snake", "case", "10", "10", "3", "5"]),
        ("great.<br /><br />Bad <b>plot</b> <3 a<b", ["great", "bad", "plot", "3", "a", "b"]),
        ("rock &amp; roll&#39;s AT&T", ["rock", "roll", "s", "at", "t"]),
        ("caf\u00e9 cafe\u0301", ["caf\u00e9", "caf\u00e9"]),
        ("ﬁlm ＡＢＣ Straße STRASSE", ["film", "abc", "strasse", "strasse"]),
        ("映画は良い", ["映", "画", "は", "良", "い"]),
        ("фильм хороший", ["фильм", "хороший"]),
        ("soft\u00adly zero\u200dwidth", ["softly", "zerowidth"]),
        ("हिन्दी فیلم", ["हिन्दी", "فیلم"]),
    ],
)
def test_split_words_text_gives_comparable_words(text: str, expected: list[str]):
    assert keys(text) == expected


def test_split_words_mask_in_any_case_is_no_word():
    assert keys("A [REDACTED], [redacted]film.", MASK) == ["a", "film"]
    assert keys("a GONE goner", "gone") == ["a", "goner"]


def test_split_words_thai_marks_stay_with_their_letter():
    text = "ดีมาก"
    words = split_words(text)
    assert "".join(text[word.start : word.end] for word in words) == text
    assert len(words) == 4


@given(TEXTS)
def test_split_words_any_text_gives_ordered_disjoint_places(text: str):
    last = 0
    for word in split_words(text, MASK):
        assert last <= word.start < word.end <= len(text)
        last = word.end


@pytest.mark.parametrize(
    ("text", "chosen", "expected"),
    [
        ("It was great!", [2], "It was [REDACTED]!"),
        ("great. great, (great)", [0, 2], "[REDACTED]. great, ([REDACTED])"),
        ("Bad.<br />Bad\t\u2014 bad", [1, 2], "Bad.<br />[REDACTED]\t\u2014 [REDACTED]"),
        ("10/10 C++", [0, 2], "[REDACTED]/10 [REDACTED]++"),
        ("a b", [], "a b"),
    ],
)
def test_mask_words_chosen_are_replaced_and_the_rest_kept(
    text: str, chosen: list[int], expected: str
):
    assert mask_words(text, chosen, MASK, split_words(text)) == expected


@given(TEXTS)
def test_mask_words_nothing_chosen_is_identity(text: str):
    assert mask_words(text, [], MASK, split_words(text)) == text


@given(TEXTS)
def test_mask_words_all_chosen_leaves_no_word(text: str):
    words = split_words(text, MASK)
    masked = mask_words(text, range(len(words)), " [REDACTED] ", words)
    assert keys(masked, MASK) == []


def test_replace_words_each_gets_its_own():
    text = "One two, three."
    assert replace_words(text, {2: "3", 0: "1"}, split_words(text)) == "1 two, 3."


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([], set()),
        (["", "...", "<br />"], set()),
        (["GOOD"], {0, 3, 6}),
        (["not good"], {2, 3, 5, 6}),
        (["no not", "absent"], {1, 2}),
        (["good not", "not film"], set()),
        (["not good film not good beyond the text"], set()),
        (['"Film."', "film"], {4}),
    ],
)
def test_find_listed_items_name_all_their_places(listed: list[str], expected: set[int]):
    assert find_listed(listed, split_words("Good, no: not good film? not good")) == expected


def test_find_listed_20000_items_are_found_in_one_pass():
    words = split_words(" ".join(f"w{n % 700}" for n in range(5000)))
    listed = [f"w{n} w{n + 1}" for n in range(10_000)] + [f"w{n}" for n in range(600, 10_600)]
    assert find_listed(listed, words) == frozenset(range(5000))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("", "", 0),
        ("a b c", "A, b; C!", 0),
        ("a b c", "a x c", 1),  # one replaced
        ("a b c", "b c d e", 3),  # a out, d and e in
        ("a b", "", 2),
    ],
)
def test_edit_distance_counts_words(a: str, b: str, expected: int):
    assert edit_distance(split_words(a), split_words(b)) == expected


@given(TEXTS)
def test_align_text_with_itself_keeps_everything(text: str):
    words = split_words(text)
    everything = frozenset(range(len(words)))
    assert align(words, words) == (everything, len(words), len(words))


@pytest.mark.parametrize(
    ("original", "rewrite", "kept", "of"),
    [
        ("", "", set(), 0),
        ("a b c", "", set(), 0),
        ("", "a", set(), 1),
        ("a b c d", "a c", {0, 2}, 2),
        ("a b c d", "A new, b d", {0, 1, 3}, 4),
        ("a b", "b a b", {0, 1}, 3),
    ],
)
def test_align_rewrite_keeps_common_words(original: str, rewrite: str, kept: set[int], of: int):
    assert align(split_words(original), split_words(rewrite)) == (frozenset(kept), len(kept), of)


def test_align_far_too_long_rewrite_aligns_with_nothing():
    original = split_words("a b")
    assert align(original, original * 29).matched == 2  # 58 = 4 * 2 + 50 words
    assert align(original, [*original * 29, original[0]]) == (frozenset(), 0, 59)


CONTROL_TEXT = split_words("The plot of the film is dull and the cast was not great in it")
# stop-words: the 0, of 2, the 3, is 5, and 7, the 8, was 10, in 13, it 14; the other 6 are not


def test_draw_control_matches_number_and_stop_words():
    chosen = {0, 1, 6}  # the, plot, dull
    drawn = draw_control(chosen, CONTROL_TEXT, random.Random(1))
    assert len(drawn) == 3
    assert not drawn & chosen
    assert sum(CONTROL_TEXT[index].key in STOP_WORDS for index in drawn) == 1


@pytest.mark.parametrize(
    "chosen",
    [
        {1, 4, 6, 9},  # leaves two content words: not, great
        {0, 2, 3, 5, 7, 8, 10},  # leaves two stop-words: in, it
        range(10),
    ],
)
def test_draw_control_too_few_of_a_kind_left_gives_none(chosen: Collection[int]):
    assert draw_control(chosen, CONTROL_TEXT, random.Random(1)) is None


def test_draw_control_same_seed_draws_the_same_others_differ():
    def draw(seed: int) -> frozenset[int]:
        return draw_control([0, 1, 6, 7], CONTROL_TEXT, random.Random(seed))

    assert draw(3) == draw(3)
    assert len({draw(seed) for seed in range(20)}) > 5


@given(chosen=st.sets(st.integers(0, 14)), seed=st.integers(0, 99))
def test_draw_control_is_disjoint_with_as_many_of_each_kind_or_none(chosen: set[int], seed: int):
    def stop_words(places: Collection[int]) -> int:
        return sum(CONTROL_TEXT[index].key in STOP_WORDS for index in places)

    drawn = draw_control(chosen, CONTROL_TEXT, random.Random(seed))
    others = set(range(len(CONTROL_TEXT))) - chosen
    possible = stop_words(chosen) <= stop_words(others)
    possible &= len(chosen) - stop_words(chosen) <= len(others) - stop_words(others)
    assert (drawn is not None) == possible
    if drawn is not None:
        assert len(drawn) == len(chosen) and not drawn & chosen
        assert stop_words(drawn) == stop_words(chosen)


def test_stop_words_leave_out_what_carries_sentiment():
    carriers = {"not", "no", "never", "nor", "neither", "don't", "isn't", "very", "so", "too"}
    assert not carriers & STOP_WORDS
    assert {"the", "it's", "and", "was"} <= STOP_WORDS
    assert all(keys(word) == [word] for word in STOP_WORDS)


@pytest.mark.parametrize(
    "unit", ["a ", "a'", "a-", "<a", "&a", "[", "[REDACTED", "e\u0301", "映", "\u200d"]
)
def test_split_words_100_kb_is_read(unit: str):
    text = (unit * 100_000)[:100_000]
    assert all(isinstance(word, Word) for word in split_words(text, MASK))
