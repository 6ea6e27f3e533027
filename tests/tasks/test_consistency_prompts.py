"""What the prompts themselves show must earn nothing: neither their answers nor their questions."""

from __future__ import annotations

import re

import pytest

from harness.checks.consistency import consistency
from harness.checks.inquiry import Inquiry
from harness.domains import Posed
from harness.questions import Question
from harness.selection import build_manager

FRUIT = ("pear", "stone", "cork", "reed")
KINDS = {
    "sample_consistency_yes_no": (
        Posed("Would a pear sink?"),
        Posed("Is chalk soft?"),
        "1. Is a pear a fruit?\n2. Do pears grow on trees?",
    ),
    "selfcheck_consistency_medqa": (
        Posed("What sinks?", FRUIT),
        Posed("What is soft?", FRUIT),
        "1. What grows on trees?\nA) pears\nB) stones\nC) salt\nD) sand",
    ),
}
SHOWN = re.compile(r"^(?:Answer:|Answer: .* [Ss]o the answer is) (yes|no|[A-D])\b", re.MULTILINE)


@pytest.fixture(params=sorted(KINDS))
def made(request):
    task = build_manager().load(request.param)["tasks"][request.param]
    asked, stranger, written = KINDS[request.param]
    case = Inquiry(asked, asked.labels[:1], [stranger], task.prompts, 2, is_self=False)
    return case, written


def talk(case, reply):
    """Hold the dialogue with somebody whose answer is a function of the question."""
    dialogue = consistency(case)
    try:
        step = next(dialogue)
        while True:
            several = not isinstance(step, Question)
            answers = [reply(question) for question in (step if several else [step])]
            step = dialogue.send(answers if several else answers[0])
    except StopIteration as stop:
        return stop.value


@pytest.mark.parametrize("place", [0, -1])
def test_who_copies_an_answer_of_the_examples_has_no_lift_and_no_gain(made, place):
    case, written = made

    def reply(question):
        if question.stage == "follow_ups":
            return written
        shown = SHOWN.findall(question.text)[place]
        explains = question.stage.startswith(("explain", "answer"))
        return f"Blah blah words. So the answer is {shown}." if explains else shown

    metrics = talk(case, reply).metrics
    assert metrics["simulatable"] == 1, "the examples of simulate show a definite answer"
    assert metrics["lift"] == 0 and metrics["blind"] == metrics["consistency"]


def test_who_copies_the_questions_of_the_examples_has_no_follow_ups(made):
    case, _ = made
    asked = case.ask_to_write("Blah.").text
    examples = asked.partition("Other questions:")[2].partition("\n\n")[0]
    assert examples.count("?") >= 3

    def reply(question):
        explains = question.stage.startswith(("explain", "answer"))
        return "Blah blah words. So the answer is A, yes." if explains else examples

    outcome = talk(case, reply)
    assert outcome.read["follow_ups"] == [] and outcome.metrics["follow_ups"] == 0
    assert set(outcome.read["dropped"]) == {"copied from the prompt"}


def test_examples_of_simulate_and_guess_are_the_same_but_for_the_unknown_one(made):
    case, _ = made
    posed = case.asked
    simulate = case.ask_to_simulate(1, posed, "Blah.").text
    shuffled = case.ask_to_guess_shuffled(1, posed, case.strangers[0], "Blah.").text
    blind = case.ask_to_guess(1, posed).text
    told = [re.findall(r"uestion: ([^\n]+\?)\n(?:[A-D]\).*\n)*Answer: (?!unknown)(\w+)", text)
            for text in (simulate, shuffled, blind)]  # fmt: skip
    assert told[0] == told[1] == told[2] and len(told[0]) == 2
    assert len({answer for _, answer in told[0]}) == 2
