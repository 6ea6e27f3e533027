"""Rules of read_edit that no single answer of a model shows; the answers are in fixtures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parsing import read_edit

TEXT = "The film was well-made, but <br /><br />the cast didn't try (at all)."


@given(
    before=st.sampled_from(
        ["", "Sure, here is the edited text:\n\n", "Answer: ", "Edited text:\n"]
    ),
    quotes=st.sampled_from(['""', "“”", "''", ("```\n", "\n```"), ("", "")]),
    after=st.sampled_from(["", "\n\nNote: few changes.", "\n\nLet me know if you need more."]),
)
def test_read_edit_any_wrapping_gives_the_text(before: str, quotes: tuple[str, str], after: str):
    assert read_edit(before + quotes[0] + TEXT + quotes[1] + after).value == TEXT


@pytest.mark.parametrize("answer", ["Sure, here is the edited text:", '""', "```\n```"])
def test_read_edit_wrapping_alone_is_empty(answer: str):
    assert read_edit(answer) == (None, "empty")


def test_read_edit_refusal_after_introduction_is_a_refusal():
    assert read_edit("Answer: I'm sorry, but I can't assist with that.") == (None, "refusal")
