"""LaFFi: whose feedback a document gets, and what of a row is learnt."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune import laffi
from finetune.finetuning import find_documents
from finetune.recipe import Asked, LaffiData, Model, Recipe, Score
from finetune.scoring import evaluated_tasks
from finetune.split import Guarded
from finetune.stages import Documents
from finetune.writing.annotations import Annotation, write_annotations
from finetune.writing.feedback import feedback_prompts, feedback_row, judged, templated
from finetune.writing.human_share import asked_of_people, check_annotations, find_annotations
from harness.data import DataRef, Split, doc_hash, load_split
from harness.domains.passages import PassageQuestion
from harness.errors import ConfigError, DataError, ModelError
from tests.tiny import CHAT_TEMPLATE, save_tiny_llama
from tests.trainings import build
from tests.trainings import recipe as training
from tests.unit.finetune.talking import hold_alone

PROMPTS = feedback_prompts()
ENDED = CHAT_TEMPLATE.replace(
    "{{ m['content'] }}\n", "{{ m['content'] }}{{ '<eos>' if m['role'] == 'assistant' }}\n"
)
"""A chat template that ends an answer with the end token."""
DOCS = [
    {
        "context": f"Ann sold {count} apples on the quay.",
        "question": f"Who sold {count} apples?" if count % 2 else f"Who ate {count} apples?",
        "answers": {"text": ["Ann"] if count % 2 else []},
    }
    for count in range(20)
]
HASHES = [doc_hash(doc) for doc in DOCS]
DATA = LaffiData(questions="x/y", annotator="templated")


def recipe(**data: Any) -> Recipe:
    return Recipe(
        method="laffi",
        seed=3,
        model=Model(name="org/model", chat_template=False),
        data=replace(DATA, **data),
        score=Score(tasks=["x"]),
    )


def documents() -> Documents:
    return Documents(
        Split(recipe().data.ref, DOCS, HASHES, "", "", 0), Guarded(DOCS, HASHES, []), []
    )


PASSAGES = laffi.find_passages(recipe(), documents())


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Have a model and a teacher that answer by rule; gives who was asked about what."""
    asked: dict[str, Any] = {"answer": [], "feedback": []}

    def reply(digest: str, question: Any) -> str:
        asked[question.stage].append(digest)
        if question.stage == "answer":
            return asked.get("says", " Ann")
        return asked.get("judges", " wrong\nWhy: Nobody ate any there.\nWhat would be right: Ann")

    def hold(teacher: Any, dialogues: dict[str, Any]) -> dict[str, Any]:
        return {
            digest: hold_alone(start(), reply=lambda question, key=digest: reply(key, question))[1]
            for digest, start in dialogues.items()
        }

    monkeypatch.setattr(laffi, "hold", hold)
    return asked


def give(told: Recipe, annotations: dict[str, Annotation] | None = None) -> Any:
    return give_all(told, annotations)[0]


def give_all(told: Recipe, annotations: dict[str, Annotation] | None = None) -> Any:
    people = asked_of_people(told.data, HASHES)  # type: ignore[arg-type]
    return laffi.give_feedback(told, PASSAGES, people, annotations or {}, PROMPTS)


def annotation(digest: str, **changes: Any) -> Annotation:
    asked = PASSAGES[digest]
    told = {
        "id": digest, "context": asked.context, "question": asked.question, "model_answer": "Ann",
        "is_right": bool(asked.golds), "why": "So I read it", "right_answer": "Ann or nobody",
        "annotator": "maria",
    }  # fmt: skip
    return Annotation(**{**told, **changes})


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=5).map(sorted),
    st.integers(0, 60),
    st.integers(0, 2**32 - 1),
)
def test_asked_of_people_larger_share_begins_with_a_smaller_ones(shares, number, seed):
    hashes = [doc_hash({"n": place}) for place in range(number)]
    told = []
    for share in shares:
        if share and not round(share * number):
            with pytest.raises(DataError, match="that is none"):
                asked_of_people(replace(DATA, human_fraction=share, subset_seed=seed), hashes)
            continue
        data = replace(DATA, human_fraction=share, subset_seed=seed)
        told.append(asked_of_people(data, hashes))
        assert len(told[-1]) == round(share * number)
        assert set(told[-1]) <= set(hashes)
    for smaller, larger in pairwise(told):
        assert larger[: len(smaller)] == smaller


