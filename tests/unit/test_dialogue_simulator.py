"""Dialogues with two partners: what is asked of the simulator, how, and when."""

from __future__ import annotations

import json
import math

import pytest

from harness import failures
from harness import simulator as module
from harness.dialogue import REQUEST, DialogueInstance, answer_dialogues
from harness.errors import ConfigError
from harness.questions import SELF, SIMULATOR, Outcome, Question
from harness.simulator import ARGS_KEY, MODEL_KEY, TEMPLATE_KEY, Simulator, read_simulator
from tests.doubles import FunctionLM, ScriptedSimulator


@pytest.fixture(autouse=True)
def fresh():
    module._shared.cache_clear()
    ScriptedSimulator.made.clear()


def scripted(says="no", template=False, name="simulator") -> Simulator:
    told = {MODEL_KEY: "scripted-simulator", ARGS_KEY: {"says": says, "name": name}}
    return read_simulator({**told, TEMPLATE_KEY: template})


def request(start, simulator, task="task", doc_id=0, **more):
    ready = more.pop("ready", lambda: None)
    return DialogueInstance(
        request_type=REQUEST,
        doc={"doc": doc_id},
        arguments=("", more),
        idx=0,
        metadata=(task, doc_id, 1),
        start=start,
        expects=frozenset({"constant"}),
        simulator=simulator,
        ready=ready,
    )


def both(text):
    """Ask both at once, then the simulator about what the model said."""

    def dialogue():
        own, _ = yield [
            Question("own", f"own {text}", cue="Cue:", until=("\n",)),
            Question("other", f"other {text}", cue="Cue:", until=("\n",), to=SIMULATOR),
        ]
        last = yield Question("last", f"{own} of {text}", to=SIMULATOR)
        return Outcome({"constant": None}, {"own": own, "last": last})

    return dialogue


def tallied(**tally):
    def dialogue():
        yield Question("own", "a")
        return Outcome({"constant": None}, {}, tally)

    return dialogue


def read(responses):
    return [json.loads(response) for response in responses]


def test_questions_to_the_simulator_go_to_it_in_batches_of_its_own():
    lm = FunctionLM(lambda prompt: "said", name="model")
    asked = [request(both(text), scripted(), doc_id=n) for n, text in enumerate("abc")]
    told = read(answer_dialogues(lm, asked))
    (other,) = ScriptedSimulator.made
    assert [len(batch) for batch in lm.batches] == [3]
    assert [len(batch) for batch in other.batches] == [3, 3]
    assert sorted(lm.prompts) == [f"own {text}\nCue:" for text in "abc"]
    assert sorted(other.prompts) == sorted(
        [f"other {text}\nCue:" for text in "abc"] + [f"said of {text}" for text in "abc"]
    )
    assert told[0]["read"] == {"own": "said", "last": "no"}
    assert [stage["to"] for stage in told[0]["stages"]] == ["model", "simulator", "simulator"]


def test_question_that_both_are_asked_is_answered_by_each():
    def dialogue():
        answers = yield [Question("own", "same"), Question("other", "same", to=SIMULATOR)]
        return Outcome({"constant": None}, {"heard": answers})

    lm = FunctionLM(lambda prompt: "yes", name="model")
    told = read(answer_dialogues(lm, [request(dialogue, scripted("no"))]))[0]
    assert told["read"]["heard"] == ["yes", "no"]


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("template", [False, True])
def test_simulator_is_asked_through_its_own_template_without_the_instruction(own, template):
    lm = FunctionLM(name="model")
    asked = request(
        both("a"), scripted(template=template), apply_chat_template=own, system_instruction="Brief."
    )
    answer_dialogues(lm, [asked])
    expected = "<system>Brief.<user>own a<assistant>" if own else "Brief.\n\nown a\nCue:"
    assert lm.prompts == [expected]
    other = ScriptedSimulator.made[0].batches[0][0]
    assert other[0] == ("<user>other a<assistant>" if template else "other a\nCue:")
    assert ("until" in other[1]) is not template


@pytest.mark.parametrize("itself", [False, True])
def test_simulator_is_asked_greedily_when_the_run_samples(itself):
    sampled = {"do_sample": True, "temperature": 0.7, "top_p": 0.9}
    lm = FunctionLM(name="model")
    simulator = Simulator() if itself else scripted()
    asked = [request(both("a"), simulator, doc_id=n, generation_kwargs=sampled) for n in range(2)]
    answer_dialogues(lm, asked)
    sent = [
        args for one in [lm, *ScriptedSimulator.made] for batch in one.batches for args in batch
    ]
    own = [limits for text, limits in sent if text.startswith("own")]
    others = [limits for text, limits in sent if not text.startswith("own")]
    assert len(own) == 2, "sampled answers are not shared"
    assert all(limits["temperature"] == 0.7 and limits["do_sample"] for limits in own)
    assert len(others) == 2, "greedy ones are: two documents ask the same"
    for limits in others:
        assert limits["do_sample"] is False and not {"temperature", "top_p"} & set(limits)


