"""Explanations to distil: a teacher writes them, or the data set has them.

Source: Li et al. 2022, arXiv:2210.06726 (CoTE, RP, CROP). Differs: the words and examples of the
prompts; a teacher that is told the right answer must close with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from finetune.writing.closings import drop_closings
from finetune.writing.prompt_files import Prompts, read_prompts
from finetune.writing.teacher_answers import (
    CONTRADICTS,
    NO_EXPLANATION,
    WRONG,
    Answered,
    Slots,
    Told,
    ask,
    contradicts,
    ended,
    explain_right,
    one_line,
)
from harness.domains import Posed
from harness.parsing import read_explained
from harness.questions import Dialogue, Outcome, Step

SLOTS: Slots = {
    "cote": ("question",),
    "rp": ("question", "right"),
    "answering": ("question", "answers"),
    "mt_re": ("question",),
    "mt_ra": ("question", "answers"),
    "mt_cot": ("question",),
}
"""Stage -> what its prompt may show. The teacher is asked the first two; rows ask the others."""

_CONCLUDES = re.compile(
    r"\b(?:so|thus|therefore|hence),? (?:the|my) (?:\w{1,20} )?answer is\b", re.IGNORECASE
)
"""A given explanation that concludes so is read as one of a teacher."""


def distill_prompts(kind: str) -> Prompts:
    """Read the prompts for a kind of questions ("yes_no", "options")."""
    return read_prompts(f"distill_{kind}", SLOTS)


def cote(known: Answered, prompts: Prompts) -> Dialogue:
    """Let the teacher think step by step (chain-of-thought explanation); a wrong answer is dropped.

    It reads {"explanation": ..., "by": "cote"}, or {"dropped": reason}.
    """
    told = yield from _think(known, prompts)
    return _outcome(told, "cote")


def rp(known: Answered, prompts: Prompts) -> Dialogue:
    """Let the teacher give reasons for the right answer (rationalization prompting).

    It reads {"explanation": ..., "by": "rp"}, or {"dropped": reason}.
    """
    told = yield from _rationalise(known, prompts)
    return _outcome(told, "rp")


def crop(known: Answered, prompts: Prompts) -> Dialogue:
    """Take `cote`, or where that is dropped `rp`; it reads what that reads."""
    told = yield from _think(known, prompts)
    if told.fault is None:
        return _outcome(told, "cote")
    told = yield from _rationalise(known, prompts)
    return _outcome(told, "rp")


WRITERS: Mapping[str, Callable[[Answered, Prompts], Dialogue]] = {
    "cote": cote,
    "rp": rp,
    "crop": crop,
}
"""Name in recipes -> dialogue with the teacher."""


def read_given(text: str | None, known: Answered) -> Told:
    """Read an explanation that a data set has, without what states the answer at its end.

    Args:
        text: None: it has none.
        known: the question and its answer; to close with another one is a fault.
    """
    posed, label = known.posed, known.label
    if text and _CONCLUDES.search(text):
        read = read_explained(text, posed.forms)
        text, label = read.explanation, read.label.value or label
    told, named = drop_closings(one_line(text or ""), posed)
    explanation = ended(told)
    fault = (
        (None if {label, *named} <= known.right else WRONG)
        or (None if re.search(r"[^\W_]", explanation) else NO_EXPLANATION)
        or (CONTRADICTS if contradicts(explanation, known.label, posed) else None)
    )
    return Told(explanation, known.label, fault)


def right_answer(posed: Posed, label: str) -> str:
    """Name an answer as prompts show it: yes, no, or an option with its letter."""
    if not posed.options:
        return label
    return f"{label}) {posed.options[posed.labels.index(label)]}"


def _think(known: Answered, prompts: Prompts) -> Step[Told]:
    question = ask(prompts, "cote", question=known.posed.text)
    return (yield from explain_right(question, known, prompts, SLOTS))


def _rationalise(known: Answered, prompts: Prompts) -> Step[Told]:
    right = right_answer(known.posed, known.label)
    question = ask(prompts, "rp", question=known.posed.text, right=right)
    return (yield from explain_right(question, known, prompts, SLOTS))


def _outcome(told: Told, by: str) -> Outcome:
    read = {"explanation": told.explanation, "by": by}
    return Outcome({}, {"dropped": told.fault} if told.fault else read)
