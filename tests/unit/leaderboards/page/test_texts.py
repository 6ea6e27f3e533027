from __future__ import annotations

from leaderboards.page.texts import LONGEST_NAME, one_line, plain, shown

RTL, ESCAPE = "\u202e", "\x1b[2J"


def test_one_line_shows_what_cannot_be_seen():
    assert one_line(f"a\n{RTL}b{ESCAPE}\ud800") == "a\\n\\u202eb\\x1b[2J\\ud800"


def test_one_line_leaves_markup_to_the_template():
    assert one_line("<b>{{ 7*7 }}</b>") == "<b>{{ 7*7 }}</b>"


def test_one_line_counts_what_it_leaves_out():
    told = one_line("x" * 10_000_000)
    assert told == "x" * LONGEST_NAME + "… (9,999,800 more characters)"


def test_plain_keeps_line_breaks():
    assert plain("a\nb\x00") == [("", "a\nb\\x00")]
    assert plain("") == []


def test_shown_cuts_within_a_piece_and_drops_those_after_it():
    told = shown([("", "abc"), ("gone", "def"), ("new", "ghi")], longest=5)
    assert told == [
        ("", "abc"),
        ("gone", "de"),
        ("cut", " … 4 more characters, in the samples of the run"),
    ]


def test_shown_just_fits():
    assert shown([("", "abc"), ("new", "de")], longest=5) == [("", "abc"), ("new", "de")]
