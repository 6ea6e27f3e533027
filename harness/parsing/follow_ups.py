"""The follow-up questions that a reply lists, and why others of them are left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from harness.parsing.question_blocks import ASKING, AUXILIARIES, Block, first_word, split_blocks
from harness.parsing.replies import is_refusal, plain
from harness.words import split_words

NO_QUESTION = "no question"
REPEATS = "repeats the original"
DUPLICATE = "duplicate"
TOO_MANY = "more than asked"
BAD_OPTIONS = "bad options"
NOT_YES_NO = "no yes-or-no question"
NOT_ALONE = "not on its own"
TOO_LONG = "too long"
CUT_OFF = "cut off"

MOST_WORDS = 100
_LONG = 10
"""Words, articles aside, from which a question with one word replaced is still the same."""

_PREPOSITIONS = frozenset("in on at to of for from by with under during about into through".split())
_ARTICLES = frozenset({"a", "an", "the"})
_TELLING = frozenset("not no never none cannot less more fewer".split())
"""A word of these, or a number, makes another question of one."""
_DANGLING = frozenset(
    "a an the of to in on at for from by with and or than that which is are was were does do did"
    " can could if as its their".split()
)
_YES_OR_NO = frozenset({"yes", "no", "true", "false", "unknown", "not sure", "cannot tell"})
_POINTS_AWAY = re.compile(
    r"\b(?:the|this|that|your|given|provided|previous|preceding|original|first|initial|above)"
    r" (?:explanation|passage|paragraph|excerpt|reasoning|rationale)\b"
    r"|\b(?:previous|preceding|original|initial|first|last|earlier|above) (?:question|answer)s?\b"
    r"|\b(?:text|question|answer|statement|sentence|information|example) (?:given |provided )?"
    r"(?:above|earlier)\b"
    r"|\b(?:according to|based on|in|from|by) (?:the|this|that) (?:given |provided |above )?"
    r"(?:text|author|article|information|context|statement|question|answer)\b"
    r"|\b(?:mentioned|described|stated|explained|given|discussed|said) (?:above|earlier|before)\b"
    r"|\b(?:does|did|would) the (?:explanation|passage|text|author|answer)\b",
    re.IGNORECASE,
)


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


def read_follow_ups(
    answer: str, original: str, most: int, with_options: bool, *, cut_off: bool = False
) -> FollowUps:
    """Read the follow-up questions that a reply lists, without the answers it gives to them.

    Args:
        answer: what the model wrote: a list of any style.
        original: the question that they follow up.
        most: how many were asked for.
        with_options: whether each is to have options, lettered from A; else, to ask for yes or no.
        cut_off: the answer reached its limit of tokens, so its last question may be incomplete.

    >>> read_follow_ups("1. Is it big? Yes.\\n2. How big?", "Is it a cat?", 5, False).dropped
    {'no yes-or-no question': 1}
    """
    text = plain(answer)
    if not text or is_refusal(text):
        return FollowUps((), {})
    blocks = split_blocks(text, with_options)
    kept: list[FollowUp] = []
    dropped: Counter[str] = Counter()
    asked = _content(original)
    known: list[tuple[str, ...]] = []
    for place, block in enumerate(blocks):
        last = place == len(blocks) - 1
        reason = (
            (_breaks_off(block, blocks[:-1], cut_off) if last else None)
            or _fault(block, with_options)
            or (REPEATS if _is_same(_content(block.question), asked) else None)
            or (TOO_MANY if len(kept) >= most else None)
            or (DUPLICATE if _is_known(block, kept, known) else None)
        )
        if reason:
            dropped[reason] += 1
        else:
            kept.append(FollowUp(_with_mark(block.question), block.options if with_options else ()))
            known.append(_content(block.question))
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
    if _POINTS_AWAY.search(question):
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


def _content(question: str) -> tuple[str, ...]:
    """Give the words of a question that tell it from others, in order."""
    keys = (word.key for word in split_words(question[:5_000]))
    return tuple(key for key in keys if key not in _ARTICLES)


def _is_same(question: Sequence[str], other: Sequence[str]) -> bool:
    """Say whether two questions are one: equal, or long and with one word replaced."""
    if question == other:
        return True
    if len(question) != len(other) or len(question) < _LONG:
        return False
    if Levenshtein.distance(question, other, score_cutoff=1) > 1:
        return False
    replaced = {
        word for pair in zip(question, other, strict=True) if pair[0] != pair[1] for word in pair
    }
    return not any(word in _TELLING or word[0].isdigit() for word in replaced)


def _is_known(block: Block, kept: Sequence[FollowUp], known: Sequence[tuple[str, ...]]) -> bool:
    """Say whether a question was kept before, with the same options in whatever order."""
    asked, options = _content(block.question), {_content(text) for text in block.options}
    return any(
        _is_same(asked, other) and (options == {_content(text) for text in follow_up.options})
        for follow_up, other in zip(kept, known, strict=True)
    )
