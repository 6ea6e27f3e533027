"""One document under a faithfulness check: what the three checks do alike."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from harness.checks.trial import Trial
from harness.domains import Item
from harness.parsing import Reading
from harness.questions import Dialogue, Outcome, Question, Step
from harness.words import Word, split_words

T = TypeVar("T")


@dataclass(frozen=True)
class Prompt:
    """How one kind of question is put.

    Attributes:
        render: fills the template with what is known of the document.
        cue, until: see `Question`; a stop string that the text itself holds does not count, or a
            rewrite of it would break off there.
        max_tokens: longest answer, in tokens, for a text of no words.
        tokens_per_word: added for every word of the text, where the answer repeats the text.
    """

    render: Callable[..., str]
    cue: str = ""
    until: tuple[str, ...] = ()
    max_tokens: int = 64
    tokens_per_word: float = 0.0

    def room(self, words: int) -> int:
        """Tokens allowed for an answer; in two steps an octave: documents are to share batches."""
        if not self.tokens_per_word:
            return self.max_tokens
        wanted = math.ceil(self.max_tokens + self.tokens_per_word * words)
        step = 1 << max(0, wanted.bit_length() - 2)
        return step * math.ceil(wanted / step)


@dataclass(frozen=True)
class Intervention:
    """A changed text.

    Attributes:
        text: the changed text.
        size: how many words of the original it changed.
        control: a text changed as much, but not by the explanation; None if there is none, and
            then nothing can be learnt from the intervention.
        holds: says whether a label read from the changed text is what the explanation announced.
    """

    text: str
    size: int
    control: str | None
    holds: Callable[[str], bool]


def unless_cut_off(answer: object, reading: Reading[T]) -> Reading[T]:
    """Give what was read from a rewritten text, unless it broke off: its end is not a deletion."""
    return Reading.unreadable("cut off") if getattr(answer, "cut_off", False) else reading


@dataclass
class Case:
    """One document, how it is asked about, and what was read so far.

    Attributes:
        item: the document.
        doc_hash: seeds what is drawn at random.
        predict: how the text is asked about.
        explain: how the explanation is asked for.
        mask: the word that stands for a masked one.
        explicit: an edit is asked for with the answer it should lead to, not for any other answer.
        foreign_word: draws a word of another document of the set, unlike the given one; None if
            there is none.
        read: stage -> what was read, for the record.
    """

    item: Item
    doc_hash: str
    predict: Prompt
    explain: Prompt
    mask: str
    explicit: bool
    foreign_word: Callable[[random.Random, str], str | None]
    read: dict[str, object] = field(default_factory=dict)

    @cached_property
    def words(self) -> list[Word]:
        """The words of the text."""
        return split_words(self.item.text, self.mask)

    @property
    def budget(self) -> int:
        """Most words an intervention may change: half of them, at least one."""
        return min(len(self.words), max(1, len(self.words) // 2))

    @cached_property
    def rng(self) -> random.Random:
        """Randomness that depends on the document alone."""
        return random.Random(self.doc_hash)

    def ask(self, stage: str, text: str) -> Question:
        """Ask about a text."""
        return self._question(stage, self.predict, text, {})

    def ask_to_explain(self, **slots: str) -> Question:
        """Ask for the explanation of the document's answer."""
        return self._question("explain", self.explain, self.item.text, slots)

    def _question(
        self, stage: str, prompt: Prompt, text: str, slots: Mapping[str, str]
    ) -> Question:
        filled = prompt.render(text=text, **self.item.slots, **slots)
        until = tuple(stop for stop in prompt.until if stop not in text.strip())
        return Question(stage, filled.strip(), prompt.cue, until, prompt.room(len(self.words)))

    def note(self, stage: str, reading: Reading[str]) -> str | None:
        """Keep what was read from an answer for the record, and give its value."""
        self.read[stage] = (
            reading.value if reading.reason is None else {"unreadable": reading.reason}
        )
        return reading.value

    def first_answer(self) -> Step[str | None]:
        """Ask about the text as it is: the label, definite or not, or None if unreadable."""
        return self.note(
            "predict", self.item.read(str((yield self.ask("predict", self.item.text))))
        )

    def is_definite(self, label: str | None) -> bool:
        """Say whether a label is one of the definite ones."""
        return label in self.item.labels

    def judge(self, first: str | None, change: Intervention | None = None) -> Dialogue:
        """Ask about the changed text and its control, and score the document.

        Args:
            first: the first answer.
            change: the intervention, None if none could be read (or none was asked for).
        """
        if change is None:
            return Outcome(self._trial(first).metrics(), self.read)
        fault = self._fault(change)
        valid = fault is None
        self.read["intervention"] = {
            "words": len(self.words),
            "changed": change.size,
            "fault": fault,
        }
        questions = [self.ask("verify", change.text)]
        if valid and change.control is not None:
            questions.append(self.ask("control", change.control))
        answers = yield questions
        labels = [
            self.note(question.stage, self.item.read(answer))
            for question, answer in zip(questions, answers, strict=True)
        ]
        verify, control = [None if label is None else change.holds(label) for label in labels] + (
            [] if valid else [None]
        )
        trial = replace(
            self._trial(first),
            valid=valid,
            holds=verify,
            control_holds=control,
            size=change.size / max(1, len(self.words)),
        )
        self.read["verdict"] = {"verify": verify, "control": control}
        return Outcome(trial.metrics(), self.read)

    def _fault(self, change: Intervention) -> str | None:
        if change.size == 0:
            return "no word changed"
        if change.size > self.budget:
            return "over budget"
        return "no control of the kind and size" if change.control is None else None

    def _trial(self, first: str | None) -> Trial:
        return Trial(correct=first == self.item.gold, committed=self.is_definite(first))
