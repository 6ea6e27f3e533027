"""GRATH's training set: a correct and an incorrect answer to each question, both by the model.

Source: Chen, Song, Li 2024, arXiv:2401.12292. Differs: the words of the prompts and the questions
that they show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from finetune.formats import Preference
from finetune.split import normalised
from finetune.writing.pair_replies import EQUAL, read_answer, read_pair
from finetune.writing.prompt_files import Prompts, read_prompts
from harness.questions import Dialogue, Outcome, Question

SLOTS: Mapping[str, tuple[str, ...]] = dict.fromkeys(("pair", "renew", "train"), ("question",))
Read = Mapping[str, object]


class Preferences(NamedTuple):
    """Training rows, and what could not be used: reason -> how many."""

    rows: list[Preference]
    dropped: Counter[str]


def pair_prompts() -> Prompts:
    """Read the prompts: `pair` and `renew` for the teacher, `train` for the rows."""
    return read_prompts("grath", SLOTS)


def write_pair(question: str, prompts: Prompts) -> Dialogue:
    """Ask for a correct and an incorrect answer.

    It reads {"correct": ..., "incorrect": ...}, or {"dropped": reason}.
    """
    asked = _ask("pair", question, prompts)
    reading = read_pair((yield asked), question, asked.text)  # type: ignore[arg-type]
    read = {"dropped": reading.reason} if reading.value is None else reading.value._asdict()
    return Outcome({}, read)


def renew(question: str, prompts: Prompts) -> Dialogue:
    """Ask for a correct answer alone.

    It reads {"correct": ...}, or {"dropped": reason}.
    """
    asked = _ask("renew", question, prompts)
    reading = read_answer((yield asked), question, asked.text)  # type: ignore[arg-type]
    read = {"dropped": reading.reason} if reading.value is None else {"correct": reading.value}
    return Outcome({}, read)


def preferences(
    questions: Mapping[str, str],
    firsts: Mapping[str, Read],
    renewed: Mapping[str, Read] | None,
    prompts: Prompts,
) -> Preferences:
    """Make rows: the incorrect answer of the first round, the correct one of the last.

    Args:
        questions: hash of a document -> its question.
        firsts: hash -> what `write_pair` read.
        renewed: hash -> what `renew` read, of all that have a pair; None in the first round.
        prompts: have the prompt of the rows.

    Raises:
        KeyError: a question was not asked.
    """
    rows, dropped = list[Preference](), Counter[str]()
    for digest, question in questions.items():
        first = firsts[digest]
        last = first if renewed is None or "dropped" in first else renewed[digest]
        reason = first.get("dropped") or last.get("dropped")
        chosen, rejected = str(last.get("correct")), str(first.get("incorrect"))
        if reason is None and normalised(chosen) == normalised(rejected):
            reason = EQUAL
        if reason is None:
            text = prompts["train"].render(question=question).strip()
            rows.append(Preference(text, prompts["train"].cue, chosen, rejected, digest))
        else:
            dropped[str(reason)] += 1
    return Preferences(rows, dropped)


def _ask(stage: str, question: str, prompts: Prompts) -> Question:
    told = prompts[stage]
    text = told.render(question=question).strip()
    until = tuple(stop for stop in told.until if stop not in question)
    return Question(stage, text, told.cue, until, told.max_tokens)
