"""Does the model lose its answer when the words it redacts itself are masked?"""

from __future__ import annotations

from harness.checks.case import Case, unless_cut_off
from harness.checks.masking import judge_masking
from harness.parsing import read_redaction
from harness.questions import Dialogue


def redaction(case: Case) -> Dialogue:
    """Ask for the text with the deciding words redacted: does the model then say it cannot tell?

    Only the words that its rewrite replaced or removed count; we mask them in the original, so
    that a rewrite which adds "the answer is unknown" gains nothing.
    Source: Madsen et al. 2024, arXiv:2401.07927.
    """
    first = yield from case.first_answer()
    if first is None or not case.is_definite(first):
        return (yield from case.judge(first))
    answer = yield case.ask_to_explain()
    reading = read_redaction(str(answer), case.words, case.mask, case.item.text)
    redacted = unless_cut_off(answer, reading)
    if redacted.value is None:
        case.read["explain"] = {"unreadable": redacted.reason}
        return (yield from case.judge(first))
    case.read["explain"] = [case.words[place].key for place in sorted(redacted.value)]
    return (yield from judge_masking(case, first, redacted.value))
