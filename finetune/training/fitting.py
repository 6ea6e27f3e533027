"""Which rows fit into a training, counted in tokens before any weights are loaded.

TRL cuts longer rows off in silence, or drops them: a question would become another one, and an
answer would have no end. Here they are dropped whole, and counted.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from finetune.formats import Completion, Lesson, Preference, Row
from finetune.recipe import Architecture, Recipe
from finetune.training.base_model import load_tokenizer
from finetune.training.configuration import load_config
from finetune.training.footprint import DEFAULT_LENGTH
from harness.errors import DataError
from harness.questions import plain_prompt

if TYPE_CHECKING:
    from finetune.trainer import Start

log = logging.getLogger(__name__)

TOO_LONG = "longer than max_length"
BEYOND_LIMIT = "longer than an encoder or a decoder is given here"
"""In place of max_length, which transformers' own configuration does not have."""
BEYOND_WINDOW = "longer than the model's window"

Tokens: TypeAlias = list[int]
AnyRow = TypeVar("AnyRow", bound=Row)


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


def limits_of(recipe: Recipe, start: Start, tokenizer: Any) -> dict[str, int | None]:
    """Give the most tokens of a row: reason to drop it -> their number; None: any number.

    The window is the one that lm-eval scores the model with, which would cut a longer prompt.

    Raises:
        ModelError: the model's configuration cannot be had.
    """
    from lm_eval.models.utils import resolve_max_length

    config = load_config(recipe, start.model, start.revision)
    told = resolve_max_length(config, tokenizer, default=0)
    window = told if told > 0 else None
    if recipe.model.architecture == "seq2seq":
        return {BEYOND_WINDOW: window, BEYOND_LIMIT: DEFAULT_LENGTH}
    return {BEYOND_WINDOW: window, TOO_LONG: recipe.trainer.get("max_length", DEFAULT_LENGTH)}


def fit_rows(
    rows: Sequence[Row],
    tokenizer: Any,
    chat_template: bool,
    limits: Mapping[str, int | None],
    architecture: Architecture = "causal",
) -> Fitted:
    """Leave out the rows that are too long.

    Args:
        limits: as `limits_of` gives them.

    Raises:
        DataError: none is left.
    """
    kept, dropped, changed, longest = list[Row](), Counter[str](), 0, 0
    for row in rows:
        told = tokenize(row, tokenizer, chat_template, architecture)
        size = _size(told)
        reason = _reason(size, limits)
        if reason:
            dropped[reason] += 1
            continue
        kept.append(row)
        longest = max(longest, size)
        if architecture == "causal":
            changed += any(whole[: len(prompt)] != prompt for prompt, whole in told)
    if not kept:
        raise DataError(f"no row is left to train on: {_told(dropped, limits)}")
    _tell(dropped, changed, len(rows), limits)
    return Fitted(kept, dict(dropped), longest)


def fit_together(
    recipe: Recipe, start: Start, arms: Mapping[str, Sequence[AnyRow]]
) -> tuple[dict[str, list[AnyRow]], dict[str, int]]:
    """Leave out, of all arms, the documents of which a row is too long in one of them.

    Args:
        arms: trainings that are to be compared: name -> rows.

    Returns:
        The same arms, and reason -> documents that were left out.

    Raises:
        DataError: in an arm none is left.
        ModelError: tokenizer or configuration of the model cannot be had.
    """
    tokenizer = load_tokenizer(recipe, start.model, start.revision)
    limits = limits_of(recipe, start, tokenizer)
    chat, architecture = recipe.model.chat_template, recipe.model.architecture
    reasons: dict[str, str] = {}
    for row in (row for rows in arms.values() for row in rows):
        reason = _reason(_size(tokenize(row, tokenizer, chat, architecture)), limits)
        if reason:
            reasons.setdefault(row.origin, reason)
    dropped = Counter(reasons.values())
    for why, count in dropped.items():
        log.warning(
            "%d documents are left out of all trainings: %s (%s tokens)", count, why, limits[why]
        )
    left = {name: [row for row in rows if row.origin not in reasons] for name, rows in arms.items()}
    for name, rows in left.items():
        if not rows:
            raise DataError(f"{name}: no row is left to train on: {_told(dropped, limits)}")
    return left, dict(dropped)


def tokenize(
    row: Row, tokenizer: Any, chat_template: bool, architecture: Architecture = "causal"
) -> list[tuple[Tokens, Tokens]]:
    """Give the tokens of each answer of a row.

    Returns:
        For each answer, of a decoder: the question, and the question with the answer, as TRL makes
        them; of an encoder and a decoder: what the encoder is given, and what the decoder is to
        write, each with its end.
    """
    if isinstance(row, Lesson):
        parts = (row.answering, row.explaining)
        return [
            pair
            for part in parts
            if part is not None
            for pair in tokenize(part, tokenizer, chat_template, architecture)
        ]
    if architecture == "causal":
        return _continued(row, tokenizer, chat_template)
    if isinstance(row, Preference):
        raise ValueError("an encoder-decoder learns no preferences here")
    return [_apart(row, tokenizer)]


def _continued(
    row: Completion | Preference, tokenizer: Any, chat_template: bool
) -> list[tuple[Tokens, Tokens]]:
    told = row.for_trl(chat_template)
    answers = [told[name] for name in ("completion", "chosen", "rejected") if name in told]
    if chat_template:
        prompt = _chat(tokenizer, told["prompt"], True)
        return [(prompt, _chat(tokenizer, told["prompt"] + answer, False)) for answer in answers]
    end = tokenizer.eos_token
    ended = [answer if answer.endswith(end) else answer + end for answer in answers]
    prompt = _plain(tokenizer, told["prompt"])
    return [(prompt, _plain(tokenizer, told["prompt"] + answer)) for answer in ended]


def _apart(row: Completion, tokenizer: Any) -> tuple[Tokens, Tokens]:
    target = list(tokenizer(text_target=row.answer)["input_ids"])
    if not target or target[-1] != tokenizer.eos_token_id:
        target.append(tokenizer.eos_token_id)
    return _plain(tokenizer, plain_prompt(row.text, row.cue)), target


def _chat(tokenizer: Any, turns: list[dict[str, str]], asking: bool) -> Tokens:
    told = tokenizer.apply_chat_template(
        turns, tokenize=True, return_dict=True, add_generation_prompt=asking
    )
    return list(told["input_ids"])


def _plain(tokenizer: Any, text: str) -> Tokens:
    return list(tokenizer(text)["input_ids"])


def _size(told: Sequence[tuple[Tokens, Tokens]]) -> int:
    return max(len(part) for pair in told for part in pair)


def _reason(size: int, limits: Mapping[str, int | None]) -> str | None:
    return next((why for why, most in limits.items() if most and size > most), None)


def _told(dropped: Counter[str], limits: Mapping[str, int | None]) -> str:
    told = ", ".join(f"{count} {why} ({limits[why]} tokens)" for why, count in dropped.items())
    return told or "none was given"


def _tell(dropped: Counter[str], changed: int, rows: int, limits: Mapping[str, int | None]) -> None:
    for why, count in dropped.items():
        log.warning("%d of %d rows are left out: %s (%s tokens)", count, rows, why, limits[why])
    if changed:
        log.warning(
            "%d of %d rows: the question's last tokens change where the answer follows: what is "
            "learnt differs a little from what is scored",
            changed,
            rows,
        )
