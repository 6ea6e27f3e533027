"""Where an answer mentions the labels, and how: negated, stated, or in an echoed list of options.

Words are compared whole (`harness.words`), so "positively" mentions no "positive".
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from harness.words import Word, split_words


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_REACH = 5
"""Words that a negation or a cue may stand before the label it bears on."""

_NEGATIONS = _words("not no never neither nor non without cannot hardly cant isnt dont")
_RESETS = _words("but because since although though so only instead")
_CUES = _words(
    "is was are be been as it's that's seems appears remains becomes say choose pick select answer"
    " call label sentiment classification category verdict conclusion prediction therefore thus"
    " hence overall considered conveys convey expresses express conveying expressing option choice"
    " think believe conclude"
)
_FILLERS = _words(
    "a an the to be of very most more likely probably clearly definitely overall mostly generally"
    " largely quite rather somewhat strongly predominantly primarily mainly certainly obviously"
    " simply just still indeed therefore thus considered classified labeled labelled option letter"
    " as in fact would"
)
# "A garden" or "no evidence" are English, not answers.
_NOT_AN_ANSWER = _words(
    "information evidence way mention clear indication definite explicit answer details detail one"
    " idea direct such specific sentiment label context text"
)
_NAMING = _words("option answer choice letter is say choose chose pick select either or and be")
_AFTER_A_LETTER = _words("is because since as or and would seems are was must rather instead")
_HEDGES = _words("could might may")
_JOINS = re.compile(
    r"[\s,/|\"'“”‘’`*()\[\]-]*(?:(?:or|and|nor|vs|versus|&)\b\.?)?[\s\"'“”‘’`*(\[]*"
)
_LINE_JOINS = re.compile(r"[^\w\n]*\n\s*(?:[-*•]|\(?[0-9a-hA-H][.):])*[\s\"'“”‘’(*]*")
_SENTENCE_END = re.compile(
    r"[.!?;](?=\s|$|[\"'”’)])|(?<![:\n])\n|(?<!:)\n(?=\n)|\b[Bb]ut\b|\b[Hh]owever\b"
)


class Mention(NamedTuple):
    """One place where an answer says a label.

    Attributes:
        label: the canonical label.
        phrase: how it is said, as word keys.
        first, last: indices of its first and last word.
        sentence: index of the sentence it stands in.
        opens: index of that sentence's first word.
        negated: a negation bears on it ("not positive").
        stated: the answer asserts it ("the sentiment is positive").
        listed: it stands in an enumeration with another label ("positive or negative").
    """

    label: str
    phrase: tuple[str, ...]
    first: int
    last: int
    sentence: int
    opens: int
    negated: bool = False
    stated: bool = False
    listed: bool = False


def find_mentions(
    text: str, words: Sequence[Word], forms: Mapping[str, Sequence[str]]
) -> list[Mention]:
    """Find all mentions of the labels, the longest phrase first where several begin at a word."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    sentences = [bisect_left(ends, word.end) for word in words]
    mentions = [
        Mention(
            label,
            phrase,
            first,
            first + len(phrase) - 1,
            sentences[first],
            bisect_left(sentences, sentences[first]),
        )
        for label, phrase, first in _occurrences(words, _phrases(forms))
        if _is_answer(text, words, first, phrase)
    ]
    return [
        mention._replace(
            negated=_is_negated(text, words, mention),
            stated=_is_stated(text, words, mention),
            listed=_is_listed(text, words, mentions, place),
        )
        for place, mention in enumerate(mentions)
    ]


def _phrases(
    forms: Mapping[str, Sequence[str]],
) -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """Group the phrases by their first word, longest first."""
    by_first: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for label, said in forms.items():
        for form in said:
            keys = _keys(form)
            if keys:
                by_first.setdefault(keys[0], []).append((keys, label))
    for known in by_first.values():
        known.sort(key=lambda entry: -len(entry[0]))
    return by_first


