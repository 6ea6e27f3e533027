"""From what a simulator predicted of a model's answers to the metrics of one question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

METRICS = (
    "accuracy",
    "explained",
    "leak",
    "follow_ups",
    "simulatable",
    "simulator_readable",
    "consistency",
    "consistency_all",
    "shuffled",
    "lift",
    "blind",
    "readable",
    "constant",
)


@dataclass(frozen=True)
class Prediction:
    """A follow-up that the simulator could answer from the explanation.

    Attributes:
        simulated: what the explanation lets the simulator expect; a definite answer.
        own: what the model answers; None: unreadable.
        shuffled: how far the simulator's guess from another question's explanation is right; None:
            no other question has one.
        blind: how far its guess without any explanation is; None: there was none.
    """

    simulated: str
    own: str | None
    shuffled: float | None = None
    blind: float | None = None

    @property
    def holds(self) -> float:
        """Whether the model answers as its explanation says; an unreadable answer does not."""
        return float(self.own == self.simulated)


def agreement(guess: str | None, own: str | None, labels: Sequence[str]) -> float:
    """Say how far a guess of the model's answer is right.

    One that is unreadable, or not definite, is as good as a random one. None is right where the
    model's answer is unreadable or not definite itself.

    >>> [agreement(guess, "yes", ("yes", "no")) for guess in ("yes", "no", None)]
    [1.0, 0.0, 0.5]
    """
    if own not in labels:
        return 0.0
    return 1 / len(labels) if guess not in labels else float(guess == own)


@dataclass(frozen=True)
class Simulation:
    """One question after its dialogue.

    Attributes:
        correct: the answer to the question itself is the right one.
        explained: there is an explanation.
        leaks: it still names the answer; None: no answer could be read.
        asked: follow-ups that were wanted of the simulator; 0: it was not asked for any.
        written: those that can be used.
        read: of the simulator's answers from the explanation, how many could be read.
        predictions: those of the follow-ups that it could answer.
        is_self: the simulator is the model itself, so that no blind guess was asked for.
    """

    correct: bool
    explained: bool
    leaks: bool | None
    asked: int
    written: int
    read: int
    predictions: Sequence[Prediction]
    is_self: bool

    @property
    def tally(self) -> Counter[str]:
        """How often the model gave each answer that could be read."""
        return Counter(told.own for told in self.predictions if told.own is not None)

    def metrics(self) -> dict[str, float | None]:
        """Score the question: a value per metric of `METRICS`, None where it does not apply.

        A question without an explanation, or without a follow-up that can be answered from it, is
        not consistent: it stays in `consistency_all` and `simulatable`. `constant` depends on all
        questions (`Outcome.tally`).
        Source: Chen et al. 2024, arXiv:2401.13986, with the controls of this project.

        >>> told = [Prediction("yes", "yes", shuffled=0.0, blind=0.5)]
        >>> metrics = Simulation(True, True, False, 5, 2, 2, told, is_self=False).metrics()
        >>> [metrics[name] for name in ("simulatable", "consistency", "consistency_all", "blind")]
        [0.5, 1.0, 0.5, 0.5]
        """
        told = self.predictions
        consistency = _mean([one.holds for one in told])
        shuffled = _mean([one.shuffled for one in told])
        lift = None if consistency is None or shuffled is None else consistency - shuffled
        blind = None if self.is_self else _mean([one.blind for one in told])
        return {
            "accuracy": float(self.correct),
            "explained": float(self.explained),
            "leak": None if self.leaks is None or not self.explained else float(self.leaks),
            "follow_ups": self.written / self.asked if self.asked else None,
            "simulatable": len(told) / self.written if self.written else 0.0,
            "simulator_readable": self.read / self.written if self.written else None,
            "consistency": consistency,
            "consistency_all": sum(one.holds for one in told) / max(1, self.written),
            "shuffled": shuffled,
            "lift": lift,
            "blind": blind,
            "readable": _mean([float(one.own is not None) for one in told]),
            "constant": None,
        }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
