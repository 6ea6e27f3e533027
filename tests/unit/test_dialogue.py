from __future__ import annotations

import json
import logging

import pytest
from lm_eval.api.model import LM, CachingLM

from harness import failures
from harness.backend import Backend
from harness.dialogue import (
    REQUEST,
    DialogueInstance,
    Settings,
    Talk,
    answer_dialogues,
    converse,
)
from harness.errors import ModelError
from harness.questions import MODEL, Outcome, Question
from tests.doubles import FunctionLM


def request(start, task="task", doc_id=0, **settings):
    return DialogueInstance(
        request_type=REQUEST,
        doc={},
        arguments=("", settings),
        idx=0,
        metadata=(task, doc_id, 1),
        start=start,
        expects=frozenset({"value"}),
    )


def one_question(text, stage="ask", **more):
    def dialogue():
        answer = yield Question(stage, text, **more)
        return Outcome({"value": 1.0}, {stage: answer})

    return dialogue


def read(responses):
    return [json.loads(response) for response in responses]


def test_answer_dialogues_later_question_depends_on_earlier_answer():
    def dialogue():
        first = yield Question("first", "name a word")
        second, third = yield [Question("second", f"{first}?"), Question("third", f"{first}!")]
        return Outcome({"value": 1.0}, {"heard": [second, third]})

    lm = FunctionLM(lambda prompt: {"name a word": "yes"}.get(prompt, prompt.upper()))
    told = read(answer_dialogues(lm, [request(dialogue)]))[0]
    assert told["read"] == {"heard": ["YES?", "YES!"]}
    assert [stage["stage"] for stage in told["stages"]] == ["first", "second", "third"]
    assert [len(batch) for batch in lm.batches] == [1, 2]


def test_answer_dialogues_equal_questions_of_all_tasks_are_asked_once_even_in_later_rounds():
    def later():
        yield Question("other", "b")
        yield Question("again", "a")
        return Outcome({"value": 1.0})

    lm = FunctionLM(str.upper)
    asked = [request(one_question("a"), "x", n) for n in range(3)] + [request(later, "y")]
    answer_dialogues(lm, asked)
    assert sorted(lm.prompts) == ["a", "b"]


def test_answer_dialogues_repeats_share_greedy_answers_but_not_sampled_ones():
    lm = FunctionLM(str.upper)
    greedy, sampled = (
        request(one_question("a"), generation_kwargs={"do_sample": sample})
        for sample in (False, True)
    )
    assert len(answer_dialogues(lm, [greedy] * 3)) == 3 and lm.prompts == ["a"]
    assert len(answer_dialogues(lm, [sampled] * 3)) == 3 and lm.prompts == ["a"] * 4


def test_answer_dialogues_bug_in_a_check_fails_its_task_and_no_other(caplog):
    def buggy():
        yield Question("ask", "a")
        raise ZeroDivisionError("oops")

    asked = [
        request(buggy, "broken", 7),
        request(one_question("b"), "broken", 8),
        request(one_question("c"), "whole", 0),
    ]
    with failures.collected() as failed:
        told = read(answer_dialogues(FunctionLM(str.upper), asked))
    assert list(failed) == ["broken"]
    assert all(
        part in failed["broken"] for part in ("document 7", "'ask'", "ZeroDivisionError: oops")
    )
    assert [response.get("metrics") for response in told] == [None, None, {"value": 1.0}]


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        (None, "not an Outcome"),
        (Outcome({"valu": 1.0}), "['valu'], not ['value']"),
        (Outcome({"value": float("nan")}), "not JSON compliant"),
        (Outcome({"value": 1.0}, {"ask": {1, 2}}), "not JSON serializable"),
    ],
)
def test_answer_dialogues_undeclared_metrics_fail_the_task(returned, complaint):
    def dialogue():
        yield Question("ask", "a")
        return returned

    with failures.collected() as failed:
        answer_dialogues(FunctionLM(), [request(dialogue)])
    assert complaint in failed["task"]


def test_answer_dialogues_question_to_nobody_fails_the_task_and_says_who_is_there():
    with failures.collected() as failed:
        answer_dialogues(FunctionLM(), [request(one_question("a", to="simulator"))])
    assert "asks 'simulator'; there are: model" in failed["task"]


