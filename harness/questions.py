"""What a check says to a model: questions, and the generator that asks them.

A protocol is a generator: it yields one `Question`, or a list of independent ones that may be
answered together, receives the answer or the list of answers, and returns an `Outcome`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TypeVar

MODEL = "model"
SIMULATOR = "simulator"
SELF = "self"
"""Who the simulator is where it is the model under test."""
LABELS = ("unknown", "yes", "no", *ascii_uppercase)
"""The answers that `Outcome.tally` counts."""


@dataclass(frozen=True)
class Question:
    """One question in a fresh conversation: nobody sees earlier questions or answers.

    Attributes:
        stage: what the question is for, unique within a dialogue: a word ("predict", "explain"),
            and a number where there are several ("simulate 3").
        text: the user's turn.
        cue: appended for a model without a chat template, where it goes on writing.
        until: strings that end the answer of a model without a chat template.
        max_tokens: longest answer, in tokens.
        to: who is asked; `MODEL` is the model under test, `SIMULATOR` may be another one.
    """

    stage: str
    text: str
    cue: str = ""
    until: tuple[str, ...] = ()
    max_tokens: int = 64
    to: str = MODEL


def plain_prompt(text: str, cue: str) -> str:
    """Write a question for a model without a chat template: the cue is where it goes on."""
    return f"{text}\n{cue}" if cue else text


class Answer(str):
    """An answer; `cut_off` if it reached its limit of tokens before it ended by itself.

    None where nobody can tell: the backend does not show its tokens.
    """

    cut_off: bool | None

    def __new__(cls, text: str, cut_off: bool | None = False) -> Answer:
        """Make the answer."""
        self = super().__new__(cls, text)
        self.cut_off = cut_off
        return self


@dataclass(frozen=True)
class Outcome:
    """What a dialogue found out about one document.

    Attributes:
        metrics: a value for every metric of the check; None where it does not apply.
        read: per stage, what was read from the answer (JSON-able), for the record.
        tally: how often the document had each of `LABELS`. The metric `constant` of a document
            that had any becomes its share of the label that is most frequent in the whole task.
    """

    metrics: Mapping[str, float | None]
    read: Mapping[str, object] = field(default_factory=dict)
    tally: Mapping[str, int] = field(default_factory=dict)


T = TypeVar("T")
Asked = Question | list[Question]
Step = Generator[Asked, "str | list[str]", T]
"""A part of a dialogue that ends with a T."""
Dialogue = Step[Outcome]
