"""One question, one answer, judged: words from a passage, or a label."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.domains import Posed
from harness.parsing import Reading, read_chosen, read_extracted
from harness.parsing.squad import exact_match, token_f1
from harness.questions import Dialogue, Outcome, Question

EXTRACTED = (
    "exact", "f1", "exact_has_answer", "f1_has_answer", "f1_no_answer", "readable",
    "no_answer_given",
)  # fmt: skip
CHOSEN = ("accuracy", "readable", "constant")


def extract(question: Question, golds: Sequence[str]) -> Dialogue:
    """Ask for words of a passage, and compare them with the right ones.

    `exact`, `f1`: by the rules of SQuAD 2.0; an unreadable answer is wrong, also where there is
    none to give. `exact_has_answer`, `f1_has_answer`, `f1_no_answer`: the same over the documents
    with and without an answer; `f1_no_answer` is the share that was recognised. `no_answer_given`:
    the share of readable answers that say there is none; near 1, the model says little else.
    Source: Rajpurkar et al. 2018, arXiv:1806.03822.

    Args:
        golds: the right answers; none: the passage does not answer.
    """
    reading = read_extracted(str((yield question)))
    exact = f1 = 0.0
    if reading.value is not None:
        exact, f1 = exact_match(reading.value, golds), token_f1(reading.value, golds)
    metrics = {
        "exact": exact,
        "f1": f1,
        "exact_has_answer": exact if golds else None,
        "f1_has_answer": f1 if golds else None,
        "f1_no_answer": None if golds else f1,
        "readable": float(reading.value is not None),
        "no_answer_given": None if reading.value is None else float(reading.value == ""),
    }
    return Outcome(metrics, {question.stage: _told(reading)})


def choose(question: Question, posed: Posed, right: Collection[str]) -> Dialogue:
    """Ask for a label, and see whether it is a right one; an unreadable answer is wrong.

    `constant` depends on all documents (`Outcome.tally`).

    Args:
        posed: what is asked.
        right: the labels that are right: more than one where options say the same.
    """
    reading = read_chosen(str((yield question)), posed.forms)
    metrics = {
        "accuracy": float(reading.value in right),
        "readable": float(reading.value is not None),
        "constant": None,
    }
    tally = {} if reading.value is None else {reading.value: 1}
    return Outcome(metrics, {question.stage: _told(reading)}, tally)


def _told(reading: Reading[str]) -> object:
    return reading.value if reading.reason is None else {"unreadable": reading.reason}
