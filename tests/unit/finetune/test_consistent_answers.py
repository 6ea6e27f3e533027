"""EC-SFT's rows: what of a teacher's answers is kept, and what is learnt of it."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.formats import Completion
from finetune.split import leaks, split
from finetune.writing.consistent_answers import (
    MENTIONS,
    SLOTS,
    by_question,
    completions,
    consistency_prompts,
    consistent_answers,
    explain,
    read_starter,
)
from finetune.writing.starter_mentions import mentions_starter
from finetune.writing.teacher_answers import Answered, Reasoned
from harness.domains import Posed
from harness.parsing import read_explained
from harness.questions import Answer
from harness.selection import build_manager
from tests.unit.finetune.talking import hold_alone

FRUIT = ("pears", "stones", "corks")
ASKED = {
    "yes_no": Posed("Would a pear sink in water?"),
    "options": Posed("Which of these sinks in water?", FRUIT),
}
STARTER = Reasoned(ASKED["yes_no"], "Pears hold air.", "no")
LISTED = "1. Does a pear hold air?\n2. Is a pear a stone?\n3. Do pears float?"


def talk(answers, restated=None, starter=STARTER, listed=LISTED, kind="yes_no"):
    """Hold the dialogue with a teacher that answers follow-up n with answers[n], and so on."""
    told = {"answer": answers, "restate": restated or {}}

    def reply(question):
        stage, _, number = question.stage.partition(" ")
        return listed if stage == "follow_ups" else told[stage][int(number)]

    return hold_alone(consistent_answers(starter, consistency_prompts(kind), 3), reply=reply)


def one(answer, restated="Pears hold air. So the answer is yes.", **more):
    """Hold it about one follow-up; give what is read of it."""
    return talk({1: answer}, {1: restated}, listed="1. Does a pear hold air?", **more)[1]


def test_consistent_answers_are_written_answered_and_restated():
    answers = {
        1: "The reason says that pears hold air. So the answer is yes.",
        2: "Stones hold none. So the answer is no.",
        3: "Nothing was said of it. So the answer is unknown.",
    }
    restated = {
        1: "A pear is full of small pockets of air.\nSo the answer is yes.",
        2: "Stones hold no air, and pears do. So the answer is no.",
    }
    asked, read = talk(answers, restated)
    assert read == {
        "rows": [
            {
                "question": "Does a pear hold air?",
                "options": [],
                "explanation": "A pear is full of small pockets of air.",
                "label": "yes",
            },
            {
                "question": "Is a pear a stone?",
                "options": [],
                "explanation": "Stones hold no air, and pears do.",
                "label": "no",
            },
        ],
        "dropped": {"unknown answer": 1},
    }
    assert [q.stage for q in asked] == [
        "follow_ups", "answer 1", "answer 2", "answer 3", "restate 1", "restate 2",
    ]  # fmt: skip
    assert asked[0].max_tokens == 3 * consistency_prompts("yes_no")["follow_ups"].max_tokens
    shown = asked[1].text.rpartition("\n\n")[2]
    assert STARTER.posed.question in shown and "Pears hold air. So the answer is no." in shown
    assert "Does a pear hold air?" in shown
    restating = asked[5].text
    assert restating.rstrip().endswith(
        "Asked: Is a pear a stone?\nReason: Stones hold none. So the answer is no.\nWritten again:"
    )
    assert STARTER.posed.question not in restating, "who restates must not see the starter"


def test_consistent_answers_with_options_are_named_by_letter():
    listed = "1. What holds air?\nA) stones\nB) pears\n2. What is heavy?\nA) air\nB) stones"
    starter = Reasoned(ASKED["options"], "Pears and corks hold air, stones do not.", "B")
    answers = {1: "Pears hold air. So the answer is B.", 2: "Perhaps the one in the sea."}
    restated = {1: "There is air in pears. So the answer is B."}
    _, read = talk(answers, restated, starter, listed, "options")
    assert read["rows"] == [
        {
            "question": "What holds air?",
            "options": ["stones", "pears"],
            "explanation": "There is air in pears.",
            "label": "B",
        }
    ]
    assert read["dropped"] == {"unreadable answer": 1}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "unreadable answer"),
        ("I'm sorry, but I can't help with that.", "unreadable answer"),
        ("Perhaps pears do.", "unreadable answer"),
        ("So the answer is yes.", "no explanation"),
        ("It is not known. So the answer is unknown.", "unknown answer"),
        ("No, pears hold none. So the answer is yes.", "contradicts itself"),
        (Answer("Pears hold air. So the answer is yes.", True), "cut off"),
        (
            "A burning match uses up the little oxygen that a closed bottle holds, and then it goes"
            " out. So the answer is yes.",
            "copied from the prompt",
        ),
    ],
)
def test_consistent_answers_bad_answer_is_dropped_and_counted(answer, reason):
    assert one(answer) == {"rows": [], "dropped": {reason: 1}}


@pytest.mark.parametrize(
    ("restated", "reason"),
    [
        ("", "unreadable restatement"),
        ("Pears hold air.", "unreadable restatement"),
        ("Pears hold air. So the answer is unknown.", "unreadable restatement"),
        ("Pears hold no air. So the answer is no.", "restated with another answer"),
        ("So the answer is yes.", "no explanation"),
        ("As the explanation says, pears do. So the answer is yes.", MENTIONS),
        ("Would a pear sink in water? It holds air. So the answer is yes.", MENTIONS),
        ("No, pears hold no air. So the answer is yes.", "contradicts itself"),
        (Answer("Pears hold air. So the answer is yes.", True), "cut off"),
        (
            "Wood hardly carries heat, and steel carries it well. So the answer is yes.",
            "copied from the prompt",
        ),
    ],
)  # fmt: skip
def test_consistent_answers_bad_restatement_is_dropped_and_counted(restated, reason):
    assert one("Pears hold air. So the answer is yes.", restated) == {
        "rows": [],
        "dropped": {reason: 1},
    }


@pytest.mark.parametrize("listed", ["", "I'm sorry, but I can't help with that."])
def test_consistent_answers_teacher_that_writes_no_follow_ups_is_asked_nothing_more(listed):
    asked, read = talk({}, listed=listed)
    assert read == {"rows": [], "dropped": {"no follow-ups": 1}} and len(asked) == 1


def test_consistent_answers_repeated_starter_and_examples_are_no_follow_ups():
    shown = consistency_prompts("yes_no")["follow_ups"].render(
        **dict.fromkeys(SLOTS["follow_ups"], "")
    )
    listed = f"1. {STARTER.posed.question}\n2. Does a flame use up oxygen?"
    assert "Does a flame use up oxygen?" in shown
    _, read = talk({}, listed=listed)
    assert read["dropped"] == {"repeats the original": 1, "copied from the prompt": 1}


MENTIONING = [
    "As the explanation above says, pears float.",
    "As mentioned, pears float.",
    "As mentioned above, pears float.",
    "As was said before, pears float.",
    "As I explained earlier, pears float.",
    "Pears float, as stated in the explanation.",
    "According to the explanation, pears float.",
    "Based on the information given, pears float.",
    "Based on the given information, pears float.",
    "Given the context, pears float.",
    "From the explanation it follows that pears float.",
    "In the original question it is said that pears float.",
    "The starter question was about pears.",
    "The previous answer shows that pears float.",
    "The passage says that pears float.",
    "The reason does not tell whether pears float.",
    "The text mentions that pears float.",
    "The explanation’s point is that pears float: the explanation is right.",
    "Somebody explained that pears float.",
    "This question asks about pears.",
    "It was asked: Would a pear sink in water? It would not.",
    "The answer to would a PEAR sink, in water is no.",
]
ALONE = [
    "Pears float because they hold air.",
    "A pear would not sink in water.",
    "The first reason for this is that pears hold air.",
    "The Bible says that pears float.",
    "The question of whether pears float was settled in 1900.",
    "As Darwin explained, pears float.",
    "As stated by the law of Archimedes, bodies float.",
    "The original recipe holds pears. The text of the law is short.",
    "Pears are described in old books, and mentioned in songs.",
    "In this case the pear floats, given the right water.",
    "The explanation for this is that pears hold air.",
    "",
]


@pytest.mark.parametrize("answer", MENTIONING)
def test_mentions_starter_answer_that_points_back_is_found(answer):
    assert mentions_starter(answer, STARTER.posed.question)


@pytest.mark.parametrize("answer", ALONE)
def test_mentions_starter_answer_that_stands_alone_is_not(answer):
    assert not mentions_starter(answer, STARTER.posed.question)


def test_mentions_starter_short_question_is_no_quotation():
    assert not mentions_starter("Do pears float? They do.", "Pears float?")


@given(st.text(), st.text())
def test_mentions_starter_any_text_is_no_error(answer, question):
    assert mentions_starter(answer, question) in {True, False}


@pytest.mark.parametrize(
    ("explanation", "wanted"),
    [
        (" Pears hold air ", "Pears hold air."),
        ("Pears hold air.\nSo they float.", "Pears hold air. So they float."),
        ("Pears hold air. So the answer is no.", "Pears hold air."),
        ("Pears hold air, so the answer is no", "Pears hold air."),
        ("Do pears hold air?", "Do pears hold air?"),
        ('It is said: "Pears hold air."', 'It is said: "Pears hold air."'),
    ],
)
def test_read_starter_takes_off_the_closing_answer_and_ends_with_a_full_stop(explanation, wanted):
    told = read_starter(ASKED["yes_no"], explanation, "no")
    assert told == Reasoned(ASKED["yes_no"], wanted, "no")


@pytest.mark.parametrize("explanation", ["", "  ", "...", "So the answer is no."])
def test_read_starter_without_an_explanation_is_none(explanation):
    assert read_starter(ASKED["yes_no"], explanation, "no") is None


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ("Pears hold air. So the answer is no.", {"explanation": "Pears hold air.", "label": "no"}),
        ("Pears are heavy. So the answer is yes.", {"dropped": "wrong answer"}),
        ("It depends. So the answer is unknown.", {"dropped": "unknown answer"}),
        ("So the answer is no.", {"dropped": "no explanation"}),
        ("Hm.", {"dropped": "unreadable answer"}),
        (Answer("Pears hold air. So the answer is no.", True), {"dropped": "cut off"}),
    ],
)
def test_explain_keeps_only_right_answers_with_an_explanation(answer, read):
    prompts = consistency_prompts("yes_no")
    known = Answered(ASKED["yes_no"], "no", frozenset({"no"}))
    asked, found = hold_alone(explain(known, prompts), answer)
    assert found == read and asked[0].stage == "explain"


READS = {
    "h1": {
        "rows": [
            {"question": "Do pears hold air?", "options": [], "explanation": "So.", "label": "yes"},
            {"question": "Is chalk soft?", "options": [], "explanation": "x", "label": "no"},
        ],
        "dropped": {"unknown answer": 2},
    },
    "h2": {
        "rows": [
            {"question": "do pears hold air", "options": [], "explanation": "No.", "label": "no"}
        ],
        "dropped": {"unknown answer": 1, "cut off": 1},
    },
}  # fmt: skip
STARTERS = {"h1": STARTER, "h2": Reasoned(Posed("Is chalk soft?"), "It crumbles.", "yes")}


def test_completions_are_originals_and_consistent_answers_without_duplicates():
    prompts = consistency_prompts("yes_no")
    rows, dropped = completions(STARTERS, READS, prompts)
    assert [(row.origin, row.answer) for row in rows] == [
        ("h1", "Pears hold air. So the answer is no."),
        ("h1", "So. So the answer is yes."),
        ("h2", "It crumbles. So the answer is yes."),
    ]
    assert dropped == Counter({"unknown answer": 3, "cut off": 1, "duplicate": 2})
    assert rows[0].text.startswith("Would a pear sink in water?\n")
    assert by_question(rows) == {"h1": rows[:2], "h2": rows[2:]}


def test_completions_with_options_show_them_and_end_with_the_letter():
    prompts = consistency_prompts("options")
    starter = Reasoned(ASKED["options"], "Stones are heavy.", "B")
    rows, _ = completions({"h": starter}, {"h": {"rows": [], "dropped": {}}}, prompts)
    assert rows == [
        Completion(
            prompts["train"].render(question=ASKED["options"].text, answers="A, B or C").strip(),
            prompts["train"].cue,
            "Stones are heavy. So the answer is B.",
            "h",
        )
    ]
    assert "A) pears\nB) stones\nC) corks" in rows[0].text
    assert read_explained(rows[0].answer, ASKED["options"].forms).label.value == "B"


@pytest.mark.parametrize(
    ("kind", "task"),
    [("yes_no", "sample_consistency_yes_no"), ("options", "selfcheck_consistency_medqa")],
)
def test_prompts_share_no_words_and_no_examples_with_those_that_score(kind, task):
    scoring = build_manager().load(task)["tasks"][task].prompts
    mine = consistency_prompts(kind).stages
    fixed = dict.fromkeys(("asked", "explanation", "question", "answers", "label", "reply"), "")

    def lines(prompts, slots):
        texts = (prompt.render(**{**fixed, **slots}) for prompt in prompts.values())
        bare = (re.sub(r'"[^"]*"', ";", text) for text in texts)  # the closing words are learnt
        return {line for text in bare for line in text.split("\n")}

    slots = {"count": "5", "options": "4"}
    theirs = lines(scoring, slots)
    examples = {line for line in theirs if line.endswith("?")}
    assert examples and not examples & lines(mine, slots)
    for line in lines(mine, slots):
        grams = {tuple(split(line)[n : n + 8]) for n in range(len(split(line)) - 7)}
        for other in theirs:
            shared = grams & {tuple(split(other)[n : n + 8]) for n in range(len(split(other)) - 7)}
            assert not shared, f"{line!r} has {shared} of {other!r}"
    asked = mine["train"].render(question="Q", answers="yes or no")
    assert not re.search(r"answer the question|first explain|so the answer is", asked, re.I)


def test_examples_are_in_no_data_set(real_data):
    from harness.data import DataRef, load_split

    splits = [
        load_split(DataRef(*told))
        for told in (
            ("ChilleD/StrategyQA", "train"),
            ("ChilleD/StrategyQA", "test"),
            ("google/boolq", "validation"),
            ("allenai/ai2_arc", "test", "ARC-Challenge"),
            ("allenai/openbookqa", "test", "main"),
            ("tau/commonsense_qa", "validation"),
        )
    ]
    for kind in ("yes_no", "options"):
        for stage, prompt in consistency_prompts(kind).stages.items():
            text = prompt.render(**dict.fromkeys(SLOTS[stage], ""))
            asked = re.findall(r"[^\n:.]+\?", text)
            assert leaks([question.strip() for question in asked], splits) == {}
