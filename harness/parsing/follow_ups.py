"""The follow-up questions that a reply lists, and why others of them are left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.parsing.options import find_options
from harness.parsing.question_blocks import ASKING, AUXILIARIES, Block, first_word, split_blocks
from harness.parsing.question_faults import offers_answers, stands_alone
from harness.parsing.replies import is_refusal, plain
from harness.parsing.same_question import (
    Content,
    content,
    content_of_options,
    is_same_question,
    questions_in,
)
from harness.words import split_words

NO_QUESTION = "no question"
REPEATS = "repeats the original"
COPIED = "copied from the prompt"
DUPLICATE = "duplicate"
TOO_MANY = "more than asked"
BAD_OPTIONS = "bad options"
NOT_YES_NO = "no yes-or-no question"
NOT_ALONE = "not on its own"
TOO_LONG = "too long"
CUT_OFF = "cut off"

MOST_WORDS = 100

_PREPOSITIONS = frozenset("in on at to of for from by with under during about into through".split())
_DANGLING = frozenset(
    "a an the of to in on at for from by with and or than that which is are was were does do did"
    " can could if as its their".split()
)
_YES_OR_NO = frozenset({"yes", "no", "true", "false", "unknown", "not sure", "cannot tell"})


class FollowUp(NamedTuple):
    """A follow-up question; without options it is to be answered with yes or no."""

    question: str
    options: tuple[str, ...]


class FollowUps(NamedTuple):
    """What a reply lists.

    Attributes:
        kept: the follow-up questions to ask, in order.
        dropped: reason -> how many were left out for it; a reason never quotes the model.
    """

    kept: tuple[FollowUp, ...]
    dropped: Mapping[str, int]


class _Asked(NamedTuple):
    """What a question asks, to compare it with others."""

    content: Content
    options: frozenset[tuple[str, ...]]


def read_follow_ups(
    answer: str,
    original: str,
    most: int,
    with_options: bool,
    *,
    cut_off: bool | None = False,
    prompt: str = "",
) -> FollowUps:
    """Read the follow-up questions that a reply lists, without the answers it gives to them.

    What repeats the original, the prompt or a question before it is left out (`same_question`);
    with options, only if they are the same too, in whatever order, but for those of the prompt.

    Args:
        answer: what the model wrote: a list of any style.
        original: the question that they follow up, its lettered options below it; without those,
            the same question repeats it whatever its options.
        most: how many were asked for.
        with_options: whether each is to have options, lettered from A; else, to ask for yes or no.
        cut_off: the answer reached its limit of tokens, so its last question may be incomplete;
            None: not known.
        prompt: what the model was given; the questions on its lines are no follow-ups.

    >>> read_follow_ups("1. Do cats purr? Yes.\\n2. How big?", "Is it a cat?", 5, False).dropped
    {'no yes-or-no question': 1}
    """
    text = plain(answer)
    if not text or is_refusal(text):
        return FollowUps((), {})
    blocks = split_blocks(text, with_options)
    kept, known, dropped = list[FollowUp](), list[_Asked](), Counter[str]()
    first = _original(original, with_options)
    shown = questions_in(prompt) - first.content
    for block in blocks:
        asked = _asked(block.question, block.options if with_options else ())
        reason = (
            (_breaks_off(block, blocks[:-1], bool(cut_off)) if block is blocks[-1] else None)
            or _fault(block, with_options)
            or _repetition(asked, first, shown)
            or (TOO_MANY if len(kept) >= most else None)
            or (DUPLICATE if any(_repeats(asked, other) for other in known) else None)
        )
        if reason:
            dropped[reason] += 1
        else:
            kept.append(FollowUp(_with_mark(block.question), block.options if with_options else ()))
            known.append(asked)
    return FollowUps(tuple(kept), dict(dropped))


def _fault(block: Block, with_options: bool) -> str | None:
    """Say why a block is no follow-up question of the kind asked for, or None."""
    question = block.question
    words = split_words(question)
    completes = with_options and len(block.options) > 1  # "The tallest animal is:"
    asks = question.endswith("?") or first_word(question) in AUXILIARIES | ASKING or completes
    if len(words) < 2 or not asks or not _is_latin(question):
        return NO_QUESTION
    if len(words) > MOST_WORDS:
        return TOO_LONG
    if not with_options and offers_answers(question):
        return NOT_YES_NO
    if not stands_alone(question):
        return NOT_ALONE
    if with_options:
        return BAD_OPTIONS if block.spoiled or not block.options else None
    choices = {" ".join(word.key for word in split_words(text)) for text in block.options}
    return NOT_YES_NO if not choices <= _YES_OR_NO or _asks_for_more(question) else None


def _asks_for_more(question: str) -> bool:
    """Say whether a question asks what, who, why, ...; of its clauses the last one asks."""
    words = [word.key for word in split_words(question)]
    if words[0] in AUXILIARIES:
        return False
    clause = [word.key for word in split_words(re.split(r"[,;:]\s", question)[-1])] or words
    return any(
        opens[0] in ASKING or (opens[0] in _PREPOSITIONS and len(opens) > 1 and opens[1] in ASKING)
        for opens in (words, clause)
    )


def _breaks_off(block: Block, before: Sequence[Block], cut_off: bool) -> str | None:
    """Say whether the last block is incomplete: told so, or seen from those before it."""
    ended = block.question.endswith(("?", ".", "!", ":")) or bool(block.options)
    if cut_off:
        fewer = len(block.options) < max((len(other.options) for other in before), default=0)
        return CUT_OFF if fewer or not (block.question.endswith("?") or block.options) else None
    if ended:
        return None
    words = [word.key for word in split_words(block.question)]
    asked = sum(other.question.endswith("?") for other in before)
    begun = first_word(block.question) in AUXILIARIES | ASKING
    dangles = not words or words[-1] in _DANGLING or (begun and len(words) < 3)
    return CUT_OFF if dangles or (begun and asked > 1 and asked == len(before)) else None


def _is_latin(text: str) -> bool:
    letters = [char < "\u0250" for char in text if char.isalpha()]
    return 2 * sum(letters) > len(letters)


def _with_mark(question: str) -> str:
    """End a question with its mark where the model forgot it."""
    if question.endswith(("?", ":", "_")) or first_word(question) not in AUXILIARIES | ASKING:
        return question
    return question.rstrip(" .!") + "?"


def _original(text: str, with_options: bool) -> _Asked:
    """Take the question that is followed up apart from its options."""
    options = find_options(text) if with_options else None
    if options is None or not options.texts:
        return _asked(text, ())
    return _asked(text[: options.start], options.texts)


def _asked(question: str, options: Sequence[str]) -> _Asked:
    return _Asked(content(question), content_of_options(options))


def _repetition(asked: _Asked, original: _Asked, shown: Content) -> str | None:
    """Say whether a question repeats the original, or one that the prompt shows beside it."""
    if _repeats(asked, original, whatever=not original.options):
        return REPEATS
    return COPIED if is_same_question(asked.content, shown) else None


def _repeats(asked: _Asked, other: _Asked, whatever: bool = False) -> bool:
    """Say whether a question is another one, with the same options or `whatever` options."""
    alike = whatever or asked.options == other.options
    return alike and is_same_question(asked.content, other.content)
