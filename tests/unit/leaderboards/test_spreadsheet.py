from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.spreadsheet import guard, unguard
from tests.unit.leaderboards.making import HOSTILE

ANY_TEXT = st.text(st.characters(exclude_categories=[]))  # half surrogate pairs, too
STARTS = tuple("=+-@＝＋－＠")


@given(ANY_TEXT | st.sampled_from(HOSTILE))
@example("'\\x3d")
@example(";\\x3d=")
@example("\ud83d\ude00")
def test_guard_reads_back_as_it_was(text):
    assert unguard(guard(text)) == text


@given(ANY_TEXT | st.sampled_from(HOSTILE) | st.text("=+-@;\t\r\n \"'\\x3d＝"))
def test_guard_leaves_nothing_to_execute(text):
    cell = guard(text)
    assert cell.isprintable()
    first, *rest = cell.split(";")  # where lines are split at semicolons, each is a cell
    assert not first.lstrip(" ").startswith(STARTS)
    assert not any(part.lstrip(" \"'").startswith(STARTS) for part in rest)


@given(st.lists(ANY_TEXT, min_size=2, max_size=2, unique=True))
def test_guard_tells_texts_apart(texts):
    assert guard(texts[0]) != guard(texts[1])


@pytest.mark.parametrize("start", [*STARTS, "\t", "\r", "\n", "  =", "\u3000="])
def test_guard_what_starts_a_formula_gets_an_apostrophe(start):
    assert guard(f"{start}1").startswith("'")


@pytest.mark.parametrize("text", ["", "a-b", "1=1", "Qwen/Qwen2.5-0.5B", "é😀", "it's", "a; b"])
def test_guard_harmless_text_stays(text):
    assert guard(text) == text


def test_guard_own_apostrophe_is_kept_apart():
    # '=1 and =1 would both be '=1 otherwise
    assert guard("=1") == "'=1" and guard("'=1") == "''=1"


@pytest.mark.parametrize("cell", ["\\q", "\\x4", "\\", "\\Uffffffff"])
def test_unguard_foreign_backslashes_stay(cell):
    assert unguard(cell) == cell