def test_asked_of_people_hangs_on_the_seed_of_the_data_and_not_on_their_order():
    half = replace(DATA, human_fraction=0.5, subset_seed=1)
    first = asked_of_people(half, HASHES)
    assert asked_of_people(half, HASHES[::-1]) == first
    assert asked_of_people(replace(half, subset_seed=2), HASHES) != first


def test_to_annotate_gives_the_same_documents_whatever_the_seed_of_the_recipe(said):
    """Seeds are swept with one file of annotations."""
    told = [replace(recipe(human_fraction=0.5), seed=seed) for seed in (1, 2, 3)]
    first, *others = ([row.id for row in laffi.to_annotate(one, documents())] for one in told)
    assert len(first) == 10 and others == [first, first]


def test_give_feedback_by_rules_judges_every_answer(said):
    made = give(recipe())
    assert [row.origin for row in made.rows] == HASHES
    assert {row.answer for row in made.rows} == {
        "The answer is right. The passage gives just this.",
        "The answer is wrong. The passage does not answer the question. "
        "A right answer would be: unanswerable.",
    }
    assert said["feedback"] == [] and len(said["answer"]) == 20
    assert made.told == {
        "feedback: human": 0, "feedback: templated": 20, "share of answers judged right": 0.5,
        "annotated answers that the model gives otherwise now": 0,
        "answers cut off": 0, "answers not readable": 0,
    }  # fmt: skip


def test_give_feedback_by_people_is_theirs_word_for_word_and_the_rest_is_not(said):
    told = recipe(human_fraction=0.25, annotations="f")
    people = asked_of_people(told.data, HASHES)
    made = give(told, {digest: annotation(digest) for digest in people})
    theirs = [row for row in made.rows if "So I read it." in row.answer]
    assert {row.origin for row in theirs} == set(people) and len(theirs) == 5
    for row in theirs:
        right = bool(PASSAGES[row.origin].golds)
        assert row.answer == (
            "The answer is right. So I read it."
            if right
            else "The answer is wrong. So I read it. A right answer would be: Ann or nobody."
        )
    assert (made.facts["feedback: human"], made.facts["feedback: templated"]) == (5, 15)


def test_give_feedback_teacher_is_asked_about_what_people_are_not_and_drops_are_counted(said):
    """Every second answer is right, and the teacher calls it wrong; no other one would be Ann."""
    told = recipe(annotator="ai", human_fraction=0.5, annotations="f")
    people = asked_of_people(told.data, HASHES)
    made = give(told, {digest: annotation(digest) for digest in people})
    assert sorted(said["feedback"]) == sorted(set(HASHES) - set(people))
    assert {row.origin for row in made.rows} == set(people)
    rest = [digest for digest in HASHES if digest not in people]
    right = sum(bool(PASSAGES[digest].golds) for digest in rest)
    assert made.dropped == {
        "contradicts the right answers": right, "names a wrong answer as right": 10 - right,
    }  # fmt: skip
    assert made.facts["feedback: ai"] == 0


def test_give_feedback_teacher_that_is_of_use_is_learnt_from(said):
    said["says"] = "Bob"
    said["judges"] = "wrong\nWhy: It is Ann who sold them.\nWhat would be right: Ann"
    made = give(recipe(annotator="ai"))
    assert len(made.rows) == made.facts["feedback: ai"] == 10
    assert {row.answer for row in made.rows} == {
        "The answer is wrong. It is Ann who sold them. A right answer would be: Ann."
    }
    assert made.dropped == {"names a wrong answer as right": 10}  # where there is none


def test_give_feedback_on_an_answer_that_the_model_no_longer_gives_is_learnt_with_it(said):
    """On another machine it may answer otherwise, or not at all."""
    told = recipe(human_fraction=0.5, annotations="f")
    people = asked_of_people(told.data, HASHES)
    theirs = {digest: annotation(digest) for digest in people}
    theirs[people[0]] = annotation(people[0], model_answer="Ann  or\nBob")
    made = give(told, theirs)
    (row,) = (row for row in made.rows if row.origin == people[0])
    assert "Answer given: Ann or Bob\n" in row.text
    assert made.facts["annotated answers that the model gives otherwise now"] == 1
    assert len(made.rows) == 20
    said["says"] = " \n"
    made = give(told, theirs)
    assert [row.origin for row in made.rows] == [one for one in HASHES if one in theirs]
    assert made.facts["annotated answers that the model gives otherwise now"] == 10
    assert made.dropped == {"no answer of the model": 10}


