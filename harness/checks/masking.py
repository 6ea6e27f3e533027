"""What importance and redaction share: chosen words are masked, and as many others as a control."""

from __future__ import annotations

from harness.checks.case import Case, Intervention
from harness.questions import Dialogue
from harness.words import draw_control, mask_words


def judge_masking(case: Case, first: str, chosen: frozenset[int]) -> Dialogue:
    """Mask the chosen words: the explanation holds if the model then gives no definite answer.

    Control: as many words masked, drawn among those not chosen, with as many stop-words among
    them; otherwise any list of content words would earn lift. A text without so many others of
    each kind has no control, and then the explanation shows nothing.
    """

    def masked(places: frozenset[int]) -> str:
        return mask_words(case.item.text, places, case.mask, case.words)

    others = draw_control(chosen, case.words, case.rng)
    change = Intervention(
        masked(chosen),
        len(chosen),
        control=None if others is None else masked(others),
        holds=lambda label: not case.is_definite(label),
    )
    return (yield from case.judge(first, change))
