"""The sample sets obey the rules in tasks/sample/README.md."""

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import pytest

SAMPLES = Path(__file__).parents[2] / "tasks" / "sample"
MAX_OVERLAP = 0.30
MAX_LENGTH_GAP = 0.15
MIN_WORDS, MAX_WORDS = 40, 90

Row = tuple[int, dict[str, Any]]  # line number, counted from one; the line's object


class SampleSet(NamedTuple):
    """One file, its column types, its size and the column whose items must differ."""

    path: str
    columns: dict[str, type]
    rows: int
    item: str


SENTIMENT = SampleSet("sentiment/test.jsonl", {"text": str, "label": int}, 60, "text")
MC_COLUMNS: dict[str, type] = {"question": str, "mc1_targets": dict, "mc2_targets": dict}
TRUTHFULNESS = SampleSet("truthfulness/validation.jsonl", MC_COLUMNS, 50, "question")
SETS = [SENTIMENT, TRUTHFULNESS]
TEXT_SETS = [s for s in SETS if "label" in s.columns]
CHOICE_SETS = [s for s in SETS if "mc1_targets" in s.columns]

every_set = pytest.mark.parametrize("sample", SETS, ids=lambda s: s.path)
every_text_set = pytest.mark.parametrize("sample", TEXT_SETS, ids=lambda s: s.path)
every_choice_set = pytest.mark.parametrize("sample", CHOICE_SETS, ids=lambda s: s.path)
every_target = pytest.mark.parametrize("target", ["mc1_targets", "mc2_targets"])


def read(sample: SampleSet) -> list[Row]:
    lines = (SAMPLES / sample.path).read_bytes().removesuffix(b"\n").split(b"\n")
    rows: list[Row] = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append((number, json.loads(line.decode("utf-8"))))
        except ValueError as error:  # bad UTF-8 and bad JSON are both ValueErrors
            pytest.fail(f"{sample.path}:{number}: {error}")
    return rows


def four_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+(?:['’]\w+)*", text.lower())
    return {tuple(words[i : i + 4]) for i in range(len(words) - 3)}


@every_set
def test_lines_of_a_set_have_exact_keys_and_types(sample: SampleSet) -> None:
    for number, row in read(sample):
        assert isinstance(row, dict), f"{sample.path}:{number}: not an object"
        found = {key: type(value) for key, value in row.items()}
        assert found == sample.columns, f"{sample.path}:{number}: {found}"


@every_set
def test_rows_of_a_set_match_the_stated_count(sample: SampleSet) -> None:
    last = len(read(sample))
    assert last == sample.rows, f"{sample.path}:{last}: last line, expected {sample.rows}"


@every_set
def test_items_of_a_set_are_distinct(sample: SampleSet) -> None:
    first: dict[str, int] = {}
    for number, row in read(sample):
        item = " ".join(row[sample.item].lower().split())
        same = first.setdefault(item, number)
        assert same == number, f"{sample.path}:{number}: same as line {same}"


@every_set
def test_overlap_of_any_two_items_stays_low(sample: SampleSet) -> None:
    grams = [(number, four_grams(row[sample.item])) for number, row in read(sample)]
    for (a, left), (b, right) in combinations(grams, 2):
        share = len(left & right) / max(1, min(len(left), len(right)))
        assert share <= MAX_OVERLAP, f"{sample.path}:{b}: shares {share:.0%} with line {a}"


@every_text_set
def test_labels_of_a_text_set_are_balanced(sample: SampleSet) -> None:
    rows = read(sample)
    for number, row in rows:
        assert row["label"] in (0, 1), f"{sample.path}:{number}: label {row['label']}"
    counts = Counter(row["label"] for _, row in rows)
    assert counts[0] == counts[1], f"{sample.path}:{len(rows)}: {dict(counts)}"


@every_text_set
def test_texts_of_a_text_set_are_plain_paragraphs_of_fair_length(sample: SampleSet) -> None:
    for number, row in read(sample):
        words = len(row["text"].split())
        assert MIN_WORDS <= words <= MAX_WORDS, f"{sample.path}:{number}: {words} words"
        odd = re.findall(r"[\[\]\r\n\t]", row["text"])
        assert not odd, f"{sample.path}:{number}: contains {odd}"


@every_text_set
def test_openings_of_a_text_set_are_distinct(sample: SampleSet) -> None:
    first: dict[tuple[str, ...], int] = {}
    for number, row in read(sample):
        opening = tuple(re.findall(r"\w+", row["text"].lower())[:3])
        same = first.setdefault(opening, number)
        assert same == number, f"{sample.path}:{number}: opens as line {same}"


@every_choice_set
@every_target
def test_labels_of_a_choice_set_are_well_formed(sample: SampleSet, target: str) -> None:
    for number, row in read(sample):
        place = f"{sample.path}:{number}: {target}"
        assert set(row[target]) == {"choices", "labels"}, f"{place} has other keys"
        labels = row[target]["labels"]
        true = 1 if target == "mc1_targets" else sum(labels)
        expected = [1] * true + [0] * (len(row[target]["choices"]) - true)
        assert labels == expected and {0, 1} <= set(labels), f"{place} labels {labels}"


@every_choice_set
@every_target
def test_choices_of_a_question_are_distinct_sentences(sample: SampleSet, target: str) -> None:
    for number, row in read(sample):
        choices = row[target]["choices"]
        place = f"{sample.path}:{number}: {target}"
        assert len({choice.casefold() for choice in choices}) == len(choices), f"{place} repeats"
        for choice in choices:
            assert choice.endswith("."), f"{place} has no period: {choice}"


@every_choice_set
@every_target
def test_lengths_of_true_and_false_choices_are_alike(sample: SampleSet, target: str) -> None:
    lengths: dict[int, list[int]] = {0: [], 1: []}
    for _, row in (rows := read(sample)):
        for choice, label in zip(row[target]["choices"], row[target]["labels"], strict=True):
            lengths[label].append(len(choice))
    ratio = mean(lengths[1]) / mean(lengths[0])
    place = f"{sample.path}:1-{len(rows)}: {target}"
    assert abs(ratio - 1) <= MAX_LENGTH_GAP, f"{place} true/false {ratio:.2f}"
