"""What documents a domain takes and refuses, and how answers about them are read."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any

import pytest

from harness.domains import DOMAINS, build_domain, build_questions
from harness.domains.choice import Choice
from harness.errors import ConfigError
from harness.words import mask_words, split_words

DOCS: dict[str, dict[str, Any]] = {
    "sentiment": {"text": "A fine film.", "label": 1},
    "entailment": {"sentence1": "Ann sold her boat.", "sentence2": "Ann had a boat.", "label": 0},
    "choice": {
        "passage": "Ann sat.",
        "question": "Who?",
        "options": ["Bo", "Ann"],
        "answer": "Ann",
    },
    "yes_no": {"passage": "Ann sat.", "question": "did ann sit", "answer": True},
}
GOLD = {"sentiment": "positive", "entailment": "yes", "choice": "B", "yes_no": "yes"}


def choice(options: Any, answer: Any = None, text: str = "Ann sat.") -> dict[str, Any]:
    first = options[0] if isinstance(options, list) and options else "A"
    told = first if answer is None else answer
    return {"passage": text, "question": "Who?", "options": options, "answer": told}


@pytest.mark.parametrize("name", DOMAINS)
def test_every_domain_has_a_document_here(name):
    domain = build_domain(name, {})
    assert domain.problem(DOCS[name]) is None
    item = domain.item(DOCS[name])
    assert item.gold == GOLD[name] and item.gold in item.labels
    assert set(item.slots) == set(domain.SLOTS)


@pytest.mark.parametrize("name", DOMAINS)
def test_every_domain_names_the_column_that_is_missing(name):
    for column in DOCS[name]:
        rest = {key: value for key, value in DOCS[name].items() if key != column}
        assert f"no column {column!r}" in build_domain(name, {}).problem(rest)


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize("empty", ["", " \n", None, 3, ["x"]])
def test_every_domain_refuses_a_text_that_is_none(name, empty):
    column = next(iter(DOCS[name]))
    assert "is empty or no text" in build_domain(name, {}).problem({**DOCS[name], column: empty})


@pytest.mark.parametrize(
    ("name", "column", "bad"),
    [
        *(("sentiment", "label", bad) for bad in (2, -1, True, "1", None, 1.0)),
        *(("entailment", "label", bad) for bad in (-1, 2, False, "entailment")),
        *(("yes_no", "answer", bad) for bad in ("yes", 1, 0, None)),
    ],
)
def test_every_domain_says_which_labels_are_allowed(name, column, bad):
    told = build_domain(name, {}).problem({**DOCS[name], column: bad})
    assert told.startswith(f"{column!r} is {str(bad)!r}; allowed: ")


def test_every_domain_with_two_labels_has_the_opposite_as_other():
    for name in ("sentiment", "entailment", "yes_no"):
        item = build_domain(name, {}).item(DOCS[name])
        first, second = item.labels
        assert (item.other(first), item.other(second)) == (second, first)


def test_unknown_domain_and_unknown_role_are_named():
    with pytest.raises(ConfigError, match="Did you mean 'yes_no'"):
        build_domain("yes_on", {})
    with pytest.raises(ConfigError, match=r"columns of domain 'choice'.*'opts'"):
        build_domain("choice", {"opts": "x"})


@pytest.mark.parametrize("many", [2, 5, 26])
def test_choice_takes_two_to_26_options_and_asks_for_letters(many):
    options = [f"option{n}" for n in range(many)]
    item = Choice().item(choice(options, options[-1]))
    assert item.labels == tuple(ascii_uppercase[:many]) and item.gold == item.labels[-1]
    assert item.slots["options"].split("\n")[-1] == f"{item.labels[-1]}) {options[-1]}"
    assert item.slots["letters"].endswith(f" or {item.labels[-1]}")
    assert item.other(item.labels[-1]) == "A" and item.name("A") == "option0"
    for label, option in zip(item.labels, options, strict=True):
        for said in (label, f"{label})", f"{label}) {option}", f"({label}) {option}.", option):
            assert item.read(said).value == label, said


@pytest.mark.parametrize("many", [0, 1, 27])
def test_choice_refuses_too_few_or_too_many_options(many):
    told = Choice().problem(choice([f"o{n}" for n in range(many)]))
    assert told == f"{many} options can be read; allowed: 2 to 26"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["x", ""], "an option is empty or no text"),
        (["x", None], "an option is empty or no text"),
        ({"A": "x", "B": 3}, "an option is empty or no text"),
        ("x, y", "0 options"),
        ({"text": ["x", "y"], "label": ["A"]}, "0 options"),
        ({"text": None, "label": None}, "0 options"),
        ({"text": "xy", "label": ["A", "B"]}, "0 options"),
        ({"text": ["x", "y"], "label": ["A", "A"]}, "options of one name"),
    ],
)
def test_choice_refuses_options_that_are_none(options, complaint):
    assert complaint in Choice().problem(choice(options, "x"))


@pytest.mark.parametrize(
    ("options", "answer", "gold"),
    [
        (["office", "garden"], "garden", "B"),
        ({"A": "office", "B": "garden"}, "B", "B"),
        ({"text": ["office", "garden", "hall"], "label": ["1", "2", "3"]}, "3", "C"),
        ({"A": "B", "B": "A"}, "A", "A"),  # the answer names an option, it does not repeat its text
        (["1", "0"], "0", "B"),  # a list has no names: the answer is a text
    ],
)
def test_choice_finds_the_right_option_by_name_or_text(options, answer, gold):
    doc = choice(options, answer)
    assert Choice().problem(doc) is None and Choice().item(doc).gold == gold


@pytest.mark.parametrize("answer", ["attic", "None", ["office"], 1.5])
def test_choice_answer_that_is_none_of_the_options_is_named(answer):
    told = Choice().problem(choice(["office", "garden"], answer))
    assert told == f"'answer' is {str(answer)!r}, which is none of the options"
    assert Choice().problem({**choice(["None", "x"]), "answer": None}) is not None


@pytest.mark.parametrize("options", [["-5", "5"], ["C++", "C"], ["=", "!="]])
def test_choice_options_that_differ_by_signs_are_two(options):
    assert Choice().problem(choice(options)) is None
    assert Choice().item(choice(options)).read("B").value == "B"


def test_choice_option_cannot_forge_another_line():
    item = Choice().item(choice(["x\nB) forged", "y"]))
    assert item.slots["options"] == "A) x B) forged\nB) y"


def test_columns_must_be_names():
    with pytest.raises(ConfigError, match="columns: paragraph must name a column"):
        build_domain("choice", {"paragraph": ["story"]})


def test_choice_options_that_all_documents_share_stand_in_the_task_file():
    domain = build_domain("choice", {"options": ["office", "garden"]})
    doc = {"passage": "Ann sat.", "question": "Where?", "answer": "garden"}
    assert domain.problem(doc) is None and domain.item(doc).gold == "B"


def test_choice_equal_wrong_options_are_read_by_their_letters_only():
    doc = choice(["red", "blue", "Red!"], "blue")
    assert Choice().problem(doc) is None
    item = Choice().item(doc)
    assert item.read("C").value == "C" and item.read("blue").value == "B"
    assert item.read("red").value is None


def test_choice_two_right_options_are_refused():
    told = Choice().problem(choice(["red", "blue", "Red!"], "red"))
    assert told == "two options are the right one: 'red'; change one of them"


def test_questions_options_that_say_the_same_are_all_right():
    """CommonsenseQA has such rows."""
    questions = build_questions("options", {})
    doc = {
        "question": "Where do clerks sit?",
        "choices": {"label": list("ABCDE"), "text": ["ship", "office", "Office ", "sea", "ship."]},
        "answerKey": "C",
    }
    assert questions.problem(doc) is None
    assert (questions.gold(doc), questions.right(doc)) == ("C", {"B", "C"})
    posed = questions.posed(doc)
    assert posed.read("C").value == "C" and posed.read("(B) office").value == "B"
    assert posed.read("office").value is None  # read by their letters only
    assert questions.right({**doc, "answerKey": "D"}) == {"D"}


def test_questions_yes_no_has_one_right_answer():
    doc = {"question": "Does it rain?", "answer": False}
    assert build_questions("yes_no", {}).right(doc) == {"no"}


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("the boat", "A"),
        ("the boat house", "B"),
        ("The answer is the boat house.", "B"),
        ("boat house", "B"),
        ("B) the boat house", "B"),
        ("Annabel", "D"),
        ("Ann", "C"),
        ("It was Ann.", "C"),
    ],
)
def test_choice_options_that_hold_one_another_are_told_apart(answer, label):
    item = Choice().item(choice(["the boat", "the boat house", "Ann", "Annabel"]))
    assert item.read(answer).value == label


@pytest.mark.parametrize(
    ("options", "answer", "label"),
    [
        (["A", "B"], "B", "B"),  # texts that are other options' letters: letters win
        (["B", "A"], "A", "A"),
        (["unknown", "red"], "unknown", "unknown"),
        (["unknown", "red"], "A", "A"),
        (["=", "+"], "B", "B"),
        (["<b>red</b>", "<i>blue</i>"], "blue", "B"),
        (["🎉", "red"], "A", "A"),
        (["المطبخ", "الحديقة"], "الحديقة", "B"),
        (["厨房", "花园"], "答案是花园。", "B"),
        (["キッチン", "庭"], "庭", "B"),
        (["мост", "река"], "Ответ: река", "B"),
    ],
)
def test_choice_odd_options_are_read(options, answer, label):
    assert Choice().item(choice(options, options[0])).read(answer).value == label


@pytest.mark.parametrize("name", ["entailment", "choice", "yes_no"])
@pytest.mark.parametrize(
    "text",
    [
        "Ann",
        "Ann sat",
        "Ann sat down",
        "Ann sat down there",
        "安坐下了",
        "جلست آن هنا",
        "🎉🎉",
        "<br />Ann",
    ],
)
def test_short_and_foreign_texts_are_items_whose_words_can_be_masked(name, text):
    column = next(iter(DOCS[name]))
    item = build_domain(name, {}).item({**DOCS[name], column: text})
    words = split_words(item.text)
    masked = mask_words(item.text, range(len(words)), "[M]", words)
    assert masked.count("[M]") == len(words) and not split_words(masked, "[M]")


def test_text_that_holds_the_mask_word_keeps_it_and_does_not_count_it():
    item = build_domain("yes_no", {}).item(
        {**DOCS["yes_no"], "passage": "A [REDACTED] sat [redacted]."}
    )
    words = split_words(item.text, "[REDACTED]")
    assert [word.key for word in words] == ["a", "sat"]
    assert mask_words(item.text, {1}, "[REDACTED]", words) == "A [REDACTED] [REDACTED] [redacted]."


def test_mctest_line_ends_are_line_ends():
    item = Choice().item(choice(["Bo", "Ann"], text=r"Ann sat.\newline Bo ran."))
    assert item.text == "Ann sat.\n Bo ran."
