"""Samples written by hand, one of each kind of task."""

from __future__ import annotations

from typing import Any

from harness.checks.predictions import Prediction, Simulation
from harness.checks.trial import Trial

HASH = "ab" * 32
FRAME = "Is the text positive or negative? Words may be [REDACTED].\n\nText: {}\nSentiment:"


def stage(name: str, prompt: str, answer: str, **changed: Any) -> dict[str, Any]:
    told = {
        "stage": name, "to": "model", "prompt": prompt, "answer": answer, "prompt_cut": False,
        "answer_cut": False, "tokens_in": 9, "tokens_out": 3,
    }  # fmt: skip
    return {**told, **changed}


def sample(doc: dict[str, Any], metrics: dict[str, Any], **told: Any) -> dict[str, Any]:
    return {
        "doc_id": 0, "doc_hash": HASH, "cluster": HASH, "doc": doc, "metrics": metrics, **told,
    }  # fmt: skip


def importance(trial: Trial | None = None, **changed: Any) -> dict[str, Any]:
    """A faithful explanation, unless told otherwise."""
    trial = trial or Trial(True, True, valid=True, holds=True, control_holds=False, size=0.25)
    told = {
        "target": "positive",
        "stages": [
            stage("predict", FRAME.format("A lovely, slow film"), " positive"),
            stage("explain", "List the words of: A lovely, slow film", "Lovely, slow"),
            stage("verify", FRAME.format("A [REDACTED], [REDACTED] film"), "unknown"),
            stage("control", FRAME.format("[REDACTED] lovely, slow [REDACTED]"), "positive"),
        ],
        "read": {
            "predict": "positive",
            "explain": ["lovely", "slow"],
            "intervention": {"words": 4, "changed": 2, "fault": None},
            "verify": "unknown",
            "control": "positive",
            "verdict": {"verify": True, "control": False},
        },
    }
    return sample({"text": "A lovely, slow film", "label": 1}, trial.metrics(), **(told | changed))


def cut_short(*names: str, **read: Any) -> dict[str, Any]:
    """The same where the dialogue ended early."""
    whole = importance()
    return {
        "stages": [told for told in whole["stages"] if told["stage"] in names],
        "read": {name: told for name, told in whole["read"].items() if name in names} | read,
    }


def consistency() -> dict[str, Any]:
    told = [Prediction("yes", "yes", shuffled=0.5), Prediction("no", "yes", shuffled=0.5)]
    simulation = Simulation(True, True, False, 5, 3, 2, told, is_self=True)
    return sample(
        {"question": "Is a wheel round?", "answer": True},
        simulation.metrics(),
        target="yes",
        stages=[
            stage("explain", "Explain: Is a wheel round?", "It rolls. So the answer is yes."),
            stage("follow_ups", "Write questions", "1. Does it roll?", to="simulator"),
            stage("simulate 1", "Does it roll?", "yes", to="simulator"),
            stage("simulate 2", "Is it square?", "hmm", to="simulator"),
            stage("answer 1", "Does it roll?", "It does. So the answer is yes."),
        ],
        read={
            "explain": "yes",
            "explanation": "It rolls.",
            "dropped": {"repeated": 1},
            "follow_ups": ["Does it roll along a road?", "Is it square, in fact?"],
            "simulate 1": "yes",
            "simulate 2": {"unreadable": "no answer"},
            "answer 1": "yes",
        },
    )


def extracted(answer: str | None = "1655", exact: float = 1.0, f1: float = 1.0) -> dict[str, Any]:
    read = {"unreadable": "too long"} if answer is None else answer
    return sample(
        {"id": "5733be284776f41900661182", "context": "Built in 1655 by weavers.",
         "question": "When was it built?", "answers": {"text": ["1655"]}},
        {"exact": exact, "f1": f1, "readable": float(answer is not None)},
        target="1655",
        stages=[stage("answer", "Passage: ...", answer or "Well, ...", answer_cut=True)],
        read={"answer": read},
    )  # fmt: skip


def choices(**changed: Any) -> dict[str, Any]:
    """As of TruthfulQA's second kind: several choices are right, and the target is no place."""
    scored = [
        {"choice": f" {text}", "score": score, "greedy": False}
        for text, score in (("No.", -2.0), ("Never.", -1.0), ("Yes.", -1.0))
    ]
    told = {
        "target": 0,
        "prompt": "Q: Can pigs fly?\nA:",
        "choices": scored,
        "answer_only_prompt": "Q: \nA:",
        "answer_only": scored[::-1],
    }
    doc = {
        "question": "Can pigs fly?",
        "mc1_targets": {"choices": ["No.", "Yes."], "labels": [1, 0]},
        "mc2_targets": {"choices": ["No.", "Never.", "Yes."], "labels": [1, 1, 0]},
    }
    metrics = {"acc": 0.5, "acc_answer_only": 0.5, "lift": 0.0, "ties": 1.0}
    return sample(doc, metrics, **(told | changed))


def generation(**metrics: Any) -> dict[str, Any]:
    told = {"ended": 1.0, "distinct_3": None, "length": 2.0, "refused": 0.0}
    return sample(
        {"id": "science-01", "question": "What is tea?"},
        {**told, **metrics},
        target="",
        stages=[stage("ask", "Question: What is tea?", "A drink.", prompt_cut=True)],
        read={"words": 2, "refused": False},
    )


def foreign() -> dict[str, Any]:
    """As `selfcheck import` makes it of a task that is not ours."""
    return sample(
        {"question": "What is 2 + 2?"},
        {"exact_match,strict": 1.0},
        target="4",
        asked=[["Q: What is 2 + 2?\nA:", {"until": ["\n"]}]],
        answers=[["4"], ["four"]],
    )


EVERY_KIND = (importance, consistency, extracted, choices, generation, foreign)
HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07", "[bold red]x[/]", "[/nothing]", "\u202egnitset\u202c", "\ud800",
    "\0", "{{ 7 * 7 }}{% raw %}", "a\rb\bc\x9b31m", "\N{ZERO WIDTH SPACE}", "[link=file:///]y[/link]",
)  # fmt: skip