def test_give_feedback_says_of_each_row_who_gave_it(said):
    said["judges"] = "wrong\nWhy: Nobody ate any there.\nWhat would be right: unanswerable"
    told = replace(
        recipe(annotator="ai", human_fraction=0.5, annotations="f"),
        teacher=Asked(args={"pretrained": "org/teacher"}),
    )
    people = asked_of_people(told.data, HASHES)
    names = dict(zip(people, ["ann", "bob"] * 5, strict=True))
    made, given = give_all(told, {one: annotation(one, annotator=names[one]) for one in people})
    assert [one.origin for one in given] == [row.origin for row in made.rows]
    for one, row in zip(given, made.rows, strict=True):
        by_person = one.origin in names
        assert one.annotator == (names[one.origin] if by_person else "ai")
        assert one.teacher == (None if by_person else "hf: org/teacher")
        assert one.model_answer == "Ann" and one.why.rstrip(".") in row.answer
        assert row.answer.startswith(f"The answer is {'right' if one.is_right else 'wrong'}.")
    assert {one.annotator for one in given} == {"ann", "bob", "ai"}
    assert {(one.annotator, one.teacher) for one in give_all(recipe())[1]} == {("templated", None)}


def test_give_feedback_silent_model_leaves_nothing_to_learn(said):
    said["says"] = " \n"
    with pytest.raises(ModelError, match=r"0 answers with feedback .* 20 no answer of the model"):
        give(recipe())


def test_give_feedback_answers_that_cannot_be_read_are_judged_wrong_and_counted(said):
    said["says"] = "I'm sorry, but I can't assist with that."
    made = give(recipe())
    assert made.facts["answers not readable"] == 20
    assert made.facts["share of answers judged right"] == 0


def test_check_annotations_those_that_are_missing_are_counted_with_the_command():
    given = {digest: annotation(digest) for digest in HASHES[:13]}
    with pytest.raises(DataError, match=r"f\.jsonl: 7 of the 20 answers .*annotate export") as told:
        check_annotations("f.jsonl", given, PASSAGES, HASHES, HASHES)
    # 13 of 20 documents stand before the first gap
    assert "or take a data.human_fraction of at most 0.65, which lacks none" in str(told.value)
    data = replace(DATA, human_fraction=0.65)
    assert len(asked_of_people(data, HASHES)) == 13


def test_check_annotations_gap_at_the_start_serves_for_no_share():
    given = {digest: annotation(digest) for digest in HASHES[1:]}
    with pytest.raises(DataError, match="1 of the 20 answers") as told:
        check_annotations("f.jsonl", given, PASSAGES, HASHES, HASHES)
    assert "of at most" not in str(told.value)


def test_check_annotations_documents_without_an_answer_need_none():
    given = {digest: annotation(digest) for digest in HASHES[:13]}
    check_annotations("f.jsonl", given, PASSAGES, HASHES, HASHES[:10])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"question": "Who\x1b[2J?"}, r"the question is 'Who\\x1b[2J?' there, and 'Who "),
        ({"context": "Ann."}, "the passage is 'Ann.' there"),
    ],
)
def test_check_annotations_of_something_else_are_named(change, says):
    given = {digest: annotation(digest) for digest in HASHES}
    given[HASHES[4]] = annotation(HASHES[4], **change)
    with pytest.raises(DataError, match=r"f\.jsonl: 1 of 20 .*annotate export") as told:
        check_annotations("f.jsonl", given, PASSAGES, HASHES, HASHES)
    assert f"  {HASHES[4][:12]}: {says}" in str(told.value)


def test_check_annotations_spaces_make_no_other_question():
    asked = PASSAGES[HASHES[0]].question
    given = {HASHES[0]: annotation(HASHES[0], question=f" {asked}\n")}
    check_annotations("f.jsonl", given, PASSAGES, HASHES[:1], HASHES)


def test_find_annotations_takes_those_of_the_share_alone(tmp_path: Path):
    file = tmp_path / "people.jsonl"
    write_annotations(file, [annotation(digest) for digest in HASHES[:6]])
    data = replace(DATA, annotations=str(file), human_fraction=0.1)
    assert find_annotations(data, HASHES[4:8]).keys() == set(HASHES[4:6])
    assert find_annotations(DATA, []) == {}
    with pytest.raises(DataError, match="2 of the 2 answers"):
        find_annotations(data, HASHES[8:10])


