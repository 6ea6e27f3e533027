"""Explanation distillation without a model: which documents, explanations and trainings."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from finetune.distill import (
    UNANSWERED,
    baselines,
    find_explanations,
    plan_arms,
    problem,
    reread,
)
from finetune.recipe import DistillData, Model, Recipe, Score
from finetune.split import Guarded, guard
from finetune.stages import Documents
from finetune.writing.lesson_rows import describe_explanations
from finetune.writing.rationales import distill_prompts
from finetune.writing.teacher_answers import Reasoned
from harness.data import DataRef, doc_hash, load_split
from harness.domains import Posed, build_questions
from harness.errors import DataError

GIVEN = DistillData(
    questions="x/y",
    kind="options",
    explanations="given",
    explanation="rationale",
    teacher_answer="theirs",
)
DOC: dict[str, Any] = {
    "question": "What sinks?",
    "choices": {"text": ["corks", "stones", "leaves"], "label": ["A", "B", "C"]},
    "answerKey": "B",
    "rationale": "Stones are heavy.",
    "theirs": "B",
}
YES_NO = DistillData(
    questions="x/y",
    kind="yes_no",
    explanations="given",
    explanation="facts",
    teacher_answer="theirs",
)


def recipe_of(data: DistillData) -> Recipe:
    model = Model(name="m", chat_template=False)
    return Recipe(method="distill", model=model, data=data, score=Score(tasks=["x"]))


def documents(docs: list[dict[str, Any]]) -> Documents:
    kept = Guarded(docs, [doc_hash(doc) for doc in docs], [])
    split = load_split(DataRef("selfcheck-sample/rationales", "train"))
    return Documents(split, kept, [])


def variants(count: int = 8, **changes: Any) -> list[dict[str, Any]]:
    return [{**DOC, "question": f"What sinks, {place}?", **changes} for place in range(count)]


def explained(docs: list[dict[str, Any]], data: DistillData = GIVEN) -> tuple[list[str], Any]:
    made = find_explanations(data, documents(docs), None, distill_prompts(data.kind))
    return [row.answer for row in made.rows], made  # type: ignore[union-attr]


def test_problem_document_with_all_columns_has_none():
    assert problem(recipe_of(GIVEN), DOC) is None
    assert problem(recipe_of(GIVEN), {**DOC, "rationale": None, "theirs": None}) is None


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("question", "no column 'question'"),
        ("rationale", r"data\.explanation: no column 'rationale'; there are: answerKey, "),
        ("theirs", r"data\.teacher_answer: no column 'theirs'; there are: "),
    ],
)
def test_problem_missing_column_is_named(column, told):
    doc = {name: value for name, value in DOC.items() if name != column}
    with pytest.raises(AssertionError, match=told):
        raise AssertionError(problem(recipe_of(GIVEN), doc))


def test_problem_explanation_that_is_no_text_is_named():
    assert problem(recipe_of(GIVEN), {**DOC, "rationale": ["x"]}) == "rationale is no text"


def test_problem_columns_of_explanations_do_not_matter_where_the_teacher_writes():
    data = DistillData(questions="x/y", kind="options")
    assert problem(recipe_of(data), {name: DOC[name] for name in list(DOC)[:3]}) is None


def test_explanations_of_wrong_answers_and_of_none_are_dropped():
    docs = [
        *variants(9),
        *(
            {**DOC, "question": f"And {place}?", **change}
            for place, change in enumerate(
                [
                    {"theirs": "A"},
                    {"theirs": "corks"},
                    {"theirs": None},
                    {"theirs": "Z"},
                    {"rationale": None},
                    {"rationale": "So the answer is B."},
                    {"rationale": "Corks float. So the answer is A."},
                ]
            )
        ),
    ]
    rows, made = explained(docs)
    assert rows == ["Stones are heavy."] * 9
    assert made.dropped == Counter({"wrong answer": 3, UNANSWERED: 2, "no explanation": 2})
    assert made.facts == {
        "acceptance (explanations kept, of all documents)": 9 / 16,
        "explained by data": 9,
    }


def test_explanations_without_a_column_of_answers_are_all_taken():
    data = replace(GIVEN, teacher_answer=None)
    assert len(explained(variants(theirs="A"), data)[0]) == 8


def test_explanations_answer_that_says_the_same_as_the_right_one_is_right():
    choices = {"text": ["corks", "stones", "Stones."], "label": ["A", "B", "C"]}
    rows, made = explained(variants(choices=choices, theirs="C"))
    assert len(rows) == 8 and not made.dropped


def test_explanations_of_yes_or_no_questions_are_of_true_or_false():
    docs = [
        {"question": f"Does {n} sink?", "answer": True, "facts": f"{n} is heavy.", "theirs": theirs}
        for n, theirs in enumerate([True] * 8 + [False, None, "yes"])
    ]
    rows, made = explained(docs, YES_NO)
    assert rows == [f"{n} is heavy." for n in range(8)]
    assert made.dropped == Counter({"wrong answer": 1, UNANSWERED: 2})


def test_explanations_too_few_are_told_with_the_reasons():
    docs = [*variants(7), {**DOC, "theirs": "A"}, {**DOC, "theirs": None}]
    with pytest.raises(DataError) as caught:
        explained(docs)
    told = str(caught.value)
    assert "7 explanations of 9 documents are left, at least 8 are needed" in told
    assert "1 wrong answer" in told and f"1 {UNANSWERED}" in told


def test_reread_puts_explanations_to_their_questions():
    docs = variants()
    given = documents(docs)
    _, made = explained(docs)
    told = reread(GIVEN, given, made.rows)
    assert list(told) == given.kept.hashes
    assert told[given.kept.hashes[2]] == Reasoned(
        Posed("What sinks, 2?", ("corks", "stones", "leaves")), "Stones are heavy.", "B"
    )


TOLD = {f"h{n}": Reasoned(Posed(f"Does {n}?"), f"{n} does.", "yes") for n in range(8)}


@pytest.mark.parametrize(
    ("objectives", "controls", "names"),
    [
        (
            ["mt_re", "mt_ra", "mt_cot"],
            ["answer_only", "shuffled"],
            ["answer-only", "mt-re", "mt-ra", "mt-cot-shuffled", "mt-cot"],
        ),
        (["mt_cot", "mt_re"], ["shuffled"], ["mt-cot", "mt-re-shuffled", "mt-re"]),
        (["mt_ra"], ["answer_only"], ["answer-only", "mt-ra"]),
        (["mt_ra"], [], ["mt-ra"]),
    ],
)
def test_plan_arms_ends_with_the_result_after_its_control(objectives, controls, names):
    data = DistillData(questions="x/y", kind="yes_no", objectives=objectives, controls=controls)
    arms = plan_arms(data, TOLD, 3)
    assert list(arms) == names
    assert all(list(questions) == list(TOLD) for questions, _ in arms.values())
    for name, (questions, objective) in arms.items():
        assert (questions == TOLD) is not name.endswith("-shuffled")
        assert objective == (
            None if name == "answer-only" else name.removesuffix("-shuffled").replace("-", "_")
        )


@pytest.mark.parametrize(
    ("name", "arms", "told"),
    [
        ("answer-only", ["answer-only", "mt-re-shuffled", "mt-re"], ()),
        ("mt-ra", ["answer-only", "mt-ra", "mt-re-shuffled", "mt-re"], ("answer-only",)),
        ("mt-re-shuffled", ["answer-only", "mt-re-shuffled", "mt-re"], ("answer-only",)),
        ("mt-re", ["answer-only", "mt-re-shuffled", "mt-re"], ("answer-only", "mt-re-shuffled")),
        ("mt-re", ["mt-re-shuffled", "mt-re"], ("mt-re-shuffled",)),
        ("mt-re", ["mt-re"], ()),
    ],
)
def test_baselines_are_the_controls_that_are_trained(name, arms, told):
    assert baselines(name, arms) == told


PALM = DistillData(
    questions="google-research/distilling-step-by-step",
    config="cqa",
    kind="options",
    explanations="given",
    explanation="rationale",
    teacher_answer="llm_answerKey",
)


def test_real_explanations_of_palm_are_those_of_its_right_answers(real_data):
    recipe = recipe_of(PALM)
    split = load_split(PALM.ref, lambda doc: problem(recipe, doc))
    scored = load_split(DataRef("tau/commonsense_qa", "validation"))
    kept = guard(split.docs, split.hashes, lambda doc: [str(doc["question"])], [scored])
    assert not kept.leaked

    made = find_explanations(
        PALM, Documents(split, kept, [scored]), None, distill_prompts("options")
    )

    assert made.dropped.keys() <= {"wrong answer", UNANSWERED, "no explanation"}
    docs = dict(zip(kept.hashes, kept.docs, strict=True))
    assert {row.origin for row in made.rows} <= docs.keys()
    questions = build_questions("options", {})
    right = sum(
        doc["llm_answerKey"] is not None
        and doc["choices"]["text"][ord(doc["llm_answerKey"]) - ord("A")].casefold()
        == doc["choices"]["text"][ord(questions.gold(doc)) - ord("A")].casefold()
        for doc in kept.docs
    )
    assert len(made.rows) == pytest.approx(right, abs=5)  # PaLM's few-shot accuracy: about 3 of 4
    told = describe_explanations(reread(PALM, Documents(split, kept, [scored]), made.rows))
    assert 0.5 < told["leak (explanations that name the answer)"] < 1
    assert 10 < told["words per explanation"] < 60


def test_real_questions_that_are_scored_are_found_in_what_palm_explained(real_data):
    test = load_split(replace(PALM, split="test").ref)
    scored = load_split(DataRef("tau/commonsense_qa", "validation"))
    with pytest.raises(DataError, match="0 of 1221 documents may be trained on"):
        guard(test.docs, test.hashes, lambda doc: [str(doc["question"])], [scored])
