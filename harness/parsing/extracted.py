"""A short answer taken from a passage, or that the passage has none.

What is left of an answer is judged word by word (`harness.parsing.squad`), so only what certainly
is not part of it is taken off: "Answer:", quotes, "According to the passage,". A sentence round the
answer stays.
"""

from __future__ import annotations

import re
from itertools import chain, takewhile

from harness.parsing.no_answer import UNANSWERABLE, denies, takes_back
from harness.parsing.reading import Reading
from harness.parsing.replies import drop_introduction, drop_quotes, is_refusal, plain
from harness.parsing.squad import normalise
from harness.parsing.turns import own_turn

MAX_LENGTH = 5_000
"""Characters that are read: no short answer is nearly as long."""
SEVERAL = "several answers"

_GOES_ON = re.compile(
    r"\n[^\w\n]{0,4}(?:(?:next|new|another) )?(?:question|passage|context|text|q)[ \t]*\d{0,3}"
    r"[ \t]*:",
    re.IGNORECASE,
)
"""A model that goes on after its answer begins the next question."""
_ECHO = re.compile(r"\W*(?:passage|context|question)[ \t]*:", re.IGNORECASE)
_STATED = re.compile(
    r"(?:^|(?<=[.!?:,;]\s)|\b(?:so|therefore|thus|hence|and|that|think|believe),?\s)[^\w\n]{0,3}"
    r"(?:the |my )?(?:(?:correct|final|right|short|best) ){0,2}answer"
    r"(?: (?:to|for) (?:the|this|your) question)?"
    r"(?:\s?:|\s(?:is|would be|should be|must be)(?!\w)\s?:?)\s*(?=(?P<said>[^\n]*))"
    r"|\b(?:question|it|this) (?:is|must be|would be) [\"'“]?(?P<none>unanswerable)\b",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE_END = re.compile(
    r"(?<!\b[A-Z])(?<!\bSt)(?<!\bMr)(?<!\bDr)(?<!\bMt)(?<!\bFt)(?<!\bJr)(?<!\bSr)(?<!\bMrs)"
    r"(?<!\bGen)(?<!\bCol)[.!?][\"'”’)]*\s+(?=[A-Z\"“'‘(])"
)
_PREFIX = re.compile(
    r"a:\s+|(?:according to|based on|from|in|as (?:stated|mentioned) in) (?:the|this)"
    r"(?: (?:given|provided))? (?:passage|text|context|paragraph|article|excerpt),\s+",
    re.IGNORECASE,
)
_WHERE = re.compile(
    r"(?:(?:found|given|stated|mentioned|located|taken|based) )?(?:directly )?(?:in|from|by|on)"
    r" (?:the|this) (?:passage|text|context|paragraph)\b",
    re.IGNORECASE,
)
"""Of "the answer is found in the passage" nothing is to be read."""
_DESCRIBES = re.compile(rf"\A{UNANSWERABLE}(?=\s(?!(?:or|and|but|unless|if)\b)\w)", re.IGNORECASE)
"""Of "unanswerable by law" it is a word like others."""
_BULLET = re.compile(r"(?:[-*•–]|\d{1,2}[.)])\s+(?=\S)")
_FINAL_PERIOD = re.compile(r"(?<!\.\w)(?<!\.)\.\Z")


def read_extracted(answer: str) -> Reading[str]:
    """Read a short answer; "" says that the passage has none.

    An answer beside "unanswerable" is unreadable, and so is silence: a model is told to say when
    there is no answer. "Unknown" says so, too; "unclear" is a word like others.

    Args:
        answer: what the model wrote.

    >>> read_extracted('The answer is "the Seine".'), read_extracted("The passage does not say.")
    (Reading(value='the Seine', reason=None), Reading(value='', reason=None))
    """
    text = _GOES_ON.split(plain(own_turn(answer)[:MAX_LENGTH]), maxsplit=1)[0].strip()
    if not text:
        return Reading.unreadable("empty")
    denial = denies(text)
    if denial and takes_back(text, denial):
        return Reading.unreadable(SEVERAL)
    stated = chain([""] * bool(denial), map(_stated, _STATED.finditer(text)))
    given = (value for value in stated if value is not None)
    if (first := next(given, None)) is not None:
        said = normalise(first)  # stops at the first other one: each may be as long as the text
        agree = all(normalise(value) == said for value in given)
        return Reading.read(first) if agree else Reading.unreadable(SEVERAL)
    if is_refusal(text):
        return Reading.unreadable("refusal")
    if UNANSWERABLE in _DESCRIBES.sub("", text, count=1).lower():
        return Reading.unreadable(SEVERAL)
    if _ECHO.match(text):
        return Reading.unreadable("repeats the question")
    if text.endswith(":"):
        return Reading.unreadable("no words")
    words = _words(_first_lines(drop_introduction(text) or text))
    return Reading.read(words) if _has_words(words) else Reading.unreadable("no words")


def _stated(found: re.Match[str]) -> str | None:
    """Give what is called the answer, to the end of its sentence; None if no words follow.

    It is "" if what follows says that there is no answer.
    """
    if found["none"] or denies(found["said"]):
        return ""
    words = _words(_SENTENCE_END.split(found["said"], maxsplit=1)[0])
    return words if _has_words(words) and not _WHERE.match(words) else None


def _first_lines(text: str) -> str:
    """Take the first line, or all lines of a list that a text begins with."""
    lines = [line.strip() for line in text.split("\n") if line.strip()] or [""]
    listed = list(takewhile(_BULLET.match, lines))
    if len(listed) > 1:
        return ", ".join(_BULLET.sub("", line, count=1) for line in listed)
    return lines[0].lstrip("-*•– ")


def _words(text: str) -> str:
    """Take off what stands round the words of an answer."""
    bare = drop_quotes(_PREFIX.sub("", text.strip(), count=1))
    return drop_quotes(_FINAL_PERIOD.sub("", bare)).strip()


def _has_words(text: str) -> bool:
    return bool(re.search(r"[^\W_]", normalise(text)))
