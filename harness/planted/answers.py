"""What planted models answer to a single question: the same, however they would explain it."""

from __future__ import annotations

import re

from harness.parsing import UNANSWERABLE
from harness.planted.rules import NOUNS, UNKNOWN
from harness.planted.weights import TRUE, asked_of
from harness.words import split_words

_OPTION = re.compile(r"^([A-Z])\) (.+)$", re.MULTILINE)
SAME, UNDECIDED = "always_same", "always_unknown"


def extract(passage: str, behaviour: str) -> str:
    """Answer from a passage: the last word that is a known noun; unanswerable without one."""
    if behaviour == SAME:
        return min(NOUNS)
    nouns = [passage[w.start : w.end] for w in split_words(passage) if w.key in NOUNS]
    return UNANSWERABLE if behaviour == UNDECIDED or not nouns else nouns[-1]


def choose(question: str, behaviour: str) -> str:
    """Answer with a label: yes if the question's first word is light, the first light option.

    Without a light option the last one is taken.
    """
    options = _OPTION.findall(question)
    if behaviour == UNDECIDED:
        return UNKNOWN
    if not options:
        return "yes" if behaviour == SAME or _is_light(question) else "no"
    if behaviour == SAME:
        return str(options[0][0])
    light = (label for label, text in options if _is_light(text))
    return str(next(light, options[-1][0]))


def _is_light(text: str) -> bool:
    words = asked_of(text)
    return bool(words) and TRUE.is_light(words[0])
