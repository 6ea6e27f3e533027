from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from leaderboards.board import build_board
from leaderboards.entries import Entry
from leaderboards.markdown import board_page, literal, one_line, ranking_table
from tests.unit.leaderboards.making import HOSTILE, aggregated, in_memory, model, number, plain

ANY_TEXT = st.text(st.characters(exclude_categories=[])) | st.sampled_from(HOSTILE)
MARKUP = st.text("ab <>&|*_`[]()!~\\#-+=.:/1\n\t$@{}\"'", max_size=12)
RENDERER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


class Page(HTMLParser):
    """Tags in order, and the text of each cell or list item."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.inside = [], [], False
        self.feed(RENDERER.render(page))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag in ("td", "th", "li", "p"):
            self.texts.append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.texts[-1] += data


@given(ANY_TEXT | MARKUP)
def test_literal_in_a_cell_is_shown_as_it_is(text):
    page = Page(f"| a | b |\n| - | - |\n| {literal(text)} | c |\n")
    assert page.tags == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    assert page.texts[2:] == [one_line(text), "c"]


@given((ANY_TEXT | MARKUP).filter(str.strip))
def test_literal_in_a_list_is_shown_as_it_is(text):
    page = Page(f"- {literal(text)}\n")
    assert page.tags == ["ul", "li"]
    assert page.texts[0] == one_line(text)


@given(ANY_TEXT)
def test_one_line_can_be_printed(text):
    assert one_line(text).isprintable()


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("https://a.b", "://"),
        ("mailto:a", "mailto:"),
        ("WWW.a.b", "www."),
        (":smile:", ":smile"),
        ("a@b.c", "@"),
        ("$x$", "$"),
        ("{{ x }}", "{"),
    ],
)
def test_literal_breaks_what_extensions_of_markdown_look_for(text, mark):
    assert mark not in literal(text).lower()


def rows(page):
    cells = [line[1:-1].split("|") for line in page.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in cells]


def test_ranking_table_shows_ties_and_incomplete_models_last():
    board = build_board([plain("c", t=0.5), plain("b", t=0.5), plain("a", u=1.0, t=1.0)])
    told = rows(ranking_table(board, literal))
    assert [row[:2] for row in told[2:]] == [["1", "a"], ["-", "b"], ["-", "c"]]
    assert [row[4] for row in told[2:]] == ["2 of 2", "1 of 2", "1 of 2"]
    tied = build_board([plain("c", t=0.5), plain("b", t=0.5)])
    assert [row[:2] for row in rows(ranking_table(tied, literal))[2:]] == [["1=", "b"], ["1=", "c"]]


def test_board_page_shows_value_interval_n_delta_and_adjusted_p(tmp_path):
    values = {"base": [0.0] * 8, "a": [1.0] * 6 + [0.0] * 2}
    entries = [model(tmp_path, name, {"t": {"acc": column}}) for name, column in values.items()]
    page = board_page(build_board(entries, "base"))
    # Wilson's interval of 6 of 8: [0.409, 0.929]; McNemar of 6 to 0: 2 / 64
    row = next(row for row in rows(page) if row[0] == "t")
    assert row[3:] == ["a", "0.750", "[0.409, 0.929]", "8", "+0.750\\*", "8", "0.031"]
    base = rows(page)[-1]
    assert base[3] == "base" and base[-3:] == ["-", "-", "-"]


def test_board_page_states_rule_base_and_number_of_tests(tmp_path):
    entries = [model(tmp_path, name, {"t": {"acc": [0.0, 1.0]}}) for name in ("a", "b")]
    page = board_page(build_board(entries, "b"))
    assert page.startswith("Ranked by the mean") and "(the base)" in page
    assert "all 1 tests" in page and "Benjamini-Hochberg" in page
    assert "No base is declared" in board_page(build_board(entries))


def test_board_page_tells_failed_from_missing():
    failed = {"t": aggregated("t", {}, headline="acc", failed="no memory")}
    entries = [plain("a", t=0.5), Entry("b", [in_memory("b", failed)]), plain("c", u=0.5)]
    told = {row[3]: row[4] for row in rows(board_page(build_board(entries, patterns=["t"])))}
    assert (told["a"], told["b"], told["c"]) == ("0.500", "failed", "-")


def test_board_page_tiny_p_is_no_zero():
    def told(name, value):
        metric = number(value, value - 0.01, value + 0.01)
        return Entry(name, [in_memory(name, {"t": aggregated("t", {"acc": metric})})])

    page = Page(board_page(build_board([told("a", 0.1), told("b", 0.9)], "a")))
    assert "< 0.001" in page.texts


@pytest.mark.parametrize("name", [name for name in HOSTILE if name])
def test_board_page_hostile_names_are_text(name):
    task = name.replace("/", "")
    failed = aggregated(task, {}, headline=name, failed=name)
    entries = [
        Entry(name, [in_memory(name, {task: aggregated(task, {name: number(0.5, 0.4, 0.6)})})]),
        Entry("base", [in_memory("base", {task: failed})]),
    ]
    page = Page(board_page(build_board(entries, "base")))
    allowed = {"p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert set(page.tags) == allowed
    assert one_line(name) in page.texts
