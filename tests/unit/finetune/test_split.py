"""The leak guard: copies and near copies are found, kin is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.split import (
    NEAR_COPY,
    SAME_DOCUMENT,
    SAME_TEXT,
    Leak,
    guard,
    leaks,
    normalised,
)
from harness.data import DataRef, Split, doc_hash, load_split
from harness.errors import DataError

LONG = "A boy rolls a ball down a ramp and times how long it takes to reach the end"
W = LONG.split()
assert len(W) == 18


def split_of(docs, name="data/set"):
    hashes = [doc_hash(doc) for doc in docs]
    return Split(DataRef(name, "test"), docs, hashes, f"{name} {hashes}", "here", 0)


def guarded(texts, evaluated, fewest=0):
    docs = [{"question": text} for text in texts]
    hashes = [doc_hash(doc) for doc in docs]
    return guard(docs, hashes, lambda doc: [doc["question"]], evaluated, fewest)


def why(text, *fields):
    """Say why a training question leaks where one evaluated document has these fields."""
    told = leaks([text], [split_of([{f"field {n}": field for n, field in enumerate(fields)}])])
    return told[text].why if told else None


def test_guard_same_document_is_left_out_whatever_its_texts():
    doc = {"question": "", "image": [1, 2]}
    told = guard([doc, {"question": "x"}], [doc_hash(doc), "h"], lambda doc: [], [split_of([doc])])
    assert told.leaked == [Leak(doc_hash(doc), "data/set test", SAME_DOCUMENT)]
    assert told.docs == [{"question": "x"}] and told.hashes == ["h"]


def test_guard_keeps_order_and_tells_where_each_leak_is():
    first = split_of([{"q": "Do fish sleep at night?"}], "a/first")
    second = split_of([{"stem": {"text": ["Can hens fly over walls?"]}}], "b/second")
    told = guarded(
        ["One", "do fish sleep at night", "Two", "Can hens fly over walls", "Three"],
        [first, second],
    )
    assert [doc["question"] for doc in told.docs] == ["One", "Two", "Three"]
    assert told.hashes == [doc_hash(doc) for doc in told.docs]
    assert [(leak.dataset, leak.why) for leak in told.leaked] == [
        ("a/first test", SAME_TEXT),
        ("b/second test", SAME_TEXT),
    ]


@pytest.mark.parametrize(
    "copy",
    [
        "do fish sleep at night",
        "Do  fish sleep\nat night ?!",
        "DO FISH SLEEP AT NIGHT?",
        "“Do fish sleep at night?”",
        "Do fish sleep at-night?",
        "Do ﬁsh sleep at night？",
        "Do fi\u00adsh sleep at night?",
        "Do fish sleep at night?\ud83d",
    ],
)
def test_leaks_same_text_but_for_case_punctuation_spaces_and_widths(copy):
    assert why(copy, "Do fish sleep at night?") == SAME_TEXT


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("Do fish sleep at night?", "Do fish sleep at noon?"),
        ("Is 3 + 4 > 5 in maths?", "Is 3 + 4 < 5 in maths?"),
        ("Is C++ a language to learn?", "Is C a language to learn?"),
        ("Do fish sleep at night?", "Do fish sleep at night? Do hens?"),
        ("", ""),
        ("?", "!"),
    ],
)
def test_leaks_other_short_text_is_kept(text, field):
    assert why(text, field) is None


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("Do fish sleep?", SAME_TEXT),  # a field of its own: however short
        (["Do fish sleep?"], None),  # an option: only from four words on
        ({"text": ["Do fish ever sleep?"]}, None),
        ({"labels": [1, None, 2.5, True]}, None),
    ],
)
def test_leaks_options_of_few_words_are_not_compared(field, found):
    assert why("Do fish sleep?", field) == found


def test_leaks_options_of_four_words_are_compared():
    assert (
        why("Do fish ever sleep?", {"choices": {"text": ["x", "Do fish ever sleep"]}}) == SAME_TEXT
    )


@pytest.mark.parametrize(
    ("text", "field", "found"),
    [
        (f"{LONG}.", f"Yesterday: {LONG}, says Ann.", NEAR_COPY),
        # 13 words in common, whatever is around them
        (" ".join(W[:13] + ["x"] * 9), " ".join(["y"] * 9 + W[:13]), NEAR_COPY),
        (" ".join(W[:12] + ["x"] * 9), " ".join(["y"] * 9 + W[:12]), None),
        # all words of the shorter one, from 8 on, on either side
        (" ".join(W[:8]), LONG, NEAR_COPY),
        (LONG, " ".join(W[:8]), NEAR_COPY),
        (LONG, " ".join(W[6:18]), NEAR_COPY),
        (" ".join(W[:7]), LONG, None),
        (LONG, " ".join(W[:7]), None),
        (" ".join([*W[:8], "x"]), LONG, None),
    ],
)  # fmt: skip
def test_leaks_near_copies_share_thirteen_words_or_the_whole_shorter_text(text, field, found):
    assert why(text, field) == found
    assert why(text, ["some other option here", field]) == found


WORDS = st.lists(st.sampled_from("ab"), max_size=20)


@given(WORDS, WORDS)
def test_leaks_is_the_rule_worked_out_by_hand(mine, theirs):
    """The oracle: every run of every length, compared one by one."""
    runs = [
        [tuple(words[start : start + size]) for start in range(len(words) - size + 1)]
        for words, size in ((w, min(13, len(mine), len(theirs))) for w in (mine, theirs))
    ]
    near = min(len(mine), len(theirs)) >= 8 and bool(set(runs[0]) & set(runs[1]))
    expected = SAME_TEXT if mine and mine == theirs else NEAR_COPY if near else None
    assert why(" ".join(mine), " ".join(theirs)) == expected or (
        expected is None and "".join(mine) == "".join(theirs)
    )


def test_leaks_many_texts_at_once_are_each_found():
    evaluated = [
        {"q": f"Is number {n} a prime number?", "context": f"{n} {LONG}"} for n in range(300)
    ]
    texts = [f"is number {n} a PRIME number" for n in range(0, 600, 2)]
    found = leaks([*texts, LONG, "Are primes odd?"], [split_of(evaluated)])
    assert set(found) == {*texts[:150], LONG}


def test_guard_two_training_documents_of_one_text_both_go():
    docs = [{"question": LONG, "id": n} for n in range(2)]
    told = guard(
        docs, [doc_hash(doc) for doc in docs], lambda doc: [doc["question"]],
        [split_of([{"q": LONG}])], fewest=0,
    )  # fmt: skip
    assert told.docs == [] and len(told.leaked) == 2


def test_guard_too_few_left_says_how_many_and_for_which_data():
    evaluated = [
        split_of([{"q": "Do fish sleep at night?"}, {"q": "Can hens fly far?"}], "owner/exam")
    ]
    with pytest.raises(DataError) as caught:
        guarded(["Do fish sleep at night?", "Can hens fly far?", "Is it?"], evaluated, fewest=2)
    told = str(caught.value)
    assert told.startswith("1 of 3 documents may be trained on, at least 2 are needed")
    assert "2 in owner/exam test" in told and "score.tasks" in told


def test_guard_too_few_given_says_that_none_leaked():
    with pytest.raises(DataError, match=r"0 of 0 documents .* at least 1 .* none leaked"):
        guarded([], [], fewest=1)


def test_normalised_keeps_marks_of_other_scripts():
    assert normalised("किताब") != normalised("कताब") and normalised("İstanbul") == normalised(
        "i̇STANBUL"
    )


def test_guard_finds_the_question_that_real_train_and_test_share(real_data):
    train, test = (load_split(DataRef("ChilleD/StrategyQA", name)) for name in ("train", "test"))
    told = guard(train.docs, train.hashes, lambda doc: [doc["question"]], [test])
    by_hash = dict(zip(train.hashes, train.docs, strict=True))
    assert [by_hash[leak.hash]["question"] for leak in told.leaked] == [
        "Can you find Bob Marley's face in most smoke shops?"
    ]
