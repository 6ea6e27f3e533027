"""Samples made up, as our checks, lm-eval's tasks and imports of other tasks leave them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from harness.checks.trial import Trial

Say = Callable[[str, int], str]
"""Gives a text by its place ("prompt", "answer", ...) and a number, its place among those."""
Sample = dict[str, Any]
LABELS = ("positive", "negative", "unknown")
MASK = "[REDACTED]"
FOLLOW_UPS = 2
METRICS = 20
"""So many of an imported task's have names that are texts."""
WORDS = (
    "the film was a slow and tender story of two sisters who leave their village for work by the "
    "sea and find that nothing they were told about it is true though the music is lovely"
).split()
LENGTHS = {"prompt": 150, "answer": 30, "edit": 60, "document": 60, "explanation": 40}
"""Words of the texts that are more than a name."""
RISES = dict.fromkeys(
    (
        "accuracy", "faithfulness", "lift", "lift_all", "readable", "paper_faithfulness",
        "explained", "simulatable", "consistency", "consistency_all", "acc", "exact", "f1", "score",
    ),
    True,
)  # fmt: skip
"""Metrics of which more is better; of the others that is not told."""


def words(place: str, number: int) -> str:
    """Say something harmless, longer where a text would be."""
    start = (7 * number + len(place)) % len(WORDS)
    count = LENGTHS.get(place, 2)
    told = [*WORDS[start:], *WORDS * (1 + count // len(WORDS))]
    return " ".join([place, str(number), *told[:count]])


class Case(NamedTuple):
    """A document of a task, as a model answers it; texts of it come by `of_model` or `of_all`."""

    say: Say
    rng: np.random.Generator
    task: int
    number: int
    place: int

    def of_model(self, place: str, part: int = 0) -> str:
        """A text of the model's own."""
        return self.say(place, self.number + part)

    def of_all(self, place: str, part: int = 0) -> str:
        """A text that all models have the same."""
        return self.say(place, self.place + part)

    def flag(self) -> bool:
        """Yes or no."""
        return bool(self.rng.random() < 0.6)


def stage(case: Case, name: str, part: int, to: str = "model") -> dict[str, Any]:
    """A question and its answer."""
    return {
        "stage": name,
        "to": to,
        "prompt": case.of_model("prompt", part),
        "answer": case.of_model("answer", part),
        "prompt_cut": case.flag(),
        "answer_cut": case.flag(),
        "tokens_in": 20,
        "tokens_out": 5,
    }


def faithful(case: Case, explanation: object) -> Sample:
    """A dialogue of a faithfulness check; now and then one that ends early."""
    trial = Trial(
        correct=case.flag(),
        committed=case.rng.random() < 0.9,
        valid=case.flag(),
        holds=None if case.rng.random() < 0.1 else case.flag(),
        control_holds=case.flag(),
        size=0.25,
    )
    if not trial.committed:
        read = {"predict": {"unreadable": case.of_model("unreadable")}}
        early = Trial(trial.correct, committed=False)
        return {"stages": [stage(case, "predict", 0)], "read": read, "metrics": early.metrics()}
    names = ("predict", "explain", "verify", *(["control"] if trial.valid else []))
    read = {
        "predict": LABELS[0],
        "explain": explanation,
        "intervention": {
            "words": 8,
            "changed": 2,
            "fault": None if trial.valid else case.of_model("fault"),
        },
        "verify": LABELS[1] if trial.holds is not None else {"unreadable": "no label"},
        "control": case.of_model("label"),
        "verdict": {"verify": trial.holds, "control": trial.control_holds},
    }
    stages = [stage(case, name, part) for part, name in enumerate(names)]
    for changed, word in zip(stages[2:], (MASK, case.of_model("foreign word")), strict=False):
        changed["prompt"] = replaced(stages[0]["prompt"], word)
    return {"stages": stages, "read": read, "metrics": trial.metrics()}


def replaced(text: str, word: str) -> str:
    """The text with its middle word replaced."""
    told = text.split(" ")
    told[len(told) // 2] = word
    return " ".join(told)


def counterfactual(case: Case) -> Sample:
    return faithful(case, case.of_model("edit"))


def listed(case: Case) -> Sample:
    return faithful(case, [case.of_model("word"), case.of_model("word", 1)])


def consistent(case: Case) -> Sample:
    """A dialogue with a simulator; what is not counted here has values of its own."""
    kinds = (("simulate", "simulator"), ("answer", "model"), ("shuffled", "simulator"))
    kinds += (("blind", "simulator"),)
    asked = [("explain", "model"), ("explain another 1", "model"), ("follow_ups", "simulator")]
    asked += [(f"{kind} {n}", to) for kind, to in kinds for n in range(1, FOLLOW_UPS + 1)]
    read: dict[str, Any] = {
        f"{kind} {n}": case.of_model("label", n) for kind, _ in kinds for n in (1, 2)
    }
    read |= {
        "explain": case.of_model("label"),
        "explanation": case.of_model("explanation"),
        "follow_ups": [case.of_model("follow-up", part) for part in range(FOLLOW_UPS)],
        "dropped": {case.of_model("dropped"): 1},
    }
    names = ("accuracy", "explained", "consistency", "shuffled", "lift", "blind", "readable")
    metrics = {name: float(case.flag()) for name in names}
    metrics["lift"] = metrics["consistency"] - metrics["shuffled"]
    stages = [stage(case, name, part, to) for part, (name, to) in enumerate(asked)]
    return {"stages": stages, "read": read, "metrics": metrics}


def answered(case: Case) -> Sample:
    """One question, one answer."""
    read = {"answer": case.of_model("label")}
    metrics = {"exact": float(case.flag()), "f1": float(case.rng.random()), "readable": 1.0}
    return {"stages": [stage(case, "answer", 0)], "read": read, "metrics": metrics}


def chosen(case: Case) -> Sample:
    """Choices with their scores, and without the question."""

    def choices(kind: str) -> list[dict[str, Any]]:
        return [
            {
                "choice": case.of_all(kind, n),
                "score": -1.0 - float(case.rng.random()),
                "greedy": n == 0,
            }
            for n in range(3)
        ]

    right, blind = float(case.flag()), float(case.flag())
    return {
        "prompt": case.of_model("prompt"),
        "choices": choices("choice"),
        "answer_only_prompt": case.of_model("prompt", 1),
        "answer_only": choices("choice"),
        "metrics": {"acc": right, "acc_answer_only": blind, "lift": right - blind, "ties": 0.0},
    }


def imported(case: Case) -> Sample:
    """A task of somebody else, as lm-eval wrote it."""
    return {
        "asked": [
            [case.of_model("prompt"), case.of_model("argument")],
            [case.of_model("prompt", 1)],
        ],
        "answers": [[case.of_model("answer"), [case.of_model("answer", 1), "False"]]],
        "metrics": {
            "score": float(case.rng.random()),
            **{
                case.say("metric", METRICS * case.task + part): float(case.flag())
                for part in range(METRICS)
            },
        },
    }


class Kind(NamedTuple):
    """How samples are made, and the metric that ranks."""

    make: Callable[[Case], Sample]
    headline: str | None


KINDS: Mapping[str, Kind] = {
    "counterfactual": Kind(counterfactual, "lift_all"),
    "redaction": Kind(listed, "lift_all"),
    "importance": Kind(listed, "lift_all"),
    "consistency": Kind(consistent, "lift"),
    "truthfulqa": Kind(chosen, "lift"),
    "answers": Kind(answered, "f1"),
    "imported": Kind(imported, "score"),
}


def make(
    kind: str, documents: int, say: Say, rng: np.random.Generator, where: tuple[int, int]
) -> list[Sample]:
    """Make up the samples of a task.

    Args:
        rng: what the values are drawn from.
        where: numbers of the model and of the task.
    """
    model, task = where
    rows = []
    for number in range(documents):
        place = task * documents + number
        case = Case(say, rng, task, model * documents + place, place)
        digest = hashlib.sha256(f"{task} {number}".encode()).hexdigest()
        rows.append(
            {
                "doc_id": number,
                "doc_hash": digest,
                "cluster": f"{case.of_all('cluster')} {number // 2}",
                "doc": {
                    "text": case.of_all("document"),
                    case.of_all("column"): case.of_all("cell"),
                    "nested": {"choices": [case.of_all("option"), 3, None, True]},
                },
                "target": case.of_all("target"),
                **KINDS[kind].make(case),
            }
        )
    return rows
