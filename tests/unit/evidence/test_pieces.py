"""Two texts as one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.evidence import MASKS, Piece, compare_words, pieces, shorten
from tests.unit.evidence.literals import FRAME

PARTS = [
    "the ", "don't", " ", "\n", ", ", "film", "[REDACTED]", "[redacted]", "[", "<br />", "映",
    "e\u0301", "\ud800", "\x1b[2J", "\u2028",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PARTS)).map("".join) | st.text()
SIDES = {"before": ("", "gone"), "after": ("", "new", "masked")}


def side(told: tuple[Piece, ...], which: str) -> str:
    return "".join(piece.text for piece in told if piece.kind in SIDES[which])


@given(TEXTS, TEXTS)
def test_compare_words_loses_no_byte_of_either_text(before, after):
    told = compare_words(before, after, MASKS)
    assert side(told, "before") == before
    assert side(told, "after") == after
    assert all(piece.text for piece in told)
    assert all(one.kind != other.kind for one, other in pairwise(told))


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_compare_words_within_one_frame_loses_no_byte(before, after, head, tail):
    told = compare_words(f"{head} {before} {tail}", f"{head} {after} {tail}", MASKS)
    assert side(told, "before") == f"{head} {before} {tail}"
    assert side(told, "after") == f"{head} {after} {tail}"


@given(TEXTS)
def test_compare_words_a_text_with_itself_is_one_piece(text):
    assert compare_words(text, text, MASKS) == ((Piece("", text),) if text else ())


def test_compare_words_masks_stand_each_for_its_word():
    told = compare_words(
        FRAME.format("A well-made, lovely film"), FRAME.format("A [REDACTED], [redacted] film")
    )
    assert told == (
        Piece("", "Is the text positive or negative? Words may be [REDACTED].\n\nText: A "),
        Piece("gone", "well-made"),
        Piece("masked", "[REDACTED]"),
        Piece("", ", "),
        Piece("gone", "lovely"),
        Piece("masked", "[redacted]"),
        Piece("", " film\nSentiment:"),
    )


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("a good film", "a bad film",
         [("", "a "), ("gone", "good"), ("new", "bad"), ("", " film")]),
        ("a film", "a film!", [("", "a film"), ("new", "!")]),
        ("a dull film", "a film", [("", "a "), ("gone", "dull "), ("", "film")]),
        ("", "new", [("new", "new")]),
        ("old", "", [("gone", "old")]),
        # neighbours that changed are one change; those with a word between are two
        ("a quite good b", "a very bad b",
         [("", "a "), ("gone", "quite good"), ("new", "very bad"), ("", " b")]),
        ("one x two", "1 x 2", [("gone", "one"), ("new", "1"), ("", " x "),
                                ("gone", "two"), ("new", "2")]),
        # but every mask stands beside its word
        ("a quite good b", "a [REMOVED] [REMOVED] b",
         [("", "a "), ("gone", "quite"), ("masked", "[REMOVED]"), ("", " "),
          ("gone", "good"), ("masked", "[REMOVED]"), ("", " b")]),
        # half a word is no word
        ("the dogs bark", "the dog barks",
         [("", "the "), ("gone", "dogs bark"), ("new", "dog barks")]),
        # every character of a script without spaces is a word
        ("猫は白い", "猫は黒い", [("", "猫は"), ("gone", "白"), ("new", "黒"), ("", "い")]),
    ],
)  # fmt: skip
def test_compare_words_examples(before, after, told):
    assert [tuple(piece) for piece in compare_words(before, after)] == told


def test_compare_words_takes_the_masks_of_the_task():
    told = compare_words("a fine film", "a <hidden> film", ["<hidden>", ""])
    assert told[2] == Piece("masked", "<hidden>")
    assert "masked" not in {
        piece.kind for piece in compare_words("a fine film", "a [REDACTED]", [])
    }


def test_compare_words_gives_up_on_large_texts_but_not_on_large_frames(monkeypatch):
    frame = "the same words " * 200_000
    monkeypatch.setattr(pieces, "MOST_TEXT", 1000)
    told = compare_words(f"{frame}good{frame}", f"{frame}bad{frame}")
    assert [piece.kind for piece in told] == ["", "gone", "new", ""]
    before, after = "a b " * 300, "b c " * 300
    assert compare_words(before, after) == (
        Piece("gone", before[:-1]), Piece("new", after[:-1]), Piece("", " "),
    )  # fmt: skip


def test_compare_words_gives_up_on_too_many_words(monkeypatch):
    monkeypatch.setattr(pieces, "MOST_PAIRS", 50)
    told = compare_words("a b c d e f g h", "z b y d x f w h2")
    assert [piece.kind for piece in told] == ["gone", "new"]


def test_compare_words_of_ten_megabytes_is_possible():
    before, after = "\x1b[2J x" * 1_700_000, "\ud800 y" * 2_500_000
    told = compare_words(before, after)
    assert [piece.kind for piece in told] == ["gone", "new"]
    assert side(told, "after") == after


@given(
    st.lists(st.tuples(st.sampled_from(["", "gone", "new", "masked"]), TEXTS)), st.integers(0, 99)
)
def test_shorten_keeps_the_ends_and_to_its_limit(told, limit):
    given_pieces = [Piece(kind, text) for kind, text in told]
    text = "".join(text for _, text in told)
    short = shorten(given_pieces, limit)
    kept = [piece for piece in short if piece.kind != "cut"]
    if len(text) <= limit:
        assert list(short) == given_pieces
        return
    assert sum(len(piece.text) for piece in kept) == limit
    (note,) = (place for place, piece in enumerate(short) if piece.kind == "cut")
    assert text.startswith("".join(piece.text for piece in short[:note]))
    assert text.endswith("".join(piece.text for piece in short[note + 1 :]))
    assert f" {len(text) - limit} " in short[note].text


def test_shorten_leaves_changes_and_what_is_round_them():
    before, after = "x " * 5000, "y " * 5000
    told = shorten([Piece("", before), Piece("gone", "old"), Piece("new", "new"), Piece("", after)],
                   4000)  # fmt: skip
    assert [piece.kind for piece in told] == ["", "cut", "", "gone", "new", "", "cut", ""]
    assert told[2].text + told[3].text == before[-200:] + "old"
    assert told[1].text == "... 9600 characters left out ..."
