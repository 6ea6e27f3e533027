"""SQuAD's rules: by hand, and as torchmetrics computes them.

torchmetrics has the rules of SQuAD 1.1. The script of 2.0 puts two lines before them, which
`as_in_2` repeats: a right answer without words is left out, and where none is left the empty one is
right. No installed package has that script: transformers 5 dropped `data.metrics`, and what lm-eval
and evaluate call is loaded from the hub.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from torchmetrics.functional.text import squad

from harness.parsing.squad import exact_match, normalise, token_f1


def judged_by_torchmetrics(answer: str, golds: list[str]) -> tuple[float, float]:
    target = [{"id": "1", "answers": {"answer_start": [0] * len(golds), "text": golds}}]
    told = squad([{"id": "1", "prediction_text": answer}], target)
    return float(told["exact_match"]) / 100, float(told["f1"]) / 100


def assert_the_same(answer: str, golds: list[str]) -> None:
    exact, f1 = judged_by_torchmetrics(answer, golds)
    assert exact_match(answer, golds) == exact
    assert token_f1(answer, golds) == pytest.approx(f1, abs=1e-6)  # theirs is float32


def as_in_2(golds: list[str]) -> list[str]:
    """Give the right answers that 2.0 compares with; torchmetrics says which have no words."""
    return [gold for gold in golds if judged_by_torchmetrics("", [gold])[0] == 0] or [""]


WORDS = st.sampled_from(
    ["the", "a", "an", "The", "river", "Seine", "Seine's", "U.S.", "(1911)", "1,000", "$5", "–",
     "then", "Ann", "another", "“x”", "İ", "straße", "元朝", "\u00a0", "x-ray", "_"]
)  # fmt: skip
TEXTS = st.text(max_size=20) | st.lists(WORDS, max_size=6).map(" ".join)


WORDLESS = st.sampled_from(["", " ", "the", "An a", "...", "—", "\u00a0", "(the)"])


@given(answer=TEXTS | WORDLESS, golds=st.lists(TEXTS | WORDLESS, max_size=4))
def test_squad_with_and_without_answers_is_that_of_torchmetrics_under_the_rules_of_2(answer, golds):
    exact, f1 = judged_by_torchmetrics(answer, as_in_2(golds))
    assert exact_match(answer, golds) == exact
    assert token_f1(answer, golds) == pytest.approx(f1, abs=1e-6)  # theirs is float32


@given(answer=TEXTS, golds=st.lists(TEXTS, min_size=1, max_size=4))
def test_squad_of_random_texts_is_that_of_torchmetrics(answer, golds):
    assume(all(map(normalise, golds)))  # such a gold answer is left out by the script of 2.0 alone
    assert_the_same(answer, golds)


@given(golds=st.lists(TEXTS, min_size=1, max_size=4), data=st.data())
def test_squad_of_answers_like_the_right_one_is_that_of_torchmetrics(golds, data):
    assume(all(map(normalise, golds)))
    words = data.draw(st.permutations(data.draw(st.sampled_from(golds)).split()))
    assert_the_same(" ".join(words[: data.draw(st.integers(0, len(words)))]), golds)


def test_squad_of_real_rows_is_that_of_torchmetrics(real_data):
    lines = (real_data / "rajpurkar__squad_v2" / "validation.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["answers"]["text"]]
    assert len(rows) > 100
    for row in rows:
        golds = row["answers"]["text"]
        start = row["answers"]["answer_start"][0]
        wider = row["context"][max(0, start - 12) : start + len(golds[0]) + 12]
        for answer in (
            golds[-1],
            wider,
            row["question"],
            row["context"],
            golds[0][: len(golds[0]) // 2],
        ):
            assert_the_same(answer, golds)


@pytest.mark.parametrize(
    ("answer", "golds", "exact", "f1"),
    [
        ("", [], 1, 1),  # no answer, and none given
        ("Ann", [], 0, 0),
        ("", ["Ann"], 0, 0),
        ("", ["Ann", "Bo"], 0, 0),
        # the script compares what is normalised: an article alone is no answer
        ("the", [], 1, 1),
        ("...", [], 1, 1),
        # a right answer without words is left out; if none is left there is no answer
        ("Ann", ["the", "Ann"], 1, 1),
        ("", ["the", "Ann"], 0, 0),
        ("", ["the"], 1, 1),
        # the best of several, for each number by itself
        ("Ann", ["Bo", "Ann"], 1, 1),
        # precision 2/3, recall 2/2: 2 * 2/3 / (5/3) = 0.8; against "Bo": 0
        ("Ann Lee Moor", ["Bo", "Lee Ann"], 0, 0.8),
        # words count as often as they occur: 1 shared of 2 and of 1
        ("no no", ["no"], 0, 2 / 3),
        ("An ally's", ["allys"], 1, 1),
    ],
)
def test_squad_by_hand(answer, golds, exact, f1):
    assert exact_match(answer, golds) == exact
    assert token_f1(answer, golds) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("The  Cat, an animal; a pet.", "cat animal pet"),
        ("another theatre", "another theatre"),
        ("x-ray", "xray"),
        ("“Ann”", "“ann”"),  # as in the script: only ASCII punctuation goes
        ("a\tb\nthe", "b"),
        ("元朝", "元朝"),
    ],
)
def test_normalise_takes_away_what_the_script_does(text, told):
    assert normalise(text) == told
