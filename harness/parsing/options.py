"""The lettered options of a question: "A) ... B) ...", on one line or on several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any, NamedTuple

from harness.parsing.replies import drop_invisible, drop_quotes
from harness.words import split_words

_MARK = re.compile(
    r"(?<![\w'’.&])(?:option[ ]+)?[(\[]?([A-Za-z])(?:[)\]][.:)]?|[.:](?=\s|$)|[ ]+[-–—](?=[ ]))",
)
_BULLETED = re.compile(r"[ \t]*[-*•·–▪◦+○●][ \t]+(?=\S)")
_LINE_START = re.compile(r"(?:^|\n)[^\w\n]{0,8}(?:[Oo]ption )?[^\w\n]?\Z")
_PRAISE = re.compile(
    r"\s*(?:[(\[]\s*(?:the )?(?:in)?(?:correct|right|true|false|wrong|answer)\b[^)\]\n]{0,20}[)\]]"
    r"|(?:[-–—←]|<-)+\s*(?:the )?(?:correct|right|answer)\b[^\n]{0,20}|[✓✔✅☑←✗✘❌]+)",
    re.IGNORECASE,
)
_JOINT = re.compile(r"(?:\s+(?:or|and)|[\s,;|/*])+\Z", re.IGNORECASE)


class Options(NamedTuple):
    """The options of a question.

    Attributes:
        start: where the first one begins.
        texts: what they say, in order; empty: there are none.
        spoiled: they are lettered wrongly, repeated, or empty.
    """

    start: int
    texts: tuple[str, ...]
    spoiled: bool


def find_options(body: str) -> Options:
    """Find the options after a question: two or more, lettered from A without a gap.

    >>> find_options("Which is red? A) a rose B) a leaf").texts
    ('a rose', 'a leaf')
    """
    taken: list[re.Match[str]] = []
    extra: re.Match[str] | None = None
    for mark in _MARK.finditer(body, _after_question(body)):
        at_start = bool(_LINE_START.search(body[max(0, mark.start() - 20) : mark.start()]))
        if len(taken) < 26 and mark[1].upper() == ascii_uppercase[len(taken)]:
            taken.append(mark)
        elif at_start and extra is None:
            extra = mark
            if taken:
                break
    if len(taken) < 2:
        lone = bool(taken or extra)
        return Options(len(body), (), lone)
    ends = [mark.start() for mark in taken[1:]] + [extra.start() if extra else len(body)]
    texts = [
        _tidy(body[mark.end() : end], last=mark is taken[-1])
        for mark, end in zip(taken, ends, strict=True)
    ]
    told = extra is not None and _repeats(extra, body, taken, texts)
    return Options(taken[0].start(), tuple(texts), (extra is not None and not told) or _bad(texts))


def find_bulleted(body: str) -> Options:
    """Find options that have bullets in place of letters: two or more lines below the question.

    >>> find_bulleted("Which is red?\\n- a rose\\n- a leaf").texts
    ('a rose', 'a leaf')
    """
    start, place, texts = len(body), 0, list[str]()
    for line in body.split("\n"):
        mark = _BULLETED.match(line) if place else None
        if mark:
            start = min(start, place)
            texts.append(_tidy(line[mark.end() :], last=True))
        elif texts and line.strip():
            break
        place += len(line) + 1
    if len(texts) < 2:
        return Options(len(body), (), False)
    return Options(start, tuple(texts), _bad(texts))


def tidy_options(listed: Any) -> Options:
    """Take options from JSON: a list, or letter -> text."""
    if isinstance(listed, dict):
        letters = [str(key).strip(" ().").upper() for key in listed]
        spoiled = letters != list(ascii_uppercase[: len(letters)])
        listed = list(listed.values())
    elif isinstance(listed, list):
        spoiled = False
    else:
        return Options(0, (), True)
    if not all(isinstance(text, str) for text in listed):
        return Options(0, (), True)
    joined = [drop_invisible(text) for text in listed]
    marked = find_options("\n".join(joined))
    if len(marked.texts) == len(joined):
        return marked
    texts = [_tidy(text, last=True) for text in joined]
    return Options(0, tuple(texts), spoiled or marked.spoiled or _bad(texts))


def _after_question(body: str) -> int:
    asked = body.find("?")
    if re.match(r"\s*[(\[]?[Aa][)\].:]", body):
        return 0
    if asked >= 0:
        return asked + 1
    first = re.match(r"\s*[^\n]*\n", body)
    below = first and _MARK.match(body[first.end() :].lstrip(" -*•(["))
    return first.end() if first and below else 0


def _repeats(
    extra: re.Match[str], body: str, taken: Sequence[re.Match[str]], texts: Sequence[str]
) -> bool:
    """Say whether a line after the options only names one of them again, as the answer."""
    line = _tidy(body[extra.end() :].strip().partition("\n")[0], last=True)
    place = ascii_uppercase.find(extra[1].upper())
    named = place < len(texts) and _key(line) == _key(texts[place])
    return named or len(line.strip("().: ")) <= 1 or (extra[1] == "A" and bool(_MARK.match(line)))


def _tidy(text: str, last: bool) -> str:
    """Put an option on one line, without what tells that it is right or joins it to the next."""
    text = text.strip()
    if last:
        text = text.partition("\n")[0]
    text = _PRAISE.sub("", " ".join(text.split())).strip()
    for _ in range(3):
        text = _JOINT.sub("", text).rstrip(" -•([")
    return drop_quotes(text)


def _bad(texts: Sequence[str]) -> bool:
    keys = [_key(text) for text in texts]
    return not 2 <= len(texts) <= 26 or len(set(keys)) < len(keys) or not all(texts)


def _key(text: str) -> str:
    """Two options of which this is the same are one; of signs alone, each is its own."""
    return " ".join(word.key for word in split_words(text)) or text.casefold()
