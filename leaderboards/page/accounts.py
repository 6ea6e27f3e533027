"""Samples as the page's reader has them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from harness.evidence import Choices, Turn, read_account
from leaderboards.page.texts import Pieces, one_line, plain, shown


def document_json(sample: Mapping[str, Any]) -> list[tuple[str, Pieces]]:
    """Lay out the columns of a document."""
    return [(one_line(column), plain(text)) for column, text in read_account(sample).doc]


def sample_json(sample: Mapping[str, Any], masks: Collection[str]) -> dict[str, Any]:
    """Lay out what was asked, answered and read, and what it came to.

    Args:
        masks: what stands for a masked word in the task's prompts.
    """
    told = read_account(sample, masks)
    return {
        "verdict": told.verdict,
        "readable": told.readable,
        "target": None if told.target is None else plain(told.target),
        "turns": [_turn(turn) for turn in told.turns],
        "choices": [_choices(choices) for choices in told.choices],
        "findings": [(one_line(label), plain(text)) for label, text in told.findings],
    }


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "stage": one_line(turn.stage),
        "to": one_line(turn.to),
        "asked": not turn.not_asked,
        "prompt": shown(turn.prompt),
        "against": None if turn.against is None else one_line(turn.against),
        "answer": plain(turn.answer),
        "read": None if turn.read is None else plain(turn.read),
        "fault": None if turn.fault is None else one_line(turn.fault),
        "notes": list(turn.notes),
    }


def _choices(told: Choices) -> dict[str, Any]:
    return {
        "title": told.title,
        "prompt": plain(told.prompt),
        "rows": [[plain(text), score, best, right] for text, score, best, right in told.rows],
    }
