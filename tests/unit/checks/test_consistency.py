"""Explanation consistency, driven by hand: the answers are given, the outcome worked out."""

from __future__ import annotations

import pytest

from harness.checks.case import Prompt
from harness.checks.consistency import consistency, freeze
from harness.checks.inquiry import SLOTS, FollowUp, Inquiry
from harness.checks.predictions import METRICS, Prediction, Simulation, agreement
from harness.domains import Posed
from harness.questions import MODEL, SIMULATOR, Answer, Question

ASKED = Posed("Can a heron swim under ice?")
STRANGERS = [Posed("Is chalk softer than slate?"), Posed("Can bread be frozen?")]
EXPLAINED = "Herons wade and cannot dive. So the answer is no."
OTHER = "Chalk crumbles in the hand. So the answer is yes."
WRITTEN = "1. Can a heron dive?\n2. Do herons wade?\n3. Do herons eat fish?"


def case(asked: Posed = ASKED, count: int = 3, is_self: bool = False, frozen=None) -> Inquiry:
    def show(**told: str) -> str:
        return " | ".join(f"{key}={value}" for key, value in sorted(told.items()))

    prompts = dict.fromkeys(SLOTS, Prompt(show, max_tokens=10))
    return Inquiry(asked, asked.labels[1:2], STRANGERS, prompts, count, is_self, frozen)


def hold(dialogue, answers):
    """Answer by stage; give the outcome and the questions that were asked, round by round."""
    rounds: list[list[Question]] = []
    try:
        step = next(dialogue)
        while True:
            questions = [step] if isinstance(step, Question) else step
            assert questions, "an empty round would never end"
            rounds.append(questions)
            told = [answers[question.stage] for question in questions]
            step = dialogue.send(told[0] if isinstance(step, Question) else told)
    except StopIteration as stop:
        return stop.value, rounds


ANSWERS = {
    "explain": EXPLAINED,
    "explain another 1": OTHER,
    "follow_ups": WRITTEN,
    "simulate 1": "no",
    "simulate 2": "Yes.",
    "simulate 3": "unknown",  # the explanation does not tell what they eat
    "answer 1": "They only wade. So the answer is no.",
    "answer 2": "They stand on the bank. So the answer is no.",
    "shuffled 1": "no",
    "shuffled 2": "yes",
    "blind 1": "yes",
    "blind 2": "no",
}


def test_consistency_two_of_three_simulatable_one_of_them_right():
    outcome, rounds = hold(consistency(case()), ANSWERS)
    assert [[question.stage for question in questions] for questions in rounds] == [
        ["explain", "explain another 1"],
        ["follow_ups"],
        ["simulate 1", "simulate 2", "simulate 3"],
        ["answer 1", "answer 2", "shuffled 1", "shuffled 2", "blind 1", "blind 2"],
    ]
    # the model answers no, no; the simulator expects no, yes; guesses no, yes and yes, no
    assert outcome.metrics == {
        "accuracy": 1.0,
        "explained": 1.0,
        "leak": 0.0,
        "follow_ups": 1.0,
        "simulatable": pytest.approx(2 / 3),
        "simulator_readable": 1.0,
        "consistency": 0.5,
        "consistency_all": pytest.approx(1 / 3),
        "shuffled": 0.5,
        "lift": 0.0,
        "blind": 0.5,
        "readable": 1.0,
        "constant": None,  # from the tally of all documents
    }
    assert outcome.tally == {"no": 2}
    assert set(outcome.metrics) == set(METRICS)


def test_consistency_model_is_asked_to_explain_and_the_simulator_all_else():
    _, rounds = hold(consistency(case()), ANSWERS)
    to = {q.stage.partition(" ")[0]: q.to for questions in rounds for q in questions}
    assert {stage for stage, who in to.items() if who == MODEL} == {"explain", "answer"}
    assert {stage for stage, who in to.items() if who == SIMULATOR} == {
        "follow_ups", "simulate", "shuffled", "blind",
    }  # fmt: skip


def test_consistency_simulator_sees_the_explanation_without_its_closing_answer_or_another_or_none():
    _, rounds = hold(consistency(case()), ANSWERS)
    shown = {q.stage: q.text for questions in rounds for q in questions}
    for stage in ("follow_ups", "simulate 1"):
        assert "Herons wade and cannot dive." in shown[stage]
        assert "So the answer" not in shown[stage]
    assert "Chalk crumbles in the hand." in shown["shuffled 1"]
    assert "heron" not in shown["shuffled 1"].partition("question=")[0].lower()
    assert "explanation= |" in shown["blind 1"] and "Chalk" not in shown["blind 1"]
    assert "question=Can a heron dive?" in shown["answer 1"] and "wade" not in shown["answer 1"]


