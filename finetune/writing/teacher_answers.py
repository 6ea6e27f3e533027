"""What a teacher answers with an explanation: asked, read, and held to what can be learnt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from finetune.split import normalised, split
from finetune.writing.prompt_files import Prompts
from harness.domains import Posed, Questions
from harness.parsing import names_label, read_explained
from harness.questions import Question, Step

CUT_OFF = "cut off"
UNREADABLE = "unreadable answer"
UNKNOWN = "unknown answer"
NO_EXPLANATION = "no explanation"
COPIED = "copied from the prompt"
CONTRADICTS = "contradicts itself"
WRONG = "wrong answer"

SHORTEST_COPY = 4
"""Words of an explanation that is compared with those of the prompt."""
_ENDED = re.compile(r"[.!?…][\"'”’)\]]*\Z")

Slots = Mapping[str, Sequence[str]]
"""Stage -> what its prompt may show."""


@dataclass(frozen=True)
class Answered:
    """A question, the label of its right answer, and of all options that say the same."""

    posed: Posed
    label: str
    right: frozenset[str]

    @classmethod
    def of(cls, doc: Mapping[str, Any], questions: Questions) -> Answered:
        """Take it out of a document without problems."""
        return cls(questions.posed(doc), questions.gold(doc), questions.right(doc))


@dataclass(frozen=True)
class Reasoned:
    """A question, the explanation of its answer (without a closing statement), and the answer."""

    posed: Posed
    explanation: str
    label: str


class Told(NamedTuple):
    """An answer of the teacher; `fault`: why it cannot be used, or None."""

    explanation: str
    label: str
    fault: str | None


def ask(prompts: Prompts, stage: str, number: int = 0, times: int = 1, **slots: str) -> Question:
    """Put the question of a stage.

    Args:
        number: where a dialogue asks several of the stage.
        times: how much longer than the prompt has it the answer may be.
        slots: what the prompt shows.
    """
    told = prompts[stage]
    name = f"{stage} {number}" if number else stage
    text = told.render(**slots).strip()
    return Question(name, text, told.cue, told.until, told.max_tokens * times)


def read_told(answer: object, posed: Posed, prompts: Prompts, stage: str, slots: Slots) -> Told:
    """Read an explanation and its answer, which must be definite.

    Args:
        answer: of the teacher (`harness.questions.Answer`).
        posed: what it answers.
        prompts, stage: what it was asked with.
        slots: of all stages.
    """
    told = read_explained(str(answer), posed.forms)
    explanation, label = one_line(told.explanation), told.label.value or ""
    examples = prompts[stage].render(**dict.fromkeys(slots[stage], ""))
    fault = (
        (CUT_OFF if is_cut_off(answer) else None)
        or (None if label else UNREADABLE)
        or (None if label in posed.labels else UNKNOWN)
        or (None if explanation else NO_EXPLANATION)
        or (CONTRADICTS if contradicts(explanation, label, posed) else None)
        or (COPIED if is_copied(explanation, examples) else None)
    )
    return Told(ended(explanation), label, fault)


def explain_right(
    question: Question, known: Answered, prompts: Prompts, slots: Slots
) -> Step[Told]:
    """Let the teacher explain its answer; that it is wrong is a fault, too.

    Args:
        question: as it is put; its stage is that of its prompt.
        known: what is to be answered, and how.
        prompts: that it was put with.
        slots: of all stages.
    """
    answer = yield question
    told = read_told(answer, known.posed, prompts, question.stage, slots)
    fault = told.fault or (None if told.label in known.right else WRONG)
    return told._replace(fault=fault)


def contradicts(explanation: str, label: str, posed: Posed) -> bool:
    """Find "No, pears float. So the answer is yes."; options that are not taken may be named."""
    named = {one for one in posed.labels if names_label(explanation, one, posed.forms)}
    return not posed.options and bool(named) and label not in named


def is_cut_off(answer: object) -> bool:
    """Say whether an answer reached its limit before it ended."""
    return bool(getattr(answer, "cut_off", False))


def closed(explanation: str, label: str) -> str:
    """Write an answer as it is learnt: the explanation, then the answer."""
    return f"{explanation} So the answer is {label}."


def one_line(text: str) -> str:
    """Put a text on one line."""
    return " ".join(text.split())


def ended(text: str) -> str:
    """End a text with a full stop where nothing ends it."""
    return text if not text or _ENDED.search(text) else f"{text.rstrip(' ,;:-–—')}."


def is_copied(explanation: str, examples: str) -> bool:
    """Say whether the prompt's own examples hold an explanation."""
    return len(split(explanation)) >= SHORTEST_COPY and (
        normalised(explanation) in normalised(examples)
    )
