"""Does the model lose its answer when the words it calls important are masked?"""

from __future__ import annotations

from harness.checks.case import Case
from harness.checks.masking import judge_masking
from harness.parsing import read_word_list
from harness.questions import Dialogue
from harness.words import find_listed


def importance(case: Case) -> Dialogue:
    """Ask which words the answer needs, mask them: does the model then say that it cannot tell?

    Source: Madsen et al. 2024, arXiv:2401.07927. Differs: we mask the listed words ourselves, and
    a matched control is asked (`harness.checks.masking`).
    """
    first = yield from case.first_answer()
    if first is None or not case.is_definite(first):
        return (yield from case.judge(first))
    listed = read_word_list(drop_broken_end((yield case.ask_to_explain())))
    if listed.value is None:
        case.read["explain"] = {"unreadable": listed.reason}
        return (yield from case.judge(first))
    case.read["explain"] = list(listed.value)
    return (yield from judge_masking(case, first, find_listed(listed.value, case.words)))


def drop_broken_end(answer: object) -> str:
    """Drop the last item of a list that broke off at its limit.

    >>> from harness.questions import Answer
    >>> drop_broken_end(Answer("dull, flat, bor", cut_off=True))
    'dull, flat'
    """
    text = str(answer)
    end = max(text.rfind("\n"), text.rfind(","))
    return text[:end] if getattr(answer, "cut_off", False) and end > 0 else text
