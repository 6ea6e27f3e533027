"""The sample sets obey the rules in tasks/sample/README.md."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import pytest

SAMPLES = Path(__file__).parents[2] / "tasks" / "sample"
MAX_OVERLAP = 0.30  # of the word 4-grams of the shorter item
MAX_LENGTH_GAP = 0.15  # between the mean lengths of right and wrong options
MAX_REPEATS = 0.50  # of the answers, at any one distance: a cycle has all, blocks have most
MIN_WORDS, MAX_WORDS = 40, 90
NOT_PLAIN = r"[\[\]\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]"
VERDICT = r"(?i)\b(?:yes|no|true|false)\b"
LETTER = (
    r"\b[B-E]\b|[^.!?] A\b|\bA\b(?! \w)|\bA (?:is|was|are)\b"  # "A" may begin a sentence
    r"|\([a-e]\)|\b(?i:option|answer|choice|letter) \(?[b-e]\b"
)

Row = tuple[str, dict[str, Any]]  # the place as file:line, lines from one; the line's object


class SampleSet(NamedTuple):
    """One set: its files, their size, the shape of a row and the columns the rules speak of."""

    name: str
    splits: tuple[str, ...]
    rows: int  # in each split
    shape: dict[str, Any]  # a type, a list of one shape, or the shapes of an object's keys
    items: tuple[str, ...]  # texts that differ from each other; "a+b" is two columns joined
    shared: tuple[str, ...] = ()  # columns that may repeat within a split, never across splits
    key: str = ""  # the column that names a row
    label: str = ""  # the column of the answer
    labels: tuple[Any, ...] = ()  # its values, each as frequent as the others
    options: tuple[str, ...] = ()  # columns of options, of which some are right


MC_TARGETS = {"choices": [str], "labels": [int]}
SENTIMENT = SampleSet(
    name="sentiment",
    splits=("test",),
    rows=60,
    shape={"text": str, "label": int},
    items=("text",),
    label="label",
    labels=(0, 1),
)
TRUTHFULNESS = SampleSet(
    name="truthfulness",
    splits=("validation",),
    rows=50,
    shape={"question": str, "mc1_targets": MC_TARGETS, "mc2_targets": MC_TARGETS},
    items=("question",),
    options=("mc1_targets", "mc2_targets"),
)
ENTAILMENT = SampleSet(
    name="entailment",
    splits=("validation",),
    rows=60,
    shape={"sentence1": str, "sentence2": str, "label": int, "idx": int},
    items=("sentence1+sentence2", "sentence2"),
    key="idx",
    label="label",
    labels=(0, 1),
)
CHOICE = SampleSet(
    name="choice",
    splits=("test",),
    rows=60,
    shape={
        "story": str,
        "question": str,
        "answer_options": dict.fromkeys("ABCD", str),
        "answer": str,
    },
    items=("story", "question"),
    label="answer",
    labels=tuple("ABCD"),
    options=("answer_options",),
)
YES_NO = SampleSet(
    name="yes_no",
    splits=("train", "test"),
    rows=40,
    shape={"qid": str, "question": str, "passage": str, "answer": bool, "facts": str},
    items=("question", "passage", "facts"),
    key="qid",
    label="answer",
    labels=(False, True),
)
EXTRACTIVE_QA = SampleSet(
    name="extractive_qa",
    splits=("train", "test"),
    rows=40,
    shape={
        "id": str,
        "title": str,
        "context": str,
        "question": str,
        "answers": {"text": [str], "answer_start": [int]},
    },
    items=("context", "question"),
    shared=("context", "title"),
    key="id",
    label="answers",
    labels=(False, True),  # is there one?
)
RATIONALES = SampleSet(
    name="rationales",
    splits=("train", "test"),
    rows=40,
    shape={
        "id": str,
        "question": str,
        "choices": {"label": [str], "text": [str]},
        "answerKey": str,
        "rationale": str,
    },
    items=("question", "rationale"),
    key="id",
    label="answerKey",
    labels=tuple("ABCDE"),
    options=("choices",),
)
SCIENCE = SampleSet(
    name="science",
    splits=("train",),
    rows=40,
    shape={"id": str, "question": str},
    items=("question",),
    key="id",
)
SETS = [SENTIMENT, TRUTHFULNESS, ENTAILMENT, CHOICE, YES_NO, EXTRACTIVE_QA, RATIONALES, SCIENCE]


def each(names: str, cases: list[tuple[Any, ...]]) -> pytest.MarkDecorator:
    ids = ["/".join(getattr(part, "name", part) for part in case) for case in cases]
    return pytest.mark.parametrize(names, cases, ids=ids)


def every_split(*sets: SampleSet) -> pytest.MarkDecorator:
    return each("sample, split", [(s, split) for s in sets for split in s.splits])


every_item = each("sample, column", [(s, c) for s in SETS for c in s.items])
every_single_column = each(
    "sample, column", [(s, c) for s in SETS for c in (*s.items, s.key) if c and c not in s.shared]
)
every_shared_column = each("sample, column", [(s, c) for s in SETS for c in s.shared])
every_option_column = each(
    "sample, split, column", [(s, split, c) for s in SETS for split in s.splits for c in s.options]
)
every_target = pytest.mark.parametrize("target", TRUTHFULNESS.options)


def read(sample: SampleSet, split: str) -> list[Row]:
    path = f"{sample.name}/{split}.jsonl"
    lines = (SAMPLES / path).read_bytes().removesuffix(b"\n").split(b"\n")
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append((f"{path}:{number}", json.loads(line.decode("utf-8"))))
        except ValueError as error:  # bad UTF-8 and bad JSON are both ValueErrors
            pytest.fail(f"{path}:{number}: {error}")
    return rows


def read_all(sample: SampleSet) -> list[Row]:
    return [row for split in sample.splits for row in read(sample, split)]


def fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, dict):
        alike = type(value) is dict and value.keys() == shape.keys()
        return alike and all(fits(value[key], part) for key, part in shape.items())
    if isinstance(shape, list):
        return type(value) is list and all(fits(part, shape[0]) for part in value)
    return type(value) is shape


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part)


def plain(text: str) -> str:
    return " ".join(text.casefold().split())


def item(row: dict[str, Any], columns: str) -> str:
    return " ".join(str(row[column]) for column in columns.split("+"))


def label(sample: SampleSet, row: dict[str, Any]) -> Any:
    value = row[sample.label]
    return bool(value["text"]) if isinstance(value, dict) else value


def options(sample: SampleSet, row: dict[str, Any], column: str) -> list[tuple[str, bool]]:
    """Each option and whether it is right."""
    given = row[column]
    if "labels" in given:
        return [(t, right == 1) for t, right in zip(given["choices"], given["labels"], strict=True)]
    if "text" in given:
        given = dict(zip(given["label"], given["text"], strict=True))
    return [(text, letter == label(sample, row)) for letter, text in given.items()]


def four_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+(?:['’]\w+)*", text.lower())
    return {tuple(words[i : i + 4]) for i in range(len(words) - 3)}


def test_files_of_the_sets_are_all_the_files_there_are() -> None:
    found = {path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*.jsonl")}
    assert found == {f"{s.name}/{split}.jsonl" for s in SETS for split in s.splits}


@every_split(*SETS)
def test_lines_of_a_set_have_exact_keys_and_types(sample: SampleSet, split: str) -> None:
    for place, row in read(sample, split):
        assert fits(row, sample.shape), f"{place}: not of shape {sample.shape}"


@every_split(*SETS)
def test_rows_of_a_set_match_the_stated_count(sample: SampleSet, split: str) -> None:
    last, _ = (rows := read(sample, split))[-1]
    assert len(rows) == sample.rows, f"{last}: last line, expected {sample.rows}"


@every_split(*SETS)
def test_strings_of_a_set_are_plain_lines(sample: SampleSet, split: str) -> None:
    for place, row in read(sample, split):
        for text in strings(row):
            assert text.strip(), f"{place}: an empty string"
            odd = re.findall(NOT_PLAIN, text)
            assert not odd, f"{place}: contains {odd}"


@every_single_column
def test_items_and_names_of_a_set_are_distinct(sample: SampleSet, column: str) -> None:
    first: dict[str, str] = {}
    for place, row in read_all(sample):
        same = first.setdefault(plain(item(row, column)), place)
        assert same == place, f"{place}: same {column} as {same}"


@every_shared_column
def test_shared_texts_stay_within_one_split(sample: SampleSet, column: str) -> None:
    first: dict[str, tuple[str, str]] = {}
    for split in sample.splits:
        for place, row in read(sample, split):
            home, same = first.setdefault(plain(row[column]), (split, place))
            assert home == split, f"{place}: same {column} as {same}"


def test_titles_and_contexts_belong_to_each_other() -> None:
    partner: dict[str, str] = {}
    for place, row in read_all(EXTRACTIVE_QA):
        title, context = plain(row["title"]), plain(row["context"])
        assert partner.setdefault(title, context) == context, f"{place}: title of another context"
        assert partner.setdefault(context, title) == title, f"{place}: context of another title"


@every_item
def test_overlap_of_any_two_items_stays_low(sample: SampleSet, column: str) -> None:
    first: dict[str, str] = {}
    for place, row in read_all(sample):
        first.setdefault(plain(item(row, column)), place)
    grams = [(place, four_grams(text)) for text, place in first.items()]
    for (a, left), (b, right) in combinations(grams, 2):
        share = len(left & right) / max(1, min(len(left), len(right)))
        assert share <= MAX_OVERLAP, f"{b}: {column} shares {share:.0%} with {a}"


@every_split(*(s for s in SETS if s.labels))
def test_labels_of_a_set_are_balanced(sample: SampleSet, split: str) -> None:
    counts: Counter[Any] = Counter()
    for place, row in read(sample, split):
        assert label(sample, row) in sample.labels, f"{place}: label {label(sample, row)!r}"
        counts[label(sample, row)] += 1
    expected = dict.fromkeys(sample.labels, sample.rows // len(sample.labels))
    assert counts == expected, f"{sample.name}/{split}.jsonl:1-{counts.total()}: {dict(counts)}"


@every_split(*(s for s in SETS if s.labels and s.options))
def test_positions_of_the_answers_follow_no_cycle(sample: SampleSet, split: str) -> None:
    answers = [label(sample, row) for _, row in read(sample, split)]
    for distance in range(1, len(answers) // 2 + 1):
        pairs = list(zip(answers, answers[distance:], strict=False))
        share = mean(a == b for a, b in pairs)
        place = f"{sample.name}/{split}.jsonl:1-{len(answers)}"
        assert share <= MAX_REPEATS, f"{place}: {share:.0%} repeat {distance} rows on"


@every_option_column
def test_options_of_a_question_are_distinct(sample: SampleSet, split: str, column: str) -> None:
    for place, row in read(sample, split):
        texts = [plain(text) for text, _ in options(sample, row, column)]
        assert len(set(texts)) == len(texts), f"{place}: {column} repeats"


@every_option_column
def test_lengths_of_right_and_wrong_options_are_alike(
    sample: SampleSet, split: str, column: str
) -> None:
    lengths: dict[bool, list[int]] = {True: [], False: []}
    for _, row in (rows := read(sample, split)):
        for text, right in options(sample, row, column):
            lengths[right].append(len(text))
    ratio = mean(lengths[True]) / mean(lengths[False])
    place = f"{sample.name}/{split}.jsonl:1-{len(rows)}: {column}"
    assert abs(ratio - 1) <= MAX_LENGTH_GAP, f"{place} right/wrong {ratio:.2f}"


@every_split(SENTIMENT)
def test_texts_of_sentiment_are_of_fair_length(sample: SampleSet, split: str) -> None:
    for place, row in read(sample, split):
        words = len(row["text"].split())
        assert MIN_WORDS <= words <= MAX_WORDS, f"{place}: {words} words"


@every_split(SENTIMENT)
def test_openings_of_sentiment_are_distinct(sample: SampleSet, split: str) -> None:
    first: dict[tuple[str, ...], str] = {}
    for place, row in read(sample, split):
        opening = tuple(re.findall(r"\w+", row["text"].lower())[:3])
        same = first.setdefault(opening, place)
        assert same == place, f"{place}: opens as {same}"


@every_target
def test_labels_of_truthfulness_are_well_formed(target: str) -> None:
    for place, row in read_all(TRUTHFULNESS):
        labels = row[target]["labels"]
        true = 1 if target == "mc1_targets" else sum(labels)
        expected = [1] * true + [0] * (len(row[target]["choices"]) - true)
        assert labels == expected and {0, 1} <= set(labels), f"{place}: {target} labels {labels}"


@every_target
def test_choices_of_truthfulness_are_sentences(target: str) -> None:
    for place, row in read_all(TRUTHFULNESS):
        for choice in row[target]["choices"]:
            assert choice.endswith("."), f"{place}: {target} has no period: {choice}"


@pytest.mark.parametrize("column", ["passage", "facts"])
def test_texts_of_yes_no_do_not_speak_the_answer(column: str) -> None:
    for place, row in read_all(YES_NO):
        said = re.findall(VERDICT, row[column])
        assert not said, f"{place}: {column} says {said}"


def test_answers_of_extractive_qa_stand_in_the_context() -> None:
    for place, row in read_all(EXTRACTIVE_QA):
        texts, starts = row["answers"]["text"], row["answers"]["answer_start"]
        assert len(texts) == len(starts), f"{place}: {len(texts)} texts, {len(starts)} starts"
        for text, start in zip(texts, starts, strict=True):
            found = row["context"][start : start + len(text)]
            assert found == text, f"{place}: {text!r} is {found!r} in the context"


def test_choices_of_rationales_are_lettered() -> None:
    for place, row in read_all(RATIONALES):
        letters, texts = row["choices"]["label"], row["choices"]["text"]
        assert letters == [*RATIONALES.labels], f"{place}: labels {letters}"
        assert len(texts) == len(letters), f"{place}: {len(texts)} choices"


def test_rationales_never_name_a_letter() -> None:
    for place, row in read_all(RATIONALES):
        named = re.findall(LETTER, row["rationale"])
        assert not named, f"{place}: names {named}"
