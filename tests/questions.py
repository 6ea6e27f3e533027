"""Made questions about words that no other question has: what planted models are measured on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
WORDS = 5
"""Words a question is about, so that it can have as many follow-ups."""


def words() -> Iterator[str]:
    """Make words of three syllables, all different: none of them is English but by accident."""
    syllables = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
    for first in syllables:
        for second in syllables:
            yield f"{first}{second}{first[::-1]}q"


def write_questions(folder: Path, number: int) -> list[list[str]]:
    """Write questions in StrategyQA's place of `SELFCHECK_DATA`; give the words of each."""
    told = words()
    groups = [[next(told) for _ in range(WORDS)] for _ in range(number)]
    rows = [
        {"qid": str(n), "question": f"Could {' '.join(group)}?", "answer": n % 2 == 0, "facts": "-"}
        for n, group in enumerate(groups)
    ]
    file = folder / "ChilleD__StrategyQA" / "test.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return groups
