"""Which of the labels that an answer mentions it claims, and how firmly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from harness.parsing.mentions import Mention
from harness.words import Word

UNKNOWN = "unknown"
NEUTRAL = "neutral"
SILENT = "silent"
"""Its forms say only that a text is silent: unknown, unless an answer is given beside them."""
INDEFINITE = frozenset({UNKNOWN, NEUTRAL, SILENT})

_SAID_OF = r"(?:answer|label|sentiment|classification|category|verdict|conclusion|prediction)"
_LEAD = (
    r"(?:(?:is|the|a|an|option|choice|letter|answer|indeed|clearly|definitely|probably|likely"
    r"|therefore|thus)[\s\"'“”‘’*_(:]{1,4}){0,3}"
)
_IS = r"(?:(?: (?:of|to|for|about|in) [\w'’ -]{1,60}?)? (?:is|would be|must be|should be))"
_BEFORE = re.compile(
    rf"(?:\b(?:{_SAID_OF}[\"'”’*_\s]{{0,4}}[:=→]|(?:{_SAID_OF}|option|choice)[\"'”’*_]{{0,3}}{_IS})"
    rf"|\\boxed\{{)[\s\"'“‘*_({{\[:]{{0,8}}{_LEAD}\Z",
    re.IGNORECASE,
)
_RIGHT = re.compile(
    r"[\"'”’*_)\].:]*\s*(?:is|seems|must be|would be)\s+(?:\w+ly |indeed )?(?:the )?(?:most )?"
    r"(?:correct|right|best|likely|likeliest|answer)\b(?!\s+(?:not|to))",
    re.IGNORECASE,
)
_WRONG = re.compile(
    r"[\"'”’*_)\].:]*\s*(?:is|are|was)\s+(?:\w+ly )?(?:not\b|incorrect|wrong|false|ruled out"
    r"|eliminated)",
    re.IGNORECASE,
)
_DECIDES = frozenset({"final", "finally", "therefore", "thus", "hence", "actually", "wait", "so"})
_TAKES_BACK = frozenset({"but", "however", "though", "although", "yet"})
_REASONS = frozenset({"because", "since", "as"})
_NEXT_TO = re.compile(r"[^\w\n]*(?:(?:the|an?)\b)?[^\w\n]*", re.IGNORECASE)
_LINE_ALONE = re.compile(r"[^\n]{1,60}\n")
# Of "a true story" and "the correct answer" nothing is said.
_ATTRIBUTES = frozenset({"true", "false", "correct", "incorrect", "contradiction", "contradictory"})


def is_letter(mention: Mention) -> bool:
    """Say whether a mention is an option's letter."""
    return len("".join(mention.phrase)) == 1


def drop_attributes(words: Sequence[Word], given: Sequence[Mention]) -> list[Mention]:
    """Drop "a correct answer": such words must come first, or be said of something."""

    def is_answer(mention: Mention) -> bool:
        if mention.phrase[0] not in _ATTRIBUTES or mention.first == 0:
            return True
        return mention.stated and words[mention.first - 1].key not in {"a", "an"}

    return list(filter(is_answer, given))


def drop_rejected(text: str, words: Sequence[Word], given: Sequence[Mention]) -> list[Mention]:
    """Drop option letters of which it is said that they are wrong."""
    return [m for m in given if not (is_letter(m) and _WRONG.match(_after(text, words, m)))]


def find_explicit(text: str, words: Sequence[Word], given: Sequence[Mention]) -> list[Mention]:
    """Find what is called the answer: "The answer is B", {"answer": "B"}, "B is correct"."""
    return [
        mention
        for mention in given
        if mention.label != SILENT
        and (
            _BEFORE.search(_before(text, words, mention))
            or _RIGHT.match(_after(text, words, mention))
        )
    ]


def settle_silence(
    text: str, words: Sequence[Word], given: Sequence[Mention], explicit: Sequence[Mention]
) -> list[Mention]:
    """Read "the passage does not say" as unknown, unless an answer is given beside it.

    In "no, the passage does not say" the "no" only agrees; in "no, as it does not say so" and "No.
    The passage does not say so" it is the answer.
    """
    agreeing: set[Mention] = set()
    for said, silence in pairwise(given):
        gap = text[words[said.last].end : words[silence.first].start]
        between = {word.key for word in words[said.last + 1 : silence.first]}
        if (
            silence.label == SILENT
            and said.phrase == ("no",)
            and said.label not in INDEFINITE
            and said.sentence == silence.sentence
            and gap.startswith(",")
            and not between & _REASONS
        ):
            agreeing.add(said)
    claimed = [
        mention
        for mention in given
        if mention.label not in INDEFINITE
        and mention not in agreeing
        and not mention.listed
        and (mention.first == 0 or mention.stated or mention in explicit)
    ]
    if claimed:
        return [mention for mention in given if mention.label != SILENT]
    return [
        mention._replace(label=UNKNOWN, stated=True, listed=False)
        if mention.label == SILENT
        else mention
        for mention in given
        if mention not in agreeing
    ]


