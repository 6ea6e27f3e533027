"""The words that a reply lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from harness.parsing.reading import Reading
from harness.parsing.replies import (
    drop_chatter,
    drop_introduction,
    drop_quotes,
    is_refusal,
    plain,
)
from harness.words import split_words

MAX_ITEMS = 10_000
_MAX_BARE_WORDS = 6
"""An item longer than this, without bullet or quotes, is a sentence."""
_MAX_MEAN_WORDS = 3.5
"""Unmarked items that are longer than this on average are the clauses of prose."""

_NONE = re.compile(
    r"\W*(?:none|n/?a|null|\[\s*\]|no (?:such |specific |single |important )?words?\b.*"
    r"|there (?:are|is) no\b.*|none of the\b.*)\W*",
    re.IGNORECASE | re.DOTALL,
)
_LEAD = re.compile(
    r"(?:[^\n:,\"“]{0,120}\b)?(?:words?|terms?|phrases?|keywords?|list|answer)\b[^\n:,\"“]{0,120}"
    r"(?::|\b(?:are|is|include|includes)\b(?! \w+ed\b):?)\s*",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?:positive|negative|neutral|adjectives?|verbs?|nouns?|adverbs?|phrases?|keywords?|words?"
    r"|other)[\w ]{0,20}:\s*",
    re.IGNORECASE,
)
_JSON_KEY = re.compile(r"\{?\s*[\"'][^\"'\n]{1,40}[\"']\s*:\s*(?=\[)")
_BULLET = re.compile(
    r"[ \t]*(?:[-*•·–▪◦+](?=\s|[\"'“‘])|\(?(?:\d{1,5}|[A-Za-z]|[ivxIVX]{1,5})[.):](?=\s))[ \t]*"
)
_INLINE_NUMBER = re.compile(r"(?<=\S)[ \t]+(?=\(?\d{1,4}[.)] )|[ \t]*[•▪◦][ \t]*")
_REASON = re.compile(
    r"(?<=[\w\"'”’)\]])(?:\s*(?::|->|=>|→|=)(?:\s|$)|\s+[-–—]+\s|\s*—|\s*\[|\s+\().*"
    r"|,? (?:because|which|since|as it|as they)\b.*",
    re.DOTALL,
)
_IN_BRACKETS = re.compile(r"\s\([^()\n]{0,200}\)")
_ITEM = re.compile(r"[ \t]*(?:\"[^\"\n]{1,200}\"|“[^”\n]{1,200}”)[^,;|、，；،\t]*|[^,;|、，；،\t]+")
_QUOTED = re.compile(
    r"(?<!\w)(?:\"([^\"\n]{1,80})\"|“([^”\n]{1,80})”|['‘]([^'’\n]{1,40})['’])(?!\w)"
)
_QUOTED_WHOLE = re.compile(r"\s*[\"“]([^\"“”\n]{1,300})[\"”](?![\w'])")
_THE_WORD = re.compile(r"(?:the )?(?:words?|phrases?|terms?) (?=[\"“'‘])", re.IGNORECASE)
_SLASH = re.compile(r"(?<=[^\W\d])/(?=[^\W\d])")
_AND = re.compile(r"\s+(?:and|&)\s+", re.IGNORECASE)
_LEADING_AND = re.compile(r"^\s*(?:and|&)\s+", re.IGNORECASE)
_WORDS = frozenset({"word", "words", "term", "terms", "phrase", "phrases"})
_SENTENCES = re.compile(r"\w\w[.!?] +[A-Z]\w* \w")
_EDGES = " \t.,;:!?…*[](){}<>\"“”„«»`'‘’"


def read_word_list(answer: str) -> Reading[tuple[str, ...]]:
    """Read the words or phrases that a reply lists, in its order, each once.

    Reads commas, semicolons, lines, any bullets or numbers, quotes and JSON; of "word: reason",
    "word - reason" and "word (reason)" the word.

    >>> read_word_list("The most important words are: dull, flat and long.").value
    ('dull', 'flat', 'long')
    """
    text = plain(answer)
    if not text:
        return Reading.unreadable("empty")
    if is_refusal(text):
        return Reading.unreadable("refusal")
    text = _JSON_KEY.sub("", drop_quotes(drop_introduction(drop_chatter(text))), count=1)
    if not text:
        return Reading.unreadable("empty")
    if _NONE.fullmatch(text[:200]):
        return Reading.unreadable("no list")
    items = _distinct(_items(text))
    return Reading.read(items) if items else Reading.unreadable("no list")


def _items(text: str) -> list[str]:
    if _BULLET.match(text):
        text = _INLINE_NUMBER.sub("\n", text)
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    bulleted = [line for line in lines if _BULLET.match(line)]
    if bulleted:
        return [item for line in bulleted for item in _line_items(_BULLET.sub("", line, count=1))]
    if len(lines) > 1 and all(_REASON.search(line) for line in lines):
        return [item for line in lines for item in _line_items(line)]
    if _is_prose(lines):
        return []
    return [item for line in lines for item in _plain_items(line)]


def _is_prose(lines: Sequence[str]) -> bool:
    """Say whether unmarked lines are sentences: the model retells the text instead of listing."""
    bodies = [_drop_heading(line) for line in lines]
    if any(map(_only_quoted, bodies)):
        return False
    if lines and lines[0].endswith("?"):
        return True
    items = [item for body in bodies for item in _ITEM.findall(_REASON.sub("", body, count=1))]
    lengths = [len(split_words(item)) for item in items]
    sentences = any(_SENTENCES.search(body) for body in bodies)
    return bool(lengths) and (sentences or sum(lengths) > _MAX_MEAN_WORDS * len(lengths))


def _only_quoted(line: str) -> bool:
    """Say whether a line lists what it quotes: most of it is quoted, or it speaks of words."""
    quoted = ["".join(groups) for groups in _QUOTED.findall(line)]
    around = split_words(_QUOTED.sub(" ", line))
    told = sum(len(split_words(item)) for item in quoted)
    return bool(quoted) and (told >= len(around) or any(w.key in _WORDS for w in around))


def _line_items(line: str) -> list[str]:
    """Read a bullet: a word and perhaps its reason, rarely several words."""
    whole = _QUOTED_WHOLE.match(line)
    if whole and not re.search('["“”]', line[whole.end() :]):
        return [whole[1]]
    heading = _HEADING.match(line)
    if heading and ("," in line[heading.end() :] or "words" in heading[0].casefold()):
        return _plain_items(line)
    line = _REASON.sub("", _THE_WORD.sub("", line, count=1), count=1)
    quoted = _QUOTED.findall(line)
    if quoted and _is_prose_or_nothing(_QUOTED.sub(" ", line)):
        return ["".join(groups) for groups in quoted]
    return _ITEM.findall(line)


def _plain_items(line: str) -> list[str]:
    """Read a line of prose or of separated words."""
    line = _SLASH.sub(",", _IN_BRACKETS.sub("", _drop_heading(line)))
    quoted = _QUOTED.findall(line)
    if quoted and _is_prose_or_nothing(_QUOTED.sub(" ", line)):
        return ["".join(groups) for groups in quoted]
    items = [_REASON.sub("", item, count=1) for item in _ITEM.findall(line)]
    items[-1:] = [part for item in items[-1:] for part in _split_and(item)]
    return [item for item in items if _is_short(item, _MAX_BARE_WORDS)]


def _split_and(item: str) -> list[str]:
    """Split the last item of a list, "awful and dull", unless it is quoted or a sentence."""
    parts = _AND.split(_LEADING_AND.sub("", item))
    quoted = item.rstrip(" .").endswith(('"', "”"))
    return parts if not quoted and all(_is_short(part, 3) for part in parts) else [item]


def _is_short(item: str, most: int) -> bool:
    return len(split_words(item)) <= most


def _drop_heading(line: str) -> str:
    for pattern in (_LEAD, _HEADING):
        found = pattern.match(line)
        if found:
            line = line[found.end() :]
    return line


def _is_prose_or_nothing(outside_quotes: str) -> bool:
    """Say whether only the quoted words of a line are listed: the rest is a sentence or empty."""
    pieces = [
        [word.key for word in split_words(piece) if word.key not in {"and", "or"}]
        for piece in _ITEM.findall(outside_quotes)
    ]
    total = sum(map(len, pieces))
    return total == 0 or (total >= 3 and max(map(len, pieces)) >= 2)


def _distinct(items: Iterable[str]) -> tuple[str, ...]:
    kept: dict[str, str] = {}
    for item in items:
        bare = _LEADING_AND.sub("", item, count=1).strip(_EDGES)
        if split_words(bare):
            kept.setdefault(bare.casefold(), bare)
    return tuple(kept.values())[:MAX_ITEMS]
