"""All that a sample tells."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.trial import Trial
from harness.errors import RecordError
from harness.evidence import (
    MASKS,
    VERDICTS,
    excerpt,
    masks_of,
    name_of,
    read_account,
    read_summary,
)
from tests.records import task_run
from tests.unit.evidence import literals
from tests.unit.evidence.literals import EVERY_KIND, HASH, HOSTILE, cut_short

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from([10**400, "simulator", "predict", "explain", "verify", *HOSTILE])
)  # fmt: skip
KEYS = (
    st.sampled_from([
        "doc", "doc_hash", "metrics", "stages", "read", "choices", "answer_only", "prompt",
        "target", "stage", "to", "answer", "score", "choice", "labels", "unreadable", "fault",
        "intervention", "asked", "answers", "faithfulness", "committed", "question", "tokens_in",
        "predict", "verify",
    ])
    | st.text()
)  # fmt: skip
JUNK = st.recursive(
    SCALARS, lambda part: st.lists(part, max_size=4) | st.dictionaries(KEYS, part, max_size=6)
)


def by_stage(account):
    return {turn.stage: turn for turn in account.turns}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_read_account_agrees_with_its_summary(kind):
    told, head = read_account(kind()), read_summary(kind())
    assert head == (told.doc_hash, told.excerpt, told.verdict, told.readable, told.metrics)
    assert told.doc_hash == HASH
    assert told.metrics == kind()["metrics"]
    assert dict(told.doc).keys() == kind()["doc"].keys()
    assert json.loads(json.dumps(kind())) == kind()  # as it would be in a file


def test_read_account_of_a_faithfulness_check():
    told = read_account(literals.importance())
    assert (told.verdict, told.readable, told.target) == (
        "faithful, its control not", True, "positive",
    )  # fmt: skip
    assert told.doc == (("text", "A lovely, slow film"), ("label", "1"))
    turns = by_stage(told)
    assert [turn.against for turn in told.turns] == [None, None, "predict", "predict"]
    assert [piece.kind for piece in turns["predict"].prompt] == [""]
    changed = [tuple(piece) for piece in turns["verify"].prompt[1:]]
    assert changed == [
        ("gone", "lovely"), ("masked", "[REDACTED]"), ("", ", "), ("gone", "slow"),
        ("masked", "[REDACTED]"), ("", " film\nSentiment:"),
    ]  # fmt: skip
    assert (turns["explain"].answer, turns["explain"].read) == ("Lovely, slow", "lovely, slow")
    assert (turns["predict"].answer, turns["predict"].read) == (" positive", "positive")
    assert (turns["predict"].tokens_in, turns["predict"].tokens_out) == (9, 3)
    assert not any(turn.fault or turn.notes for turn in told.turns)
    assert told.findings == (
        ("intervention", "words: 4\nchanged: 2\nfault: none"),
        ("verdict", "verify: yes\ncontrol: no"),
    )
    assert told.choices == ()


def test_read_account_tells_what_was_not_asked():
    told = read_account(literals.importance(Trial(False, False), **cut_short("predict")))
    assert [turn.stage for turn in told.turns] == ["predict", "explain", "verify", "control"]
    assert [turn.not_asked for turn in told.turns] == [False, True, True, True]
    assert told.verdict == "not committed" and told.readable is None


def test_read_account_tells_why_an_explanation_cannot_be_read():
    read = cut_short("predict", "explain", explain={"unreadable": "a sentence"})
    told = read_account(literals.importance(Trial(True, True), **read))
    turn = by_stage(told)["explain"]
    assert (turn.read, turn.fault, turn.answer) == (None, "a sentence", "Lovely, slow")
    assert told.verdict == "not readable" and told.readable is False


def test_read_account_tells_why_a_change_cannot_be_used():
    intervention = {"words": 4, "changed": 4, "fault": "over budget"}
    read = cut_short("predict", "explain", "verify", intervention=intervention)
    told = read_account(literals.importance(Trial(True, True, holds=True), **read))
    turns = by_stage(told)
    assert turns["explain"].fault == "over budget" and turns["explain"].read == "lovely, slow"
    assert turns["verify"].fault is None and not turns["verify"].not_asked
    assert turns["control"].not_asked
    assert told.readable is False


def test_read_account_first_answer_that_cannot_be_read_is_not_readable():
    read = cut_short("predict", predict={"unreadable": "two answers"})
    told = read_account(literals.importance(Trial(False, False), **read))
    assert (told.verdict, told.readable) == ("not readable", False)
    assert told.turns[0].fault == "two answers"


def test_read_account_takes_the_masks_that_it_is_given():
    told = read_account(literals.importance(), ["lovely"])
    kinds = [[piece.kind for piece in turn.prompt] for turn in told.turns]
    assert kinds[0] == [""]
    assert kinds[2] == ["", "gone", "new", ""]


def test_masks_of_a_task_are_its_own_and_the_usual():
    own = task_run({}, variant={"mask": "___"})
    assert masks_of(own) == ("___", *MASKS) and masks_of(task_run({})) == MASKS
    sample = literals.importance()
    for stage in sample["stages"]:
        stage["prompt"] = stage["prompt"].replace("[REDACTED]", "___")
    found = [
        {piece.text for turn in read_account(sample, masks).turns for piece in turn.prompt
         if piece.kind == "masked"}
        for masks in (masks_of(own), masks_of(task_run({})))
    ]  # fmt: skip
    assert found == [{"___"}, set()]


def test_name_of_a_document_without_texts_is_its_hash():
    bare = literals.sample({"ids": [1, 2]}, {"acc": 1.0})
    assert excerpt(bare["doc"]) == ""
    assert name_of(bare) == f"document {HASH[:12]}"
    assert name_of({}) == "document"
    for kind in (*EVERY_KIND, lambda: bare):
        account, summary = read_account(kind()), read_summary(kind())
        assert account.name == summary.name == name_of(kind())
    assert name_of(literals.extracted()) == "When was it built?"


def test_read_account_of_consistency():
    told = read_account(literals.consistency())
    turns = by_stage(told)
    assert told.verdict == "partly consistent"
    assert [turn.to for turn in told.turns] == ["model", *["simulator"] * 3, "model"]
    assert turns["follow_ups"].read == "Does it roll along a road?\nIs it square, in fact?"
    assert (turns["simulate 2"].read, turns["simulate 2"].fault) == (None, "no answer")
    assert dict(told.findings) == {"explanation": "It rolls.", "dropped": "repeated: 1"}
    assert not any(turn.not_asked for turn in told.turns)


def test_read_account_of_an_answer_from_a_passage():
    told = read_account(literals.extracted())
    assert (told.verdict, told.excerpt, told.target) == ("right", "When was it built?", "1655")
    assert dict(told.doc)["answers"] == '{"text": ["1655"]}'
    assert told.turns[0].notes == ("the answer reached its limit",)
    assert read_account(literals.extracted("", 0.0, 0.0)).turns[0].read == ""
    lost = read_account(literals.extracted(None, 0.0, 0.0))
    assert (lost.turns[0].read, lost.turns[0].fault, lost.readable) == (None, "too long", False)


def test_read_account_of_choices_takes_the_labels_beside_them():
    told = read_account(literals.choices())
    asked, control = told.choices
    assert (asked.title, control.title) == ("with the question", "answers only")
    assert (asked.prompt, control.prompt) == ("Q: Can pigs fly?\nA:", "Q: \nA:")
    assert [row.text for row in asked.rows] == [" No.", " Never.", " Yes."]
    assert [row.score for row in asked.rows] == [-2.0, -1.0, -1.0]
    assert [row.best for row in asked.rows] == [False, True, True]
    assert [row.right for row in asked.rows] == [True, True, False]
    assert told.turns == () and told.verdict == "partly right"


@pytest.mark.parametrize(
    ("target", "right"),
    [
        (1, [False, True, False]),
        ([0, 2], [True, False, True]),
        (3, [None] * 3),
        ("B", [None] * 3),
        (True, [None] * 3),
        (None, [None] * 3),
        ([], [None] * 3),
    ],
)
def test_read_account_of_choices_without_labels_takes_the_target(target, right):
    sample = literals.choices(target=target)
    sample["doc"] = {"question": "Can pigs fly?"}
    assert [row.right for row in read_account(sample).choices[0].rows] == right


def test_read_account_scores_that_are_no_numbers_are_none_and_never_best():
    sample = literals.choices()
    sample["choices"][1]["score"], sample["choices"][2]["score"] = None, float("nan")
    rows = read_account(sample).choices[0].rows
    assert [row.score for row in rows] == [-2.0, None, None]
    assert [row.best for row in rows] == [True, False, False]
    sample["choices"] = [{"choice": "a", "score": None}, {"choice": "b"}, "c"]
    assert not any(row.best for row in read_account(sample).choices[0].rows)


def test_read_account_of_generation():
    told = read_account(literals.generation())
    assert (told.verdict, told.target) == ("ended", None)
    assert told.findings == (("words", "2"), ("refused", "no"))
    assert told.turns[0].notes == ("the prompt lost its start",)


def test_read_account_of_a_task_of_others_tells_what_was_asked_and_answered():
    told = read_account(literals.foreign())
    assert told.findings == (
        ("asked", 'Q: What is 2 + 2?\nA:\n{"until": ["\\n"]}'),
        ("answers 1", "4"),
        ("answers 2", "four"),
    )
    assert told.turns == () and told.choices == ()


@pytest.mark.parametrize(
    ("doc", "told"),
    [
        ({"text": "a\n\n fine\tfilm ", "question": " "}, "a fine film"),
        ({"id": "5733be284776f41900661182", "Question": "Why?", "context": "A long text."}, "Why?"),
        ({"premise": "It rains in the village.", "hypothesis": "It is wet."},
         "It rains in the village."),
        ({"id": "5733be284776f41900661182", "word": "dull"}, "5733be284776f41900661182"),
        ({"id": "5733be284776f41900661182", "text": "a film"}, "a film"),
        ({"question": ["no", "text"], "n": 3}, ""),
        ({"question": "word " * 1000}, ("word " * 40).strip() + " "),
        ({}, ""), (None, ""), ("text", ""),
    ],
)  # fmt: skip
def test_excerpt_examples(doc, told):
    assert excerpt(doc) == told


@given(JUNK)
def test_excerpt_is_one_short_line(doc):
    told = excerpt(doc)
    assert len(told) <= 200 and len(told.splitlines()) <= 1


@given(JUNK)
def test_read_account_of_junk_gives_what_can_be_given(sample):
    if not isinstance(sample, dict):
        with pytest.raises(RecordError, match="a sample must be a mapping"):
            read_account(sample)
        return
    told = read_account(sample)
    assert told.verdict in ("", *VERDICTS)
    check_types(told)


@given(st.sampled_from(EVERY_KIND), st.data())
def test_read_account_of_an_edited_sample_gives_what_can_be_given(kind, data):
    sample = kind()
    place, key = sample, data.draw(st.sampled_from(sorted(sample)))
    while isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
        place = place[key]
        keys = range(len(place)) if isinstance(place, list) else sorted(place)
        key = data.draw(st.sampled_from(keys))
    place[key] = data.draw(JUNK)
    check_types(read_account(sample))


def check_types(told):
    texts = [told.doc_hash, told.excerpt, told.verdict, *sum((*told.findings, *told.doc), ())]
    for turn in told.turns:
        assert turn.to in ("model", "simulator")
        texts += [turn.stage, turn.answer, *turn.notes, *(piece.text for piece in turn.prompt)]
        texts += [text for text in (turn.read, turn.fault, turn.against) if text is not None]
        assert {type(turn.tokens_in), type(turn.tokens_out)} <= {int, type(None)}
    for choices in told.choices:
        texts += [choices.title, choices.prompt, *(row.text for row in choices.rows)]
        assert {type(row.score) for row in choices.rows} <= {float, type(None)}
        assert {type(row.right) for row in choices.rows} <= {bool, type(None)}
    assert all(type(text) is str for text in texts)
    assert {type(value) for value in told.metrics.values()} <= {float, type(None)}


def test_read_account_of_a_sample_nested_too_deeply_says_so():
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    told = read_account({"doc": {"a": nested}, "read": {"b": nested}, "target": nested})
    assert told.target == "(list: cannot be shown)"
    assert dict(told.doc)["a"] == dict(told.findings)["b"] == "(list: cannot be shown)"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_read_account_leaves_texts_as_they_are(hostile):
    sample = literals.importance()
    sample["stages"][1]["answer"] = hostile
    sample["doc"]["text"] = hostile
    told = read_account(sample)
    assert told.turns[1].answer == dict(told.doc)["text"] == hostile


def test_read_account_target_that_is_a_place_is_told_in_the_words_of_the_choices():
    assert read_account(literals.choices()).target == "No.\nNever."
