"""What several people wrote, put together: faults, conflicts, and how far they agree."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.writing.annotation_merge import Agreement, Conflict, cohens_kappa, merge
from finetune.writing.annotations import Sheet
from harness.errors import ConfigError
from tests.unit.finetune.annotated import filled, open_row

EXPORTED = {open_row(n).id: open_row(n) for n in range(4)}


def sheet(file, *rows) -> Sheet:
    return Sheet(file, dict(enumerate(rows, 1)))


def by(annotator, *verdicts, start=0):
    """Fill in documents in turn; None leaves one open."""
    told = enumerate(verdicts, start)
    return [
        open_row(n) if is_right is None else filled(open_row(n), annotator, is_right)
        for n, is_right in told
    ]


def ids(*numbers):
    return [open_row(n).id for n in numbers]


def test_merge_of_people_who_share_the_work_is_all_of_it_in_the_exported_order():
    one = sheet("a", *by("ann", True, False, start=2))
    other = sheet("b", *by("bob", False, True))
    told = merge(EXPORTED, [one, other])
    assert told.annotations == [*other.rows.values(), *one.rows.values()]
    assert not (told.strange or told.changed or told.duplicates or told.missing)
    assert not (told.conflicts or told.settled or told.agreements)


def test_merge_where_people_agree_takes_the_file_that_is_named_first():
    one = sheet("a", *by("ann", True, False, True, True))
    other = sheet("b", *by("bob", True, False, True, True))
    assert merge(EXPORTED, [one, other]).annotations == list(one.rows.values())
    assert merge(EXPORTED, [other, one]).annotations == list(other.rows.values())
    assert merge(EXPORTED, [one, other], "bob").annotations == list(one.rows.values())


def test_merge_rows_left_open_by_all_are_missing():
    told = merge(EXPORTED, [sheet("a", *by("ann", True, None)), sheet("b", *by("bob", None, None))])
    assert told.missing == ids(1, 2, 3)
    assert [row.id for row in told.annotations] == ids(0)


def test_merge_row_open_in_one_file_is_taken_from_another():
    told = merge(EXPORTED, [sheet("a", *by("ann", None)), sheet("b", *by("bob", True))])
    assert [row.annotator for row in told.annotations] == ["bob"] and not told.duplicates


def test_merge_rows_that_were_never_exported_are_strange_and_left_out():
    told = merge(EXPORTED, [sheet("a.jsonl", *by("ann", True, None, start=8))])
    assert told.strange == [
        f"a.jsonl, line {line}: document {digest[:12]} was not exported: is it of another export?"
        for line, digest in enumerate(ids(8, 9), 1)
    ]
    assert told.annotations == [] and told.missing == ids(0, 1, 2, 3)


@pytest.mark.parametrize("key", ["context", "question", "model_answer"])
@pytest.mark.parametrize("is_right", [True, None])
def test_merge_rows_whose_given_text_was_edited_are_changed_and_left_out(key, is_right):
    row = msgspec.structs.replace(by("ann", is_right)[0], **{key: "Edited"})
    told = merge(EXPORTED, [sheet("a", row)])
    digest = ids(0)[0][:12]
    assert told.changed == [f"a, line 1: document {digest}: not as exported, put it back: {key}"]
    assert told.annotations == []


def test_merge_document_twice_in_a_file_is_a_duplicate():
    told = merge(EXPORTED, [sheet("a", *by("ann", True), *by("ann", None), *by("bob", True))])
    place = f"document {ids(0)[0][:12]} is there twice, first in line 1"
    assert told.duplicates == [f"a, line 2: {place}", f"a, line 3: {place}"]


def test_merge_document_twice_by_one_person_in_two_files_is_a_duplicate():
    told = merge(EXPORTED, [sheet("a", *by("ann", True)), sheet("b", *by("ann", False))])
    place = f"b, line 1: document {ids(0)[0][:12]}"
    assert told.duplicates == [f"{place}: ann annotated it in another file, too"]
    assert not told.conflicts and not told.agreements
    assert [row.is_right for row in told.annotations] == [True], "the first one stands"


def test_merge_where_people_disagree_takes_none():
    one, other = sheet("a", *by("ann", True, True)), sheet("b", *by("bob", False, True))
    told = merge(EXPORTED, [one, other])
    assert told.conflicts == [Conflict(ids(0)[0], {"ann": one.rows[1], "bob": other.rows[1]})]
    assert [row.id for row in told.annotations] == ids(1)
    assert told.missing == ids(2, 3), "a document in conflict is annotated"


def test_merge_preferred_annotator_decides_where_people_disagree():
    one, other = sheet("a", *by("ann", True, True)), sheet("b", *by("bob", False, True))
    told = merge(EXPORTED, [one, other], prefer="bob")
    assert not told.conflicts
    assert told.settled == [Conflict(ids(0)[0], {"ann": one.rows[1], "bob": other.rows[1]})]
    assert told.annotations == [other.rows[1], one.rows[2]]


def test_merge_conflict_that_the_preferred_annotator_has_no_part_in_is_left():
    sheets = [
        sheet("a", *by("ann", True, True)),
        sheet("b", *by("bob", False, False)),
        sheet("c", *by("cat", False)),
    ]
    told = merge(EXPORTED, sheets, prefer="cat")
    assert [conflict.id for conflict in told.settled] == ids(0)
    assert [conflict.id for conflict in told.conflicts] == ids(1)
    assert {name: row.is_right for name, row in told.settled[0].said.items()} == {
        "ann": True, "bob": False, "cat": False,
    }  # fmt: skip


def naming(annotator, right_answer, is_right=False):
    row = filled(open_row(0), annotator, is_right)
    return msgspec.structs.replace(row, right_answer=right_answer)


@pytest.mark.parametrize(
    ("one", "other", "disagree"),
    [
        ("8 km", "9 km", True),
        ("8 km", "unanswerable", True),
        ("8 km", "The passage does not say.", True),
        ("a", "the", True),  # nothing but articles: letters, perhaps
        ("8 km", "The  8 KM.", False),
        ("unanswerable", "Unanswerable.", False),
        ("The passage does not say.", "unanswerable", False),
    ],
)
def test_merge_of_people_who_name_different_right_answers(one, other, disagree):
    rows = naming("ann", one), naming("bob", other)
    sheets = [sheet("a", rows[0]), sheet("b", rows[1])]
    told = merge(EXPORTED, sheets)
    conflict = Conflict(ids(0)[0], dict(zip(("ann", "bob"), rows, strict=True)))
    assert told.conflicts == [conflict] * disagree
    assert told.annotations == ([] if disagree else [rows[0]])
    assert told.agreements[0].agreed == 1, "on whether the answer is right"
    told = merge(EXPORTED, sheets, prefer="bob")
    assert told.settled == [conflict] * disagree and not told.conflicts
    assert told.annotations == [rows[1] if disagree else rows[0]]


def test_merge_of_people_who_call_the_answer_right_compares_no_right_answers():
    sheets = [
        sheet("a", naming("ann", "8 km", is_right=True)),
        sheet("b", naming("bob", "9 km", is_right=True)),
    ]
    assert not merge(EXPORTED, sheets).conflicts


def test_merge_preferring_nobody_known_offers_the_near_miss():
    with pytest.raises(ConfigError, match=r"--prefer: unknown annotator: got 'bobb'. Did you mean"):
        merge(EXPORTED, [sheet("a", *by("bob", True))], prefer="bobb")


def test_merge_tells_agreement_of_every_two_people_with_documents_in_common():
    sheets = [
        sheet("a", *by("ann", True, True, False, False)),
        sheet("b", *by("bob", True, True, False, True)),
        sheet("c", *by("cat", None, None, False)),
        sheet("d", *by("dan", None, None, None, None)),
    ]
    # ann, bob: they agree on 3 of 4; by chance 1/2 * 3/4 + 1/2 * 1/4 = 1/2; (3/4 - 1/2) / (1 - 1/2)
    assert merge(EXPORTED, sheets).agreements == [
        Agreement(("ann", "bob"), 4, 3, pytest.approx(0.5)),
        Agreement(("ann", "cat"), 1, 1, None),
        Agreement(("bob", "cat"), 1, 1, None),
    ]


@pytest.mark.parametrize(
    ("verdicts", "kappa"),
    [
        ([(True, False)], 0.0),  # agreed 0, by chance 1 * 0 + 0 * 1 = 0
        ([(True, False), (False, True)], -1.0),  # agreed 0, by chance 1/2
        ([(True, True), (False, False)], 1.0),
        ([(True, True), (True, False)], 0.0),  # agreed 1/2, by chance 1 * 1/2 + 0 * 1/2
        ([(True, True)] * 3, None),
        ([(False, False)], None),
    ],
)
def test_cohens_kappa_of_few_verdicts(verdicts, kappa):
    assert cohens_kappa(verdicts) == (kappa if kappa is None else pytest.approx(kappa))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_cohens_kappa_is_its_formula(verdicts):
    n = len(verdicts)
    agreed = sum(a == b for a, b in verdicts) / n
    ones, others = (sum(pair[who] for pair in verdicts) / n for who in (0, 1))
    chance = ones * others + (1 - ones) * (1 - others)
    told = cohens_kappa(verdicts)
    if chance == 1:
        assert told is None
    else:
        assert told == pytest.approx((agreed - chance) / (1 - chance))
