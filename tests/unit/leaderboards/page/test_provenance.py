"""Where a board's numbers are from, as its page tells it."""

from __future__ import annotations

import html
import re
import shlex
from dataclasses import replace

import msgspec
import pytest

from harness.evidence import record_facts
from leaderboards.board import build_board
from leaderboards.entries import Entry
from leaderboards.page import render_page
from leaderboards.page.provenance import model_sources
from tests.records import store
from tests.unit.leaderboards.making import plain

PASTES = "To repeat it:"
CANNOT = "The command line (shown with escapes or cut: it cannot be pasted):"


def commanded(words):
    entry = plain("a", t=0.5)
    (run,) = entry.runs
    made = msgspec.structs.replace(run.record.environment, command=words)
    record = msgspec.structs.replace(run.record, environment=made)
    return [Entry("a", [replace(run, record=record)])]


def told_of(words):
    """What is known of the run, and the page."""
    entries = commanded(words)
    ((source,),) = model_sources(entries)
    return source, render_page(build_board(entries, None), entries, 0)


@pytest.mark.parametrize(
    ("words", "pastes"),
    [
        (["/home/me/bin/selfcheck", "run", "--tasks", "x" * 19_000], True),
        (["selfcheck", "run", "--model-args", r"pretrained=a\n b"], True),
        (["selfcheck", "run", "x" * 20_000], False),
        (["selfcheck", "run", "a\nb"], False),
        (["selfcheck", "run", "a\x1b[2J"], False),
        (["selfcheck", "run", "a\u202eb"], False),
    ],
)
def test_command_line_that_is_not_shown_to_the_letter_is_not_offered(words, pastes):
    source, page = told_of(words)
    assert source.pastes is pastes
    assert (PASTES in page, CANNOT in page) == (pastes, not pastes)
    codes = re.findall("<code>(.*?)</code>", page, re.DOTALL)
    assert source.command in map(html.unescape, codes)
    if pastes:
        assert shlex.split(source.command) == ["selfcheck", *words[1:]]


def test_command_line_that_is_unknown_is_not_there():
    source, page = told_of(None)
    assert (source.command, source.pastes) == (None, False)
    assert PASTES not in page and CANNOT not in page


def test_facts_are_those_of_the_record_with_the_failures(tmp_path):
    run = store(tmp_path / "run", {"t": {"acc": [1.0]}, "u": {"acc": [1.0]}}, failed="NaN")
    ((source,),) = model_sources([Entry("a", [run])])
    failed = [("t failed", "NaN"), ("u failed", "NaN")]
    assert source.facts == [("run", run.id), *record_facts(run.record), *failed]