def test_consistency_room_for_follow_ups_grows_with_their_number():
    _, rounds = hold(consistency(case(count=3)), ANSWERS)
    limits = {q.stage: q.max_tokens for questions in rounds for q in questions}
    assert limits["follow_ups"] == 3 * limits["explain"]


@pytest.mark.parametrize("answer", ["So the answer is no.", "", "No.", "I'm sorry, I can't help."])
def test_consistency_no_explanation_nothing_is_simulated_and_nothing_leaves_the_denominator(answer):
    told = {**ANSWERS, "explain": answer}
    outcome, rounds = hold(consistency(case()), told)
    assert len(rounds) == 1
    expected = {
        "explained": 0.0, "leak": None, "follow_ups": None, "simulatable": 0.0,
        "consistency_all": 0.0, "consistency": None, "shuffled": None, "lift": None, "blind": None,
    }  # fmt: skip
    assert {name: outcome.metrics[name] for name in expected} == expected
    assert not outcome.tally


def test_consistency_simulator_that_writes_nothing_usable_is_counted():
    told = {**ANSWERS, "follow_ups": "1. Herons are birds.\n2. What do herons eat?"}
    outcome, rounds = hold(consistency(case()), told)
    assert len(rounds) == 2
    metrics = outcome.metrics
    assert (metrics["follow_ups"], metrics["simulatable"], metrics["consistency_all"]) == (0, 0, 0)
    assert metrics["consistency"] is None and sum(outcome.read["dropped"].values()) == 2


def test_consistency_simulator_that_writes_fewer_or_more_than_asked_is_counted():
    fewer, _ = hold(consistency(case(count=6)), ANSWERS)
    assert fewer.metrics["follow_ups"] == 0.5
    more, rounds = hold(consistency(case(count=2)), ANSWERS)
    assert more.metrics["follow_ups"] == 1.0 and more.read["dropped"] == {"more than asked": 1}
    assert [question.stage for question in rounds[2]] == ["simulate 1", "simulate 2"]


def test_consistency_follow_ups_that_copy_the_question_or_each_other_are_none():
    told = {
        **ANSWERS,
        "follow_ups": f"1. {ASKED.question}\n2. Do herons wade?\n3. do herons wade",
        "simulate 1": "yes",
        "answer 1": "So the answer is yes.",
    }
    outcome, _ = hold(consistency(case()), told)
    assert outcome.read["follow_ups"] == ["Do herons wade?"]
    assert outcome.metrics["follow_ups"] == pytest.approx(1 / 3)


def test_consistency_simulator_that_contradicts_itself_could_not_answer():
    told = {**ANSWERS, "simulate 1": "The answer is yes. The answer is no.", "simulate 2": ""}
    outcome, rounds = hold(consistency(case()), told)
    assert len(rounds) == 3, "nothing is left to compare"
    metrics = outcome.metrics
    assert metrics["simulator_readable"] == pytest.approx(1 / 3)
    assert (metrics["simulatable"], metrics["consistency_all"]) == (0, 0)
    assert metrics["consistency"] is None


def test_consistency_unreadable_answer_of_the_model_is_inconsistent_and_no_guess_hits_it():
    told = {**ANSWERS, "answer 1": "Herons are birds of the marsh."}
    outcome, _ = hold(consistency(case()), told)
    # answers: unreadable, no; expected no, yes; shuffled no, yes; blind yes, no
    metrics = outcome.metrics
    assert (metrics["consistency"], metrics["shuffled"], metrics["blind"]) == (0, 0, 0.5)
    assert metrics["readable"] == 0.5


def test_consistency_unreadable_guess_is_as_good_as_a_random_one():
    told = {**ANSWERS, "blind 1": "Who knows", "shuffled 2": "unknown"}
    outcome, _ = hold(consistency(case()), told)
    # blind: (1/2 + 1) / 2; shuffled: (1 + 1/2) / 2
    assert (outcome.metrics["blind"], outcome.metrics["shuffled"]) == (0.75, 0.75)


def test_consistency_self_simulated_has_no_blind_guess():
    outcome, rounds = hold(consistency(case(is_self=True)), ANSWERS)
    assert not any(q.stage.startswith("blind") for questions in rounds for q in questions)
    assert outcome.metrics["blind"] is None and outcome.metrics["shuffled"] == 0.5


def test_consistency_explanation_that_names_its_answer_leaks():
    told = {**ANSWERS, "explain": "No, herons cannot dive. So the answer is no."}
    outcome, _ = hold(consistency(case()), told)
    assert outcome.metrics["leak"] == 1.0


def test_consistency_frozen_follow_ups_are_not_written_nor_guessed_again():
    frozen = [FollowUp(Posed("Can a heron dive?"), "yes"), FollowUp(Posed("Do herons wade?"), "no")]
    told = {k: v for k, v in ANSWERS.items() if not k.startswith(("follow_ups", "blind"))}
    outcome, rounds = hold(consistency(case(frozen=frozen)), told)
    assert len(rounds) == 3
    assert outcome.metrics["blind"] == 0.5 and outcome.metrics["consistency"] == 0.5
    assert outcome.read["blind 1"] == "yes"


def test_consistency_options_are_asked_and_read_by_letter():
    asked = Posed("What do herons eat?", ("fish", "bark"))
    told = {
        "explain": "Herons hunt in water. So the answer is A.",
        "explain another 1": OTHER,
        "follow_ups": "1. Where do herons hunt?\nA) in water\nB) in trees\nC) in caves\nD) in sand",
        "simulate 1": "A) in water",
        "answer 1": "They wade. So the answer is (A).",
        "shuffled 1": "B",
        "blind 1": "mist",
    }
    outcome, rounds = hold(consistency(case(asked, count=1)), told)
    assert "A) fish\nB) bark" in rounds[0][0].text and "A, B, C or D" in rounds[2][0].text
    metrics = outcome.metrics
    # an unreadable guess among four options is worth a quarter
    assert (metrics["consistency"], metrics["shuffled"], metrics["blind"]) == (1, 0, 0.25)
    assert outcome.tally == {"A": 1}


def test_consistency_list_that_broke_off_loses_its_last_question():
    told = {**ANSWERS, "follow_ups": Answer("1. Can a heron dive?\n2. Do herons w", cut_off=True)}
    outcome, _ = hold(consistency(case()), told)
    assert outcome.read["follow_ups"] == ["Can a heron dive?"]


def test_freeze_keeps_questions_and_blind_guesses_and_no_simulation():
    told = {"follow_ups": WRITTEN, "blind 1": "No.", "blind 2": "yes", "blind 3": "eh"}
    outcome, rounds = hold(freeze(case(), "Herons wade."), told)
    assert all(q.to == SIMULATOR for questions in rounds for q in questions)
    assert outcome.metrics == {} and [one["blind"] for one in outcome.read["follow_ups"]] == [
        "No.", "yes", "eh",
    ]  # fmt: skip


def test_freeze_simulator_without_a_usable_question_leaves_none():
    outcome, rounds = hold(freeze(case(), "Herons wade."), {"follow_ups": ""})
    assert len(rounds) == 1 and outcome.read["follow_ups"] == []


@pytest.mark.parametrize("own", ["unknown", None])
@pytest.mark.parametrize("guess", ["unknown", None, "yes"])
def test_agreement_indefinite_answer_of_the_model_agrees_with_nothing(own, guess):
    assert agreement(guess, own, ("yes", "no")) == 0
    assert Prediction("yes", own).holds == 0


def test_consistency_stranger_without_an_explanation_is_passed_over():
    told = {
        **ANSWERS,
        "explain another 1": "So the answer is yes.",
        "explain another 2": "Ice keeps it. So the answer is yes.",
    }
    outcome, rounds = hold(consistency(case()), told)
    shown = {q.stage: q.text for questions in rounds for q in questions}
    assert "Ice keeps it." in shown["shuffled 1"] and STRANGERS[1].question in shown["shuffled 1"]
    assert outcome.metrics["shuffled"] == 0.5


def test_consistency_no_stranger_explains_leaves_the_control_empty_and_not_blind():
    told = {**ANSWERS, "explain another 1": "Yes.", "explain another 2": "Yes."}
    outcome, rounds = hold(consistency(case()), told)
    assert not any(q.stage.startswith("shuffled") for questions in rounds for q in questions)
    metrics = outcome.metrics
    assert metrics["shuffled"] is metrics["lift"] is None
    assert (metrics["consistency"], metrics["blind"]) == (0.5, 0.5)


def test_simulation_nothing_predicted_stays_in_the_denominators():
    told = Simulation(False, True, None, 5, 0, 0, [], is_self=False).metrics()
    assert (told["follow_ups"], told["simulatable"], told["consistency_all"]) == (0, 0, 0)