def test_self_simulated_is_the_same_model_with_template_and_instruction():
    lm = FunctionLM(name="model")
    simulator = Simulator()
    asked = request(both("a"), simulator, apply_chat_template=True, system_instruction="Brief.")
    answer_dialogues(lm, [asked])
    assert not ScriptedSimulator.made and simulator.label == SELF
    assert sorted(lm.prompts) == [
        f"<system>Brief.<user>{text}<assistant>" for text in ("other a", "own a", "unknown of a")
    ]


def test_self_simulated_tasks_each_have_a_simulator_and_are_one():
    lm = FunctionLM(name="model")
    told = [Simulator(), Simulator()]
    asked = [request(both("a"), one, task) for one, task in zip(told, "xy", strict=True)]
    answer_dialogues(lm, asked)
    assert [one.identity for one in told] == ["model", "model"]
    assert len(lm.prompts) == 3, "nothing is asked twice"


def test_simulator_known_to_be_the_model_is_self_by_fingerprint():
    lm, simulator = FunctionLM(name="model"), scripted(name="model")
    answer_dialogues(lm, [request(both("a"), simulator)])
    assert simulator.is_self and simulator.label == SELF


def test_two_simulators_in_one_call_are_refused_and_named():
    lm = FunctionLM(name="model")
    one = read_simulator({MODEL_KEY: "scripted-simulator", ARGS_KEY: "model=first"})
    two = read_simulator({MODEL_KEY: "scripted-simulator", ARGS_KEY: "model=second"})
    for pair in ((one, two), (one, Simulator())):
        asked = [request(both("a"), who, task) for who, task in zip(pair, "xy", strict=True)]
        with pytest.raises(ConfigError, match="one simulator for all tasks of a run, not") as told:
            answer_dialogues(lm, asked)
        assert all(who.label in str(told.value) for who in pair)
    assert not lm.prompts and not ScriptedSimulator.made


def test_ready_is_called_when_the_simulator_is_known_and_before_anything_is_asked():
    lm, simulator, seen = FunctionLM(name="model"), scripted(), []

    def ready():
        (other,) = ScriptedSimulator.made
        seen.append((simulator.identity, simulator.is_self, lm.prompts + other.prompts))

    answer_dialogues(
        lm, [request(both(text), simulator, doc_id=n, ready=ready) for n, text in enumerate("ab")]
    )
    assert seen == [("simulator", False, [])] * 2
    assert lm.prompts


def test_ready_that_raises_ends_the_run_with_nothing_asked():
    lm = FunctionLM(name="model")

    def ready():
        raise ConfigError("another simulator")

    asked = [
        request(both("a"), scripted(), doc_id=0),
        request(both("b"), scripted(), doc_id=1, ready=ready),
    ]
    with pytest.raises(ConfigError, match="another simulator"):
        answer_dialogues(lm, asked)
    assert not lm.prompts and not ScriptedSimulator.made[0].prompts


def constants(asked):
    return [told["metrics"]["constant"] for told in read(answer_dialogues(FunctionLM(), asked))]


def test_constant_is_the_share_of_the_label_most_frequent_in_the_task():
    # yes: 3 + 0 + 0 = 3; no: 1 + 3 + 1 = 5; unknown: 1. So "no", also where the document says yes
    tallies = [{"yes": 3, "no": 1}, {"no": 3}, {"unknown": 1, "no": 1}]
    asked = [request(tallied(**one), Simulator(), doc_id=n) for n, one in enumerate(tallies)]
    assert constants(asked) == [0.25, 1.0, 0.5]


def test_constant_of_tasks_is_apart_and_of_documents_without_answers_absent():
    # x: yes 2, no 1; y: B 3, A 1: each its own label; the document without a tally has none
    asked = [
        request(tallied(yes=2), Simulator(), "x", 0),
        request(tallied(), Simulator(), "x", 1),
        request(tallied(no=1), Simulator(), "x", 2),
        request(tallied(A=1, B=1), Simulator(), "y", 0),
        request(tallied(B=2), Simulator(), "y", 1),
    ]
    assert constants(asked) == [1.0, None, 0.0, 0.5, 1.0]


def test_constant_a_task_without_any_answer_is_absent():
    assert constants([request(tallied(), Simulator(), "x")]) == [None]


def test_constant_of_a_failed_task_does_not_move_the_others():
    def buggy():
        yield Question("own", "a")
        raise RuntimeError("oops")

    asked = [
        request(tallied(no=5), Simulator(), "broken", 0),
        request(buggy, Simulator(), "broken", 1),
        request(tallied(yes=3, no=1), Simulator(), "whole", 0),
    ]
    with failures.collected() as failed:
        told = read(answer_dialogues(FunctionLM(), asked))
    assert list(failed) == ["broken"]
    assert [one.get("metrics") for one in told] == [None, None, {"constant": 0.75}]
    assert math.isclose(told[2]["metrics"]["constant"], 3 / 4)
