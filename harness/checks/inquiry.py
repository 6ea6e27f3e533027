"""One question whose explanation is put to the test: what is asked of model and simulator."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.checks.case import Prompt
from harness.domains import Posed
from harness.parsing import Reading
from harness.questions import MODEL, SIMULATOR, Question

SLOTS: Mapping[str, tuple[str, ...]] = {
    "explain": ("question", "answers"),
    "follow_ups": ("asked", "explanation", "count", "options"),
    "simulate": ("asked", "explanation", "question", "answers"),
    "guess": ("asked", "explanation", "question", "answers"),
}
"""Stage -> what its prompt may show. The model is asked to explain, the simulator all else."""


class FollowUp(NamedTuple):
    """A related question, and the simulator's guess without any explanation if it is known."""

    posed: Posed
    blind: str | None = None


@dataclass
class Inquiry:
    """One question, how it is asked about, and what was read so far.

    Attributes:
        asked: the question.
        right: its right labels: more than one where options say the same.
        strangers: other questions of the set; the explanation of the first that has one is the
            control.
        prompts: one for each stage of `SLOTS`; the token limit of `follow_ups` is for one of them.
        count: follow-ups wanted of the simulator.
        is_self: the simulator is the model itself.
        frozen: follow-ups written earlier, with blind guesses; None: the simulator writes some.
        read: stage -> what was read, for the record.
    """

    asked: Posed
    right: Collection[str]
    strangers: Sequence[Posed]
    prompts: Mapping[str, Prompt]
    count: int
    is_self: bool
    frozen: Sequence[FollowUp] | None = None
    read: dict[str, object] = field(default_factory=dict)

    def ask(self, stage: str, posed: Posed) -> Question:
        """Ask the model to explain and answer."""
        slots = {"question": posed.text, "answers": posed.answers}
        return self._question("explain", stage, slots, MODEL)

    def ask_stranger(self, place: int) -> Question:
        """Ask the model to explain and answer one of the strangers."""
        return self.ask(f"explain another {place + 1}", self.strangers[place])

    def ask_to_write(self, explanation: str) -> Question:
        """Ask the simulator for follow-ups."""
        slots = {
            "asked": self.asked.text,
            "explanation": explanation,
            "count": str(self.count),
            "options": str(len(self.asked.options)),
        }
        return self._question("follow_ups", "follow_ups", slots, times=self.count)

    def ask_to_simulate(self, n: int, posed: Posed, explanation: str) -> Question:
        """Ask the simulator what follows from the explanation: an answer, or unknown."""
        return self._predict("simulate", f"simulate {n}", posed, self.asked.text, explanation)

    def ask_to_guess(self, n: int, posed: Posed) -> Question:
        """Ask the simulator for the likeliest answer, without any explanation."""
        return self._predict("guess", f"blind {n}", posed)

    def ask_to_guess_shuffled(self, n: int, posed: Posed, other: Posed, told: str) -> Question:
        """Ask it for the likeliest answer, given the explanation of another question."""
        return self._predict("guess", f"shuffled {n}", posed, other.text, told)

    def _predict(
        self, prompt: str, stage: str, posed: Posed, asked: str = "", explanation: str = ""
    ) -> Question:
        slots = {"asked": asked, "explanation": explanation}
        slots |= {"question": posed.text, "answers": posed.answers}
        return self._question(prompt, stage, slots)

    def _question(
        self, prompt: str, stage: str, slots: Mapping[str, str], to: str = SIMULATOR, times: int = 1
    ) -> Question:
        told = self.prompts[prompt]
        text = told.render(**slots).strip()
        return Question(stage, text, told.cue, told.until, told.max_tokens * times, to)

    def note(self, stage: str, reading: Reading[str]) -> str | None:
        """Keep what was read from an answer for the record, and give its value."""
        self.read[stage] = (
            reading.value if reading.reason is None else {"unreadable": reading.reason}
        )
        return reading.value
