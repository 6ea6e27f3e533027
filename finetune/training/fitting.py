"""Which rows fit into a training, counted in tokens before any weights are loaded.

TRL cuts longer rows off in silence, or drops them: a question would become another one, and an
answer would have no end. Here they are dropped whole, and counted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune.formats import Row
from harness.errors import DataError

log = logging.getLogger(__name__)

TOO_LONG = "longer than max_length"
BEYOND_WINDOW = "longer than the model's window"


@dataclass(frozen=True)
class Fitted:
    """The rows to train on.

    Attributes:
        rows: in their order.
        dropped: reason -> rows.
        longest: tokens of the longest row that is left, with its answer.
    """

    rows: list[Row]
    dropped: dict[str, int]
    longest: int


def fit_rows(
    rows: Sequence[Row], tokenizer: Any, chat_template: bool, limits: dict[str, int | None]
) -> Fitted:
    """Leave out the rows that are too long.

    Args:
        limits: reason to drop a row -> the most tokens it may have; None: any number.

    Raises:
        DataError: none is left.
    """
    kept, dropped, changed, longest = list[Row](), Counter[str](), 0, 0
    for row in rows:
        prompt, wholes = tokenize(row, tokenizer, chat_template)
        size = max(len(whole) for whole in wholes)
        reason = next((why for why, most in limits.items() if most and size > most), None)
        if reason:
            dropped[reason] += 1
            continue
        kept.append(row)
        longest = max(longest, size)
        changed += any(whole[: len(prompt)] != prompt for whole in wholes)
    if not kept:
        told = ", ".join(f"{count} {why} ({limits[why]} tokens)" for why, count in dropped.items())
        raise DataError(f"no row is left to train on: {told or 'none was given'}")
    _tell(dropped, changed, len(rows), limits)
    return Fitted(kept, dict(dropped), longest)


def tokenize(row: Row, tokenizer: Any, chat_template: bool) -> tuple[list[int], list[list[int]]]:
    """Give the tokens of a question, and of it with each of its answers, as TRL makes them."""
    told = row.for_trl(chat_template)
    answers = [told[name] for name in ("completion", "chosen", "rejected") if name in told]
    if chat_template:
        prompt = _chat(tokenizer, told["prompt"], True)
        return prompt, [_chat(tokenizer, told["prompt"] + answer, False) for answer in answers]
    end = tokenizer.eos_token
    ended = [answer if answer.endswith(end) else answer + end for answer in answers]
    return _plain(tokenizer, told["prompt"]), [
        _plain(tokenizer, told["prompt"] + answer) for answer in ended
    ]


def _chat(tokenizer: Any, turns: list[dict[str, str]], asking: bool) -> list[int]:
    told = tokenizer.apply_chat_template(
        turns, tokenize=True, return_dict=True, add_generation_prompt=asking
    )
    return list(told["input_ids"])


def _plain(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text)["input_ids"])


def _tell(dropped: Counter[str], changed: int, rows: int, limits: dict[str, int | None]) -> None:
    for why, count in dropped.items():
        log.warning("%d of %d rows are left out: %s (%s tokens)", count, rows, why, limits[why])
    if changed:
        log.warning(
            "%d of %d rows: the question's last tokens change where the answer follows: what is "
            "learnt differs a little from what is scored",
            changed,
            rows,
        )
