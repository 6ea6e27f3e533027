"""All readers alike: on the written and real answers, on any text, on adversarial noise."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.domains import DOMAINS
from harness.domains.options import option_forms
from harness.parsing import (
    Reading,
    read_chosen,
    read_edit,
    read_extracted,
    read_label,
    read_redaction,
    read_word_list,
)
from harness.words import mask_words, split_words

CASES = Path(__file__).parents[2] / "fixtures" / "parsing"
MASK = "[REDACTED]"
FORMS: dict[str, dict[str, tuple[str, ...]]] = {
    "sentiment": {
        "positive": ("positive", "favourable", "favorable"),
        "negative": ("negative", "unfavourable", "unfavorable"),
        "neutral": ("neutral", "mixed"),
    },
    "choice": {"A": ("a", "office"), "B": ("b", "garden"), "C": ("c", "kitchen")},
    "yes_no": {"yes": ("yes", "true"), "no": ("no", "false")},
    "entailment": {
        "entailment": ("entailment", "entails", "entailed"),
        "not entailment": ("not entailment", "no entailment", "does not entail"),
    },
}
UNDECIDED = (
    "unknown", "unclear", "not clear", "undetermined", "cannot be determined", "can't tell",
    "cannot tell", "cannot determine", "impossible to say", "not possible to determine",
    "i don't know", "do not know",
)  # fmt: skip
ORIGINAL = split_words("The plot was thin, but the cast was great and the ending made me cry.")


def read_row_label(row: dict[str, Any]) -> str | None:
    forms = {**FORMS[row["forms"]], "unknown": UNDECIDED}
    return read_label(row["answer"], forms).value


def read_row_of(domain: str) -> Callable[[dict[str, Any]], str | None]:
    """Read a row with the very forms of a domain."""

    def read(row: dict[str, Any]) -> str | None:
        options = row.get("options", ())
        letters = ascii_uppercase[: len(options)]
        forms = option_forms(letters, options)
        fixed = {name: DOMAINS[name].FORMS for name in ("sentiment", "entailment", "yes_no")}
        return read_label(row["answer"], fixed.get(domain, forms)).value

    return read


def read_row_words(row: dict[str, Any]) -> list[str] | None:
    words = read_word_list(row["answer"]).value
    return None if words is None else list(words)


def read_row_redaction(row: dict[str, Any]) -> str | None:
    """The original as masked by us: a person reads that more easily than indices."""
    words = split_words(row["original"], row["mask"])
    hidden = read_redaction(row["answer"], words, row["mask"], row["original"]).value
    return None if hidden is None else mask_words(row["original"], hidden, row["mask"], words)


ROW_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "labels": read_row_label,
    **{f"answers_{name}": read_row_of(name) for name in DOMAINS},
    "edits": lambda row: read_edit(row["answer"], row.get("original", "")).value,
    "word_lists": read_row_words,
    "redactions": read_row_redaction,
}
READERS: dict[str, Callable[[str], Reading[Any]]] = {
    "labels": lambda text: read_label(text, {**FORMS["sentiment"], "unknown": UNDECIDED}),
    "choices": lambda text: read_label(text, {**FORMS["choice"], "unknown": UNDECIDED}),
    "yes_no": lambda text: read_label(text, {**FORMS["yes_no"], "unknown": UNDECIDED}),
    "chosen": lambda text: read_chosen(text, {**FORMS["choice"], "unknown": UNDECIDED}),
    "edits": read_edit,
    "extracted": read_extracted,
    "word_lists": read_word_list,
    "redactions": lambda text: read_redaction(text, ORIGINAL, MASK),
    "long_redactions": lambda text: read_redaction(text, ORIGINAL * 400, MASK),
}


def load_rows() -> list[Any]:
    return [
        pytest.param(name, json.loads(line), id=f"{name}-{number}")
        for name in ROW_READERS
        for number, line in enumerate((CASES / f"{name}.jsonl").read_text("utf-8").splitlines(), 1)
    ]


@pytest.mark.parametrize(("name", "row"), load_rows())
def test_readers_answer_of_a_model_is_read_as_a_person_would(name: str, row: dict[str, Any]):
    """Rows known to be misread say how: whoever mends one takes its `misread` away."""
    assert ROW_READERS[name](row) == row.get("misread", row["value"])
    assert ("misread" in row) == ("why" in row)
    assert row.get("misread", "read right") != row["value"]


@pytest.mark.parametrize(
    ("name", "most"),
    [("sentiment", 0.14), ("entailment", 0.08), ("choice", 0.02), ("yes_no", 0.10)],
)
def test_readers_known_misreadings_stay_few(name: str, most: float):
    rows = [row.values[1] for row in load_rows() if row.values[0] == f"answers_{name}"]
    real = [row for row in rows if row["source"] != "written"]
    assert len(real) >= 100 and not any("misread" in row for row in rows if row not in real)
    assert sum("misread" in row for row in real) <= most * len(real)


PIECES = st.sampled_from(
    ["positive", "negative", "not ", "neither ", " nor ", "unknown", "cannot be determined", "\n",
     "\n\n", ": ", "- ", "1. ", '"', "“", "”", "'", "**", "```", "___", "[", "]", "(", ")", MASK,
     "REDACTED", "Sure, here is the edited text:", "I'm sorry, but I can't", "Note:", ", ", " and ",
     "the ", "cast", "<think>", "</think>", "<br />",
     "&amp;", "\u200b", "\x00", "é", "映画", "A", "no"]
)  # fmt: skip
ANY_TEXT = st.text() | st.lists(PIECES | st.text(max_size=5)).map("".join)


@pytest.mark.parametrize("name", READERS)
@given(text=ANY_TEXT)
def test_readers_any_text_gives_a_value_or_a_reason(name: str, text: str):
    value, reason = READERS[name](text)
    assert (value is None) != (reason is None)
    if isinstance(value, str):
        assert value.strip() or name == "extracted"  # where it says that there is no answer
    elif isinstance(value, tuple):
        assert value
        assert all(split_words(word) for word in value)
    elif value is not None:
        assert value <= set(range(len(ORIGINAL) * 400))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\ufeff", "\x00\x07"])
def test_readers_nothing_visible_is_empty(name: str, text: str):
    assert READERS[name](text) == Reading.unreadable("empty")


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "text",
    ["I'm sorry, but I can't assist with that.", "As an AI language model, I cannot do this."],
)
def test_readers_refusal_is_named(name: str, text: str):
    assert READERS[name](text) == Reading.unreadable("refusal")


UNITS = [
    "a ", "((((", "[REDACTED] ", "[REDACTED", "not ", "positive ", "positive, ", '"', "\n", " ",
    ",", "1. ", "- a\n", "7", "a'", "e\u0301", "映", "*", "_", "```\n", "<", ":", "Sure! ",
    "Note: a\n\n", "the cast ", "\u200b", "positive because unclear ", "The answer is positive. ",
    "The answer is ", "unanswerable ", "the passage ", "is not ", "there is no a ", "so ",
]  # fmt: skip
HUGE = [(unit * 100_000)[:100_000] for unit in UNITS]

TIMING = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_readers import HUGE, READERS
times = []
for name in READERS:
    reader = READERS[name]
    for text in HUGE:
        start = time.perf_counter()
        reader(text)
        times.append((time.perf_counter() - start, name, text[:12], text[-5:]))
print(*sorted(times, reverse=True)[:8], sep="\\n")
"""


@pytest.mark.slow
def test_readers_adversarial_100_kb_finish():
    done = subprocess.run(
        [sys.executable, "-c", TIMING, str(Path(__file__).parent)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr
