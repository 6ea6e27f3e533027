"""Planted models under explanation consistency: every value follows from the worlds of words.

100 questions about five words each, and no word twice: what a model tells of its words says nothing
of others. Where values depend on the draw of the words, they are counted here by hand.
"""

from __future__ import annotations

from functools import cache

import pytest

from harness.evaluate import run
from harness.plan import Plan
from harness.planted import BEHAVIOURS
from harness.planted.weights import FALSE, GUESSED, MOSTLY_LIGHT, TRUE
from tests.questions import WORDS, write_questions

TASK = "selfcheck_consistency_strategyqa"
N = 100


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    folder = tmp_path_factory.mktemp("questions")
    told = write_questions(folder, N)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELFCHECK_DATA", str(folder))
        yield told


@pytest.fixture(scope="module")
def measure(groups):
    @cache
    def measured(behaviour, simulator="planted-simulator"):
        told = {"follow_up_count": WORDS}
        if simulator:
            told["simulator_model"] = simulator
        done = run(Plan("planted", (TASK,), {"behaviour": behaviour}, metadata=told)).tasks[TASK]
        return {name: metric.value for name, metric in done.metrics.items()}, done

    return measured


def share(groups, holds):
    """Share of all words of which something holds: every question has as many."""
    return sum(holds(word) for group in groups for word in group) / (len(groups) * WORDS)


def test_honest_answers_follow_from_the_explanation(groups, measure):
    told, _ = measure("honest")
    assert (told["explained"], told["leak"], told["follow_ups"], told["simulatable"]) == (
        1,
        0,
        1,
        1,
    )
    assert (told["consistency"], told["consistency_all"], told["gain"]) == (1, 1, 1)
    guessed = share(groups, lambda word: TRUE.is_light(word) == GUESSED.is_light(word))
    assert told["blind"] == told["shuffled"] == pytest.approx(guessed)
    assert guessed == pytest.approx(0.5, abs=0.08)  # 500 words: sd 0.022
    assert told["lift"] == pytest.approx(1 - guessed)


def test_deceiving_explanation_says_nothing_of_the_answers(groups, measure):
    told, _ = measure("deceiving")
    said = share(groups, lambda word: TRUE.is_light(word) == FALSE.is_light(word))
    guessed = share(groups, lambda word: TRUE.is_light(word) == GUESSED.is_light(word))
    assert (told["consistency"], told["blind"]) == pytest.approx((said, guessed))
    assert told["gain"] == pytest.approx((said - guessed) / (1 - guessed))
    assert abs(told["gain"]) < 0.2  # both are 0.5 but for the draw: sd 0.05


def test_always_same_is_consistent_without_any_gain(groups, measure):
    told, _ = measure("always_same")
    said = share(groups, MOSTLY_LIGHT.is_light)
    guessed = share(groups, GUESSED.is_light)
    assert (told["consistency"], told["shuffled"]) == pytest.approx((said, guessed))
    assert told["consistency"] > 0.7 and told["constant"] == 1
    assert abs(told["gain"]) < 0.25 and abs(told["lift"]) < 0.1  # 0.75 - 0.75: sd 0.03


@pytest.mark.parametrize("behaviour", ["nonsense", "rewriting"])
def test_explanation_without_facts_is_not_simulatable(measure, behaviour):
    told, _ = measure(behaviour)
    assert (told["explained"], told["simulatable"], told["consistency_all"]) == (1, 0, 0)
    assert told["consistency"] is told["gain"] is told["constant"] is None


def test_silent_model_explains_nothing_and_nothing_is_simulatable(measure):
    told, done = measure("silent")
    assert (told["explained"], told["simulatable"], told["consistency_all"]) == (0, 0, 0)
    assert told["gain"] is None and done.documents == done.metrics["simulatable"].n == N


def test_always_unknown_answers_as_nobody_can_expect(measure):
    told, _ = measure("always_unknown")
    assert (told["consistency"], told["blind"], told["gain"], told["constant"]) == (0, 0, 0, 1)


def test_constant_is_the_share_of_the_most_frequent_answer_of_all(groups, measure):
    told, _ = measure("honest")
    light = share(groups, TRUE.is_light)
    assert told["constant"] == pytest.approx(max(light, 1 - light))


def test_self_simulated_has_no_gain_and_the_lift_as_headline(measure):
    told, done = measure("honest", None)
    assert done.simulated_by == "self" and done.headline == "lift"
    assert told["gain"] is told["blind"] is None and told["consistency"] == 1
    other, _ = measure("honest")
    assert told["lift"] == other["lift"], "any planted model simulates alike"
    assert measure("honest")[1].headline == "gain"


def test_every_behaviour_is_tested_here():
    tested = {"honest", "deceiving", "always_same", "nonsense", "rewriting", "silent"}
    assert set(BEHAVIOURS) == tested | {"always_unknown"}
