"""Questions about a passage: what documents are taken and refused."""

from __future__ import annotations

import pytest

from harness.domains import PassageQuestion, build_passages
from harness.errors import ConfigError

DOC = {
    "context": " Ann rowed to Bo. ",
    "question": "Who rowed? ",
    "answers": {"text": ["Ann", "Ann ", "Ann rowed"], "answer_start": [0, 0, 0]},
}


def test_passages_take_a_row_of_squad_with_and_without_an_answer():
    passages = build_passages({})
    assert passages.problem(DOC) is None
    golds = ("Ann", "Ann ", "Ann rowed")
    assert passages.asked(DOC) == PassageQuestion("Ann rowed to Bo.", "Who rowed?", golds)
    silent = {**DOC, "answers": {"text": [], "answer_start": []}}
    assert passages.problem(silent) is None and passages.asked(silent).golds == ()


def test_passages_read_the_columns_that_they_are_told():
    passages = build_passages({"context": "passage", "question": "q", "answers": "golds"})
    doc = {"passage": "Ann sat.", "q": "Who?", "golds": {"text": ["Ann"]}}
    assert passages.problem(doc) is None and passages.asked(doc).golds == ("Ann",)
    with pytest.raises(ConfigError, match="columns of kind of text 'passages'"):
        build_passages({"passage": "context"})


@pytest.mark.parametrize("column", ["context", "question", "answers"])
def test_passages_name_the_column_that_is_missing(column):
    rest = {key: value for key, value in DOC.items() if key != column}
    assert f"no column {column!r}" in str(build_passages({}).problem(rest))


@pytest.mark.parametrize(
    ("column", "bad", "complaint"),
    [
        ("context", " ", "'context' is empty or no text"),
        ("question", None, "'question' is empty or no text"),
        ("answers", ["Ann"], "must hold 'text', a list of answers; got \"['Ann']\""),
        ("answers", None, "must hold 'text'"),
        ("answers", {"answer": ["Ann"]}, "must hold 'text'"),
        ("answers", {"text": "Ann"}, "must hold 'text'"),
        ("answers", {"text": ["Ann", ""]}, "an answer is empty or no text"),
        ("answers", {"text": [3]}, "an answer is empty or no text"),
    ],
)
def test_passages_refuse_what_is_none(column, bad, complaint):
    assert complaint in str(build_passages({}).problem({**DOC, column: bad}))
