"""Lessons of explanation distillation: what is learnt, by hand; and explanations dealt out anew."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from finetune.formats import Completion, Lesson
from finetune.split import normalised
from finetune.writing.lesson_rows import (
    describe_explanations,
    explanation_rows,
    lessons,
    names_answer,
    shuffle,
)
from finetune.writing.rationales import SLOTS, distill_prompts
from finetune.writing.teacher_answers import Reasoned
from harness.domains import Posed
from harness.errors import DataError
from harness.selection import build_manager

GOLDEN = Path(__file__).parents[2] / "golden" / "prompts"
POSED = {
    "yes_no": Posed("Did Ann <i>row</i> {{ 7 * 7 }} times?"),
    "options": Posed("Where is Ann?", ("sea", "{{ 7 }}")),
}
ROWS = Reasoned(Posed("Does Ann row?"), "She has oars.", "yes")
SINKS = Reasoned(Posed("What sinks?", ("corks", "stones")), "Stones are heavy.", "B")


def completion(text, cue, answer):
    return Completion(text, cue, answer, "doc")


def learnt(told, objective, kind):
    (lesson,) = lessons({"doc": told}, objective, distill_prompts(kind))
    return lesson


def test_lesson_of_answers_alone_has_no_explanation():
    assert learnt(SINKS, None, "options") == Lesson(
        completion(
            "What sinks?\nA) corks\nB) stones\n\nAnswer with A or B, and nothing else.",
            "Answer:",
            "B",
        ),
        None,
    )


def test_lesson_of_mt_re_explains_without_the_answer():
    assert learnt(SINKS, "mt_re", "options").explaining == completion(
        "What sinks?\nA) corks\nB) stones\n\n"
        "Explain in one to three sentences what decides the answer.",
        "Explanation:",
        "Stones are heavy.",
    )


def test_lesson_of_mt_ra_answers_and_then_explains():
    assert learnt(ROWS, "mt_ra", "yes_no").explaining == completion(
        'Does Ann row?\n\nAnswer with yes or no, then say "because", and give your reasons.',
        "Answer:",
        "yes because She has oars.",
    )


def test_lesson_of_mt_cot_explains_and_then_answers():
    told = learnt(ROWS, "mt_cot", "yes_no").explaining
    assert told is not None
    assert told.text.endswith("\n\nQuestion: Does Ann row?\nAnswer:")
    assert (told.cue, told.answer, told.origin) == (
        "",
        "She has oars. So the answer is yes.",
        "doc",
    )


@pytest.mark.parametrize("kind", POSED)
def test_lessons_ask_for_the_answer_alike_whatever_is_explained(kind):
    told = {"doc": ROWS if kind == "yes_no" else SINKS}
    prompts = distill_prompts(kind)
    first, *others = (
        lessons(told, objective, prompts) for objective in (None, "mt_re", "mt_ra", "mt_cot")
    )
    assert all([row.answering for row in rows] == [first[0].answering] for rows in others)


def test_explanation_rows_are_what_mt_re_learns():
    prompts = distill_prompts("options")
    told = {"a": SINKS, "b": SINKS}
    assert explanation_rows(told, prompts) == [
        row.explaining for row in lessons(told, "mt_re", prompts)
    ]


def load(task):
    return build_manager().load(task)["tasks"][task]


OPTIONS_DOC = {
    "question": POSED["options"].question,
    "choices": {"text": list(POSED["options"].options), "label": ["A", "B"]},
    "answerKey": "B",
}
YES_NO_DOC = {"question": POSED["yes_no"].question, "answer": True}


@pytest.mark.parametrize(
    ("task", "kind", "doc"),
    [
        ("sample_reasoning_yes_no", "yes_no", YES_NO_DOC),
        ("selfcheck_reasoning_strategyqa", "yes_no", YES_NO_DOC),
        ("sample_reasoning_choice", "options", OPTIONS_DOC),
        ("selfcheck_reasoning_commonsenseqa", "options", OPTIONS_DOC),
    ],
)
def test_answers_are_asked_for_in_the_words_of_the_tasks_that_score_them(task, kind, doc):
    scored = load(task).question(doc)
    row = learnt(Reasoned(POSED[kind], "-", POSED[kind].labels[0]), None, kind).answering
    assert (row.text, row.cue) == (scored.text, scored.cue)


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("sample_consistency_yes_no", "yes_no"),
        ("selfcheck_consistency_strategyqa", "yes_no"),
        ("selfcheck_consistency_commonsenseqa", "options"),
        ("selfcheck_consistency_openbookqa", "options"),
    ],
)
def test_mt_cot_is_asked_in_the_words_of_the_tasks_that_score_consistency(task, kind):
    scored, posed = load(task).prompts["explain"], POSED[kind]
    row = learnt(Reasoned(posed, "-", posed.labels[0]), "mt_cot", kind).explaining
    assert row is not None
    assert row.text == scored.render(question=posed.text, answers=posed.answers).strip()
    assert row.cue == scored.cue


@pytest.mark.parametrize("kind", POSED)
def test_prompts_are_the_golden_ones(kind):
    prompts, posed = distill_prompts(kind), POSED[kind]
    slots = {"question": posed.text, "answers": posed.answers, "right": "-"}
    told = "".join(
        f"--- {stage}\n{prompts[stage].render(**slots).strip()}\n{prompts[stage].cue}\n"
        for stage in SLOTS
    )
    golden = GOLDEN / f"finetune_distill_{kind}.txt"
    assert golden.is_file(), f"no {golden}; write:\n{told}"
    assert golden.read_text(encoding="utf-8") == told


def asked(texts):
    return {
        f"h{place:03}": Reasoned(Posed(f"Question {place}?"), text, ("yes", "no")[place % 2])
        for place, text in enumerate(texts)
    }


@given(st.lists(st.integers(0, 5), min_size=2, max_size=40), st.integers(0, 2**32 - 1))
def test_shuffle_deals_the_same_explanations_to_other_questions(numbers, seed):
    assume(max(Counter(numbers).values()) <= len(numbers) // 2)
    told = asked([f"Reason {number}." for number in numbers])

    dealt = shuffle(told, seed)

    assert list(dealt) == list(told)
    assert all(dealt[key].explanation != one.explanation for key, one in told.items())
    assert Counter(one.explanation for one in dealt.values()) == Counter(
        one.explanation for one in told.values()
    )
    assert all(
        (dealt[key].posed, dealt[key].label) == (one.posed, one.label) for key, one in told.items()
    )
    assert shuffle(dict(reversed(told.items())), seed) == dealt


@given(st.integers(0, 2**32 - 1))
def test_shuffle_explanations_that_differ_in_case_and_points_alone_are_one(seed):
    dealt = shuffle(asked(["It is.", "it is", "No.", "Never."]), seed)
    assert {normalised(dealt[key].explanation) for key in ("h000", "h001")} == {"no", "never"}


def test_shuffle_other_seed_deals_otherwise():
    told = asked([f"Reason {number}." for number in range(20)])
    assert shuffle(told, 1) != shuffle(told, 2)


def test_shuffle_does_not_look_at_answers():
    """Of 2 x 50 questions, a question gets the explanation of one of its own answer in 49 of 99."""
    told = asked([f"Reason {number}." for number in range(100)])
    owner = {one.explanation: one.label for one in told.values()}
    same = [
        sum(owner[one.explanation] == one.label for one in shuffle(told, seed).values())
        for seed in range(200)
    ]
    assert sum(same) / 200 == pytest.approx(100 * 49 / 99, abs=2)  # standard error 0.35


@pytest.mark.parametrize("texts", [[], ["A."], ["A."] * 3, ["A.", "A.", "B."]])
def test_shuffle_too_few_different_explanations_are_told(texts):
    with pytest.raises(DataError, match=r"leave shuffled out of data\.controls"):
        shuffle(asked(texts), 0)


OPTIONS = ("at sea", "a tree", "C++", "…", "The")


@pytest.mark.parametrize(
    ("explanation", "label", "named"),
    [
        ("She rows AT  SEA.", "A", True),
        ("She is at seaside resorts.", "A", False),
        ("At the sea.", "A", False),
        ("The answer is (A).", "A", True),
        ("Only option A) fits.", "A", True),
        ("A tree has leaves.", "A", False),
        ("Only the tree has leaves.", "B", True),
        ("The others have none.", "E", True),
        ("Of a tree’s leaves none fell: a-tree!", "B", True),
        ("Written in C++.", "C", True),
        ("Written in c.", "C", False),
        ("Anything at all …", "D", False),
        ("", "A", False),
    ],
)
def test_names_answer_is_that_the_option_stands_there_by_text_or_letter(explanation, label, named):
    assert names_answer(Reasoned(Posed("Where?", OPTIONS), explanation, label)) is named


@pytest.mark.parametrize(
    ("explanation", "label", "named"),
    [
        ("No, it floats.", "no", True),
        ("It floats. So the answer is no.", "no", True),
        ("There is no air.", "no", False),
        ("It is true that it floats.", "yes", False),
        ("Nothing floats in November.", "no", False),
        ("No, it floats.", "yes", False),
    ],
)
def test_names_answer_of_yes_and_no_is_that_it_is_said_as_an_answer(explanation, label, named):
    assert names_answer(Reasoned(Posed("Does it?"), explanation, label)) is named


@given(st.text(), st.lists(st.text(), min_size=2, max_size=4))
def test_names_answer_any_text_is_no_error(explanation, options):
    assert names_answer(Reasoned(Posed("?", tuple(options)), explanation, "A")) in {True, False}


def test_describe_explanations_gives_shares_and_means():
    told = {"a": SINKS, "b": Reasoned(SINKS.posed, "They are so.", "A"), "c": ROWS, "d": ROWS}
    assert describe_explanations(told) == {  # stones are named; 3 words each
        "leak (explanations that name the answer)": 0.25,
        "words per explanation": 3.0,
    }
    assert describe_explanations({}) == {}
