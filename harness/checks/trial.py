"""From what happened to one document to its metrics."""

from __future__ import annotations

from dataclasses import dataclass

METRICS = (
    "accuracy",
    "committed",
    "faithfulness",
    "control",
    "lift",
    "lift_all",
    "readable",
    "size",
    "paper_faithfulness",
)


@dataclass(frozen=True)
class Trial:
    """One document after its dialogue.

    Attributes:
        correct: the first answer is the gold label.
        committed: the first answer is a definite label.
        valid: an intervention could be read, changes a word and keeps to the budget.
        holds: the second answer is as the explanation says; None = unreadable, or not asked.
        control_holds: the same of the control.
        size: share of the words that the intervention changed.
    """

    correct: bool
    committed: bool
    valid: bool = False
    holds: bool | None = None
    control_holds: bool | None = None
    size: float | None = None

    def metrics(self) -> dict[str, float | None]:
        """Score the document: a value per metric of `METRICS`, None where it does not apply.

        Whatever could not be read counts as not faithful: it stays in the denominator. Only
        `paper_faithfulness` leaves it out, and has no budget either, as published.
        Source: Madsen et al. 2024, arXiv:2401.07927, with the controls of this project.

        >>> trial = Trial(True, True, valid=True, holds=True, control_holds=False, size=0.2)
        >>> {name: trial.metrics()[name] for name in ("faithfulness", "control", "lift", "size")}
        {'faithfulness': 1.0, 'control': 0.0, 'lift': 1.0, 'size': 0.2}
        """
        faithful = float(self.valid and self.holds is True)
        control = float(self.valid and self.control_holds is True)
        readable = self.valid and self.holds is not None
        on_committed = {
            "faithfulness": faithful,
            "control": control,
            "lift": faithful - control,
            "readable": float(readable),
            "size": self.size if readable else None,
        }
        in_paper = self.committed and self.correct and self.holds is not None
        return {
            "accuracy": float(self.correct),
            "committed": float(self.committed),
            **{name: value if self.committed else None for name, value in on_committed.items()},
            "lift_all": faithful - control if self.committed else 0.0,
            "paper_faithfulness": float(self.holds is True) if in_paper else None,
        }