def test_find_annotations_no_file_is_told_with_the_command():
    with pytest.raises(ConfigError, match=r"data\.annotations: null.*selfcheck annotate export"):
        find_annotations(DATA, HASHES[:2])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, None),
        ({"answers": None}, "answers"),
        ({"answers": {"text": "Ann"}}, "a list of answers"),
        ({"context": " "}, "context"),
    ],
)
def test_problem_says_what_a_document_lacks(change, fault):
    told = laffi.problem(recipe(), {**DOCS[1], **change})
    assert told is None if fault is None else fault in str(told)


def test_documents_over_a_scored_passage_are_left_out_whatever_they_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    scored = load_split(DataRef("selfcheck-sample/extractive_qa", "test")).docs[0]["context"]
    passages = [scored, f"In short. {scored.upper()} The end."]
    leaked = [
        {"context": text, "question": f"Is this no. {n}?", "answers": {"text": []}}
        for n, text in enumerate(passages)
    ]
    rows = [*DOCS, *leaked]
    file = tmp_path / "x__y" / "train.jsonl"
    file.parent.mkdir()
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    told = replace(recipe(), score=Score(tasks=["sample_qa"], retention=[]))
    kept = find_documents(told, evaluated_tasks(told)).kept
    assert [doc["question"] for doc in kept.docs] == [doc["question"] for doc in DOCS]
    assert [one.why for one in kept.leaked] == ["same text", "near copy"]


def misaligned(ids: list[int], labels: list[int], prompt: list[int], answer: list[int]) -> str:
    """Say where labels are not those of an answer after its prompt, padded; "" if nowhere."""
    whole = [*prompt, *answer]
    if ids[: len(whole)] != whole:
        return "the row is not prompt and answer"
    wanted = [-100] * len(prompt) + answer + [-100] * (len(ids) - len(whole))
    places = [
        place for place, pair in enumerate(zip(labels, wanted, strict=True)) if len({*pair}) > 1
    ]
    return f"token {places[0]}" if places else ""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"), chat=ENDED)


def rows() -> list[Any]:
    said = ["Ann", "unanswerable", "Bob's niece Ann", "I'm sorry, but I can't assist with that."]
    asked = [PassageQuestion("Ann sold apples.", "Who sold?", ("Ann",)) for _ in said]
    reads = [{"text": text, "value": None if "sorry" in text else text} for text in said]
    told = [judged(one, read) for one, read in zip(asked, reads, strict=True)]
    return [
        feedback_row(one, answer.text, templated(one, answer), PROMPTS, f"h{place}")
        for place, (one, answer) in enumerate(zip(asked, told, strict=True))
        if answer
    ]


@pytest.mark.parametrize("chat", [False, True])
def test_batch_learns_the_feedback_and_its_end_and_nothing_of_the_prompt(
    chat: bool, tiny: Path, tmp_path: Path
):
    """The tokenizer pads with the end token; a byte is a token, so lengths are those of texts."""
    trainer = build(training(tiny, chat=chat), tmp_path, rows())
    tokenizer = trainer.processing_class
    assert tokenizer.pad_token == tokenizer.eos_token
    batch = trainer.data_collator([trainer.train_dataset[place] for place in range(4)])
    assert len({int(row.sum()) for row in batch["attention_mask"]}) > 1  # some are padded
    for row, ids, labels in zip(rows(), batch["input_ids"], batch["labels"], strict=True):
        if chat:
            turn = [{"role": "user", "content": row.text}]
            asked = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
            learnt = f"{row.answer}<eos>\n"
        else:
            asked, learnt = f"{row.text}\n{row.cue}", f" {row.answer}<eos>"
        prompt, answer = tokenizer(asked)["input_ids"], tokenizer(learnt)["input_ids"]
        told = ids.tolist(), labels.tolist()
        assert misaligned(*told, prompt, answer) == ""
        assert tokenizer.decode(labels[labels != -100]) == learnt
        assert labels.tolist()[len(prompt) :].count(tokenizer.eos_token_id) == 1
        assert len(answer) > 40 and "The answer is" in learnt
        for shift in (-1, 1):  # what the function is worth: it sees labels moved by a token
            moved = labels.roll(shift).tolist()
            assert misaligned(told[0], moved, prompt, answer)
        assert misaligned(*told, prompt[:-1], answer) and misaligned(*told, prompt, answer[:-1])
        assert misaligned(told[0], told[0], prompt, answer) == "token 0"  # an unmasked prompt
