"""One question and its judged answer, driven by hand."""

from __future__ import annotations

import pytest

from harness.checks.answers import CHOSEN, EXTRACTED, choose, extract
from harness.domains import Posed
from harness.questions import Question

ASKED = Question("answer", "Who?")
PLACES = Posed("Where do people read?", ("bank", "library", "park", "library"))


def hold(dialogue, answer):
    """Give the answer to the one question; what comes of it."""
    assert next(dialogue) is ASKED
    with pytest.raises(StopIteration) as stop:
        dialogue.send(answer)
    return stop.value.value


@pytest.mark.parametrize(
    ("answer", "golds", "told"),
    [
        # exact, f1, exact_has_answer, f1_has_answer, f1_no_answer, readable, no_answer_given
        ("the Seine.", ["Seine", "river Seine"], (1, 1, 1, 1, None, 1, 0)),
        ("river Seine in Paris", ["Seine"], (0, 0.4, 0, 0.4, None, 1, 0)),  # P 1/4, R 1
        ("unanswerable", ["Seine"], (0, 0, 0, 0, None, 1, 1)),
        ("", ["Seine"], (0, 0, 0, 0, None, 0, None)),
        ("unanswerable", [], (1, 1, None, None, 1, 1, 1)),
        ("The passage does not say.", [], (1, 1, None, None, 1, 1, 1)),
        ("Seine", [], (0, 0, None, None, 0, 1, 0)),
        # silence, a refusal and noise do not recognise that there is no answer
        ("", [], (0, 0, None, None, 0, 0, None)),
        ("I'm sorry, but I can't assist with that.", [], (0, 0, None, None, 0, 0, None)),
        ("...", [], (0, 0, None, None, 0, 0, None)),
    ],
)
def test_extract_metrics_of_an_answer(answer, golds, told):
    outcome = hold(extract(ASKED, golds), answer)
    assert outcome.metrics == pytest.approx(dict(zip(EXTRACTED, told, strict=True)))


def test_extract_reading_is_told_with_its_reason():
    assert hold(extract(ASKED, []), "Answer: Ann").read == {"answer": "Ann"}
    assert hold(extract(ASKED, []), "").read == {"answer": {"unreadable": "empty"}}


@pytest.mark.parametrize(
    ("answer", "accuracy", "readable", "tally"),
    [
        ("B", 1, 1, {"B": 1}),
        ("(D) library", 1, 1, {"D": 1}),  # the same words as B
        ("C because it is quiet.", 0, 1, {"C": 1}),
        ("Books are there. So the answer is B.", 1, 1, {"B": 1}),
        ("unknown", 0, 1, {"unknown": 1}),
        ("A or B", 0, 0, {}),
        ("", 0, 0, {}),
    ],
)
def test_choose_metrics_of_an_answer(answer, accuracy, readable, tally):
    outcome = hold(choose(ASKED, PLACES, {"B", "D"}), answer)
    told = {"accuracy": accuracy, "readable": readable, "constant": None}
    assert set(told) == set(CHOSEN) and outcome.metrics == told
    assert outcome.tally == tally
