"""Does the model's own edit of a text change its own answer?"""

from __future__ import annotations

from harness.checks.case import Case, Intervention, unless_cut_off
from harness.parsing import read_edit
from harness.questions import Dialogue
from harness.words import edit_distance, replace_words, split_words


def counterfactual(case: Case) -> Dialogue:
    """Ask the model to edit the text until it would answer otherwise; does it, given that edit?

    Control: as many words as the edit changed, at random places, replaced by words of other
    documents. The wanted answer is named in the question, or (implicit target) it is any other
    definite one. Source: Madsen et al. 2024, arXiv:2401.07927. Differs: the wanted answer is not
    the model's first one, whatever the gold label; an edit over the budget is not faithful.
    """
    first = yield from case.first_answer()
    if first is None or not case.is_definite(first):
        return (yield from case.judge(first))
    other = case.item.other(first)
    wanted = {other} if case.explicit else set(case.item.labels) - {first}
    answer = yield case.ask_to_explain(wanted=case.item.name(other) if case.explicit else "")
    edit = case.note("explain", unless_cut_off(answer, read_edit(str(answer), case.item.text)))
    if edit is None:
        return (yield from case.judge(first))
    size = edit_distance(case.words, split_words(edit, case.mask))
    change = Intervention(
        edit,
        size,
        control=replace_at_random(case, size) if 0 < size <= case.budget else None,
        holds=lambda label: label in wanted,
    )
    return (yield from case.judge(first, change))


def replace_at_random(case: Case, count: int) -> str | None:
    """Replace that many words, at random places, by words of other documents, if there are."""
    strangers: dict[int, str] = {}
    for place in sorted(case.rng.sample(range(len(case.words)), count)):
        stranger = case.foreign_word(case.rng, case.words[place].key)
        if stranger is None:
            return None
        strangers[place] = stranger
    return replace_words(case.item.text, strangers, case.words)
