"""Statements of the answer that end an explanation which somebody gave: "The answer is (A).".

Narrower than `harness.parsing.read_explained`, which reads what was asked to end in its answer: of
prose, here, only a clause goes that says nothing but which answer is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from finetune.split import split
from harness.domains import Posed

LONGEST = 400
"""Characters at the end of an explanation in which its last statement is looked for."""
MOST = 10
"""Statements that are taken off."""

_JOINT = r"(?:(?:and )?(?:so|therefore|thus|hence|consequently|finally|in conclusion)\b[,:]?\s*)"
_OF_ALL = (
    r"(?:(?:out )?of (?:all )?(?:the|these|those) (?:\w+ )?(?:options|choices|answers)"
    r"(?: (?:above|given|here|listed|provided))?,?\s*)"
)
_IS = r"(?:is|was|would be|will be|must be|should be|has to be|can only be)\b"
_OPENS = re.compile(rf"{_JOINT}?{_OF_ALL}?", re.IGNORECASE)
_JOINED = re.compile(_JOINT, re.IGNORECASE)
_CALLS = re.compile(
    r"(?:(?:the|my|our|its)\s+)?(?:\w+\s+){0,2}answer(?:\s+(?:choice|option|letter))?\s*"
    rf"(?:{_IS}\s*[:=]?|[:=])\s*",
    re.IGNORECASE,
)
_CALLED = re.compile(
    rf"\W*\s{_IS} (?:\w+ly )?(?:the )?(?:(?:best|only|most|likely|closest|correct|right) ){{0,3}}"
    r"(?:answer|option|choice|right|correct)\W*\Z",
    re.IGNORECASE,
)
_STARTS = re.compile(r"(?:\A|[.!?…][\"'”’)\]]*\s|[,;:–—-]\s)\s*")
_WITHIN = frozenset(",;:–—-")
_LETTER = re.compile(
    r"(?:(?:option|choice|answer|letter)\s+)?([(\[\"'“]{0,2})([A-Za-z])([)\]\"'”.:,]*)(?:\s+|\Z)",
    re.IGNORECASE,
)
_ARTICLES = frozenset({"a", "an", "the"})


def drop_closings(explanation: str, posed: Posed) -> tuple[str, frozenset[str]]:
    """Take the statements of the answer off the end of an explanation.

    Args:
        explanation: on one line.
        posed: what it explains the answer to.

    Returns:
        What is left, and the labels that the statements named.

    >>> where = Posed("Where is money kept?", ("the bank", "a library"))
    >>> drop_closings("Money is kept there, so (B) is right. Answer: a library", where)
    ('Money is kept there', frozenset({'B'}))
    >>> drop_closings("Of the above choices, only banks keep money.", where)
    ('Of the above choices, only banks keep money.', frozenset())
    """
    named: set[str] = set()
    for _ in range(MOST):
        found = _last(explanation, posed)
        if found is None:
            break
        start, labels = found
        explanation = explanation[:start].rstrip(" \t,;:–—-")
        named |= labels
    return explanation, frozenset(named)


def without_article(text: str) -> list[str]:
    """Cut a text into words, without an article that it begins with.

    >>> without_article("The Bank")
    ['bank']
    """
    words = split(text)
    return words[1:] if len(words) > 1 and words[0] in _ARTICLES else words


def _last(text: str, posed: Posed) -> tuple[int, frozenset[str]] | None:
    """Find where the last statement starts, if the text ends with it, and what it names."""
    skipped = max(0, len(text) - LONGEST)
    for start in _STARTS.finditer(text[skipped:]):
        if skipped and not start.start():
            continue  # not the start of a clause: the text is longer
        inside = start[0].lstrip()[:1] in _WITHIN
        for said in _answers(text[skipped + start.end() :].strip(), inside, posed):
            if labels := _named(said, posed):
                return skipped + start.start() + (0 if inside else len(start[0].rstrip())), labels
    return None


def _answers(clause: str, inside: bool, posed: Posed) -> Iterator[str]:
    """Give what may be the answer in a clause, if it is to state one.

    Args:
        inside: it goes on with a sentence: only a "so" makes it a statement.
    """
    joint = _JOINED.match(clause)
    if inside and not joint:
        return
    rest = clause[_OPENS.match(clause).end() :]  # type: ignore[union-attr]  # matches ""
    if calls := _CALLS.match(rest):
        yield rest[calls.end() :]
    if called := _CALLED.search(rest):
        yield rest[: called.start()]
    lettered = _LETTER.match(rest) and rest[:1] != "a"
    if joint or (lettered and posed.options) or split(rest) in (["yes"], ["no"]):
        yield rest


def _named(said: str, posed: Posed) -> frozenset[str]:
    """Give the labels that words name which are nothing but an answer; else none."""
    if not posed.options:
        joined = " ".join(split(said))
        return frozenset(label for label in posed.labels if joined in posed.forms[label])
    texts = {
        label: without_article(text)
        for label, text in zip(posed.labels, posed.options, strict=True)
    }
    words = without_article(said)
    by_text = frozenset(label for label, text in texts.items() if words and words == text)
    if by_text:
        return by_text
    letter = _LETTER.match(said)
    if not letter or letter[2].upper() not in texts:
        return frozenset()
    own, rest = letter[2].upper(), without_article(said[letter.end() :])
    others = {label for label, text in texts.items() if rest and rest == text}
    return frozenset({own, *others}) if others or not rest else frozenset()