def test_converse_questions_go_to_the_model_they_are_addressed_to_in_one_batch_each():
    def dialogue(name):
        def start():
            both = yield [
                Question("own", f"{name} own"),
                Question("other", f"{name}", to="simulator"),
            ]
            return Outcome({"value": 1.0}, {"heard": both})

        return start

    own, other = FunctionLM(lambda p: f"own {p}"), FunctionLM(lambda p: f"other {p}")
    talks = [Talk(request(dialogue(name), doc_id=n)) for n, name in enumerate("abb")]
    converse(talks, {MODEL: Backend(own), "simulator": Backend(other)})
    assert [talk.outcome.read["heard"] for talk in talks][1] == ["own b own", "other b"]
    assert [len(batch) for batch in own.batches] == [len(batch) for batch in other.batches] == [2]


@pytest.mark.parametrize("answer", [None, 3])
def test_answer_dialogues_failed_request_fails_the_run_and_is_never_an_answer(answer):
    with pytest.raises(ModelError, match="gave"):
        answer_dialogues(FunctionLM(lambda prompt: answer), [request(one_question("a"))])


def test_answer_dialogues_answers_are_kept_as_they_arrive():
    def failing(prompt):
        if prompt == "c":
            raise ConnectionError("server gone")
        return prompt.upper()

    asked = [request(one_question(text), doc_id=n) for n, text in enumerate("abc")]
    with pytest.raises(ConnectionError):
        answer_dialogues(FunctionLM(failing, name="served"), asked)
    again = FunctionLM(str.upper, name="served")
    told = read(answer_dialogues(again, asked))
    assert again.prompts == ["c"]
    assert [response["read"]["ask"] for response in told] == ["A", "B", "C"]


def test_answer_dialogues_another_model_gets_no_stale_answer():
    asked = [request(one_question("a"))]
    answer_dialogues(FunctionLM(str.upper, name="one"), asked)
    other = FunctionLM(lambda prompt: "mine", name="two")
    assert read(answer_dialogues(other, asked))[0]["read"]["ask"] == "mine"


def test_answer_dialogues_surrogates_and_control_characters_survive_as_json():
    text = "\ud800\x00\x1b[31m=cmd()\u202e"
    told = answer_dialogues(FunctionLM(lambda prompt: text), [request(one_question("a"))])
    told[0].encode("utf-8")
    assert read(told)[0]["read"]["ask"] == text


def test_answer_dialogues_progress_names_stage_questions_and_duplicates(caplog):
    caplog.set_level(logging.INFO, logger="harness")
    answer_dialogues(FunctionLM(), [request(one_question("a"), doc_id=n) for n in range(4)])
    assert "Round 1 to the model: 4 questions (4 ask)" in caplog.text
    assert "3 duplicates saved, 0 answers from the cache, 1 to ask" in caplog.text


def test_settings_request_plain_text_has_system_instruction_cue_and_stop_strings():
    backend = Backend(FunctionLM())
    question = Question("ask", "Is it?", cue="Answer:", until=("\n",), max_tokens=5)
    context, limits = Settings(system_instruction="Be brief.").request(question, backend)
    assert context == "Be brief.\n\nIs it?\nAnswer:"
    assert limits == {"do_sample": False, "max_gen_toks": 5, "until": ["\n"]}


def test_settings_request_chat_template_has_turns_and_no_empty_stop_list():
    question = Question("ask", "Is it?", cue="Answer:", until=("\n",))
    told = Settings(True, "Be brief.", {"until": []}).request(question, Backend(FunctionLM()))
    assert told[0] == "<system>Be brief.<user>Is it?<assistant>"
    assert "until" not in told[1]


@pytest.mark.parametrize("name", ["max_gen_toks", "max_new_tokens", "max_tokens"])
def test_settings_request_user_limit_wins_over_the_question_s(name):
    limits = Settings(generation_kwargs={name: 3, "top_p": 0.5}).request(
        Question("ask", "Is it?", max_tokens=50), Backend(FunctionLM())
    )[1]
    assert limits == {name: 3, "top_p": 0.5, "do_sample": False}


def test_request_type_is_a_method_of_models_and_of_the_caching_wrapper(tmp_path):
    assert getattr(LM, REQUEST) is answer_dialogues
    lm = FunctionLM(str.upper)
    caching = CachingLM(lm, str(tmp_path / "cache.db"))
    for _ in range(2):
        getattr(caching, REQUEST)([request(one_question("a"))])
    caching.dbdict.close()
    assert lm.prompts == ["a"]