def is_undecided(words: Sequence[Word], mention: Mention) -> bool:
    """Say whether a mention says that nothing can be told."""
    if mention.label != UNKNOWN or (mention.listed and mention.first > 0):
        return False
    following = words[mention.last + 1].key if mention.last + 1 < len(words) else ""
    return mention.phrase != (UNKNOWN,) or following in {"whether", "if", "what"}


def drop_afterthoughts(
    words: Sequence[Word], given: Sequence[Mention], firm: Sequence[Mention], subjects: set[int]
) -> list[Mention]:
    """Drop "it is not clear who wrote it" from the sentences after a firm answer.

    Args:
        words: of the answer.
        given: the mentions.
        firm: those that are certainly meant as the answer.
        subjects: sentences that speak of the answer.
    """
    earliest = min((m.sentence for m in firm if m.label not in INDEFINITE), default=None)
    if earliest is None:
        return list(given)

    def is_afterthought(mention: Mention) -> bool:
        opened = {word.key for word in words[max(0, mention.opens - 1) : mention.first]}
        return (
            is_undecided(words, mention)
            and mention.sentence > earliest
            and mention.sentence not in subjects
            and not opened & _TAKES_BACK
        )

    return [mention for mention in given if not is_afterthought(mention)]


def contradicts_itself(words: Sequence[Word], given: Sequence[Mention]) -> bool:
    """Find "it is negative, and it cannot be determined"; a "but" between takes the first back."""
    for said, undecided in pairwise(given):
        if not is_undecided(words, undecided) or said.sentence != undecided.sentence:
            continue
        between = {word.key for word in words[said.last + 1 : undecided.first]}
        if said.label != UNKNOWN and said.stated and not said.listed:
            return not between & (_TAKES_BACK | _REASONS)
    return False


def drop_undecided(words: Sequence[Word], given: Sequence[Mention]) -> list[Mention]:
    """Keep only "cannot be determined" where a sentence says it, and count it as stated."""
    undecided = {mention.sentence for mention in given if is_undecided(words, mention)}
    return [
        mention._replace(stated=True, listed=False) if mention.sentence in undecided else mention
        for mention in given
        if mention.sentence not in undecided or is_undecided(words, mention)
    ]


def letters_disagree(
    text: str, words: Sequence[Word], given: Sequence[Mention], explicit: Sequence[Mention]
) -> bool:
    """Find option letters at odds with their text, or with each other where none is the answer."""
    lettered = [mention for mention in given if is_marked_letter(text, words, mention)]
    for letter, following in pairwise(given):
        gap = text[words[letter.last].end : words[following.first].start]
        if letter in lettered and letter.label != following.label and _NEXT_TO.fullmatch(gap[:60]):
            return True
    if explicit:
        opening = [m for m in given if m.first < explicit[-1].first and not m.listed]
        alone = bool(opening) and opening[0].first == 0 and _LINE_ALONE.match(text)
        listed = len({m.label for m in lettered if m.first < explicit[-1].first}) > 1
        return bool(alone) and not listed and opening[0].label != explicit[-1].label
    return len({m.label for m in lettered}) > 1 and not _any_stated(given)


def are_headings(text: str, words: Sequence[Word], given: Sequence[Mention]) -> bool:
    """Find an answer that says something under every label: "Positive: the band. Negative: ..."."""
    headings = {
        mention.label
        for mention in given
        if _after(text, words, mention).startswith(":") or is_marked_letter(text, words, mention)
        if not _before(text, words, mention).rpartition("\n")[2].strip(" \t-*•#0123456789.)")
    }
    return len(headings) > 1


def is_marked_letter(text: str, words: Sequence[Word], mention: Mention) -> bool:
    """Say whether a mention is an option's letter, marked as such: "B)", "B.", "B:"."""
    return is_letter(mention) and _after(text, words, mention)[:1] in {")", ":", "."}


def last_explicit(words: Sequence[Word], explicit: Sequence[Mention]) -> str | None:
    """Give the label called the answer; the last of several if it is said to decide, else None."""
    last = explicit[-1]
    opened = {word.key for word in words[max(0, last.opens - 1) : last.first]}
    agreed = len({mention.label for mention in explicit}) == 1
    return last.label if agreed or opened & _DECIDES else None


def _any_stated(given: Sequence[Mention]) -> bool:
    return any(mention.stated and not mention.listed for mention in given)


def _before(text: str, words: Sequence[Word], mention: Mention) -> str:
    start = words[mention.first].start
    return text[max(0, start - 100) : start]


def _after(text: str, words: Sequence[Word], mention: Mention) -> str:
    end = words[mention.last].end
    return text[end : end + 80]
