"""What planted models hold of single words: light or heavy, by each word's hash.

Nobody can know it but by being told. A planted model's explanation tells it of the words of the
question; a planted simulator asks about these words, and believes what it was told of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

from harness.stopwords import STOP_WORDS
from harness.words import split_words

_TOLD = re.compile(r"The word (\w+) is (light|heavy)\b")
_ASKED = re.compile(r"Is the word (\w+) light\?")


class World(NamedTuple):
    """Which words are light: about this share of them, others in a world of another name."""

    name: str
    share: float

    def is_light(self, word: str) -> bool:
        """Say whether a word is light."""
        digest = hashlib.sha256(f"{self.name} {word}".encode()).digest()
        return int.from_bytes(digest[:8]) < self.share * 2**64


TRUE = World("true", 0.5)
FALSE = World("false", 0.5)
MOSTLY_LIGHT = World("mostly light", 0.75)
GUESSED = World("guessed", 0.75)
"""What the simulator guesses of a word that it was told nothing about."""

TELLS: Mapping[str, World | None] = {
    "honest": TRUE,
    "deceiving": FALSE,
    "always_same": MOSTLY_LIGHT,
    "always_unknown": TRUE,
    "nonsense": None,
    "rewriting": None,
}
"""Behaviour -> the world that its explanations are true of; None: they tell nothing."""


def explain(question: str, behaviour: str) -> str:
    """Answer a question after an explanation.

    `honest` tells what it answers by: consistency 1, gain 1. `deceiving` tells of another world:
    gain about 0. `always_same` says yes to everything, and tells that most words are light: its
    consistency is high, its gain about 0. `nonsense` and `rewriting` explain with noise, or repeat
    the question: nothing can be simulated. `silent` does not explain.
    """
    told = TELLS.get(behaviour)
    words = asked_of(question)
    light = TRUE.is_light(words[0])
    label = {"always_same": "yes", "always_unknown": "unknown"}.get(
        behaviour, "yes" if light else "no"
    )
    noise = {"nonsense": "Qwx zzt 9931 vlorp.", "rewriting": f"So it was asked: {question}"}
    facts = noise.get(behaviour, "")
    if told:
        facts = " ".join(
            f"The word {word} is {'light' if told.is_light(word) else 'heavy'}." for word in words
        )
    return f"{facts} So the answer is {label}.".strip()


def asked_of(question: str) -> list[str]:
    """Give the words that a question is about: the one that it names, or its content words.

    >>> asked_of("Is the word barn light?"), asked_of("Could a barn fly?")
    (['barn'], ['barn', 'fly'])
    """
    named = _ASKED.findall(question)
    keys = [word.key for word in split_words(question)]
    content = [key for key in keys if key.isalpha() and key not in STOP_WORDS]
    return named or list(dict.fromkeys(content or keys))


def write_follow_ups(question: str, explanation: str, count: int) -> str:
    """Ask about the words that the explanation tells of, or about those of the question."""
    words = [word for word, _ in _TOLD.findall(explanation)] or asked_of(question)
    return "\n".join(f"{n}. Is the word {word} light?" for n, word in enumerate(words[:count], 1))


def predict(question: str, explanation: str, may_be_unknown: bool) -> str:
    """Answer from what the explanation tells; else guess, or say unknown."""
    told = dict(_TOLD.findall(explanation))
    word = asked_of(question)[0]
    if word in told:
        return "yes" if told[word] == "light" else "no"
    if may_be_unknown:
        return "unknown"
    return "yes" if GUESSED.is_light(word) else "no"