@lru_cache(maxsize=4096)
def _keys(form: str) -> tuple[str, ...]:
    return tuple(word.key for word in split_words(form.replace("_", " ")))


def _occurrences(
    words: Sequence[Word], phrases: Mapping[str, list[tuple[tuple[str, ...], str]]]
) -> list[tuple[str, tuple[str, ...], int]]:
    found = []
    place = 0
    while place < len(words):
        length = 1
        for keys, label in phrases.get(words[place].key, ()):
            if keys == tuple(word.key for word in words[place : place + len(keys)]):
                found.append((label, keys, place))
                length = len(keys)
                break
        place += length
    return found


def _is_answer(text: str, words: Sequence[Word], first: int, phrase: tuple[str, ...]) -> bool:
    """Say whether a letter or a "no" is meant as an answer and not as an article or determiner."""
    if len(phrase) > 1 or (len(phrase[0]) > 1 and phrase[0] != "no"):
        return True
    before = text[: words[first].start][-1:]
    after = text[words[first].end :][:2]
    runs_on = after[:1] == " " and after[1:].isalnum()
    if phrase[0] == "no":
        following = words[first + 1].key if first + 1 < len(words) else ""
        enumerated = following in {"or", "and"}
        return not runs_on or enumerated or (first == 0 and following not in _NOT_AN_ANSWER)
    marked = before in {"(", "[", '"', "'"} or after[:1] in {")", "]", ":"}
    upper = text[words[first].start].isupper()
    if marked or len(words) == 1 or (upper and not runs_on):
        return True
    return upper and (phrase[0] not in "ai" or _is_named(words, first))


def _is_named(words: Sequence[Word], first: int) -> bool:
    """Say whether an "A" or "I" that other words follow is a letter: "the answer is A because"."""
    before = words[first - 1].key if first else ""
    following = words[first + 1].key if first + 1 < len(words) else ""
    if before in _NAMING:
        return True
    return words[first].key == "a" and following in _AFTER_A_LETTER


def _is_negated(text: str, words: Sequence[Word], mention: Mention) -> bool:
    for place in range(mention.first - 1, max(-1, mention.first - 1 - _REACH), -1):
        gap = text[words[place].end : words[place + 1].start]
        key = words[place].key
        if any(mark in gap for mark in ".;:!?\n—–") or key in _RESETS:
            return False
        if "," in gap and "nor" not in {word.key for word in words[place : mention.first]}:
            return False
        if key in _NEGATIONS or key.endswith("n't"):
            return True
        if (words[place - 1].key, key) in {("rather", "than"), ("instead", "of")}:
            return True
    return False


def _is_stated(text: str, words: Sequence[Word], mention: Mention) -> bool:
    for place in range(mention.first - 1, max(-1, mention.first - 1 - _REACH), -1):
        gap = text[words[place].end : words[place + 1].start]
        if any(mark in gap for mark in ":=→"):
            return True
        if any(mark in gap for mark in ".;!?,\n"):
            return False
        if words[place].key in _CUES:
            return place == 0 or words[place - 1].key not in _HEDGES
        if words[place].key not in _FILLERS:
            return False
    return False


def _is_listed(text: str, words: Sequence[Word], mentions: Sequence[Mention], at: int) -> bool:
    """Say whether a mention is joined to a neighbouring mention of another label."""
    for left, right in ((at - 1, at), (at, at + 1)):
        if left < 0 or right >= len(mentions) or mentions[left].label == mentions[right].label:
            continue
        gap = text[words[mentions[left].last].end : words[mentions[right].first].start][:60]
        rest = text[words[mentions[right].last].end :][:20]
        if "\n" not in gap and _JOINS.fullmatch(gap):
            return True
        if _LINE_JOINS.fullmatch(gap) and re.match(r"[^\w\n]*(?:\n|$)", rest):
            return True
    return False
