from __future__ import annotations

import pytest

from harness.errors import ComparisonError, RecordError
from leaderboards.board import build_board
from leaderboards.entries import Entry
from tests.records import store
from tests.unit.leaderboards.making import aggregated, in_memory, model, number

VALUES = {"t": {"acc": [1.0, 0.0]}}


def test_build_board_other_task_version_names_models_task_and_versions(tmp_path):
    entries = [model(tmp_path, "a", VALUES), model(tmp_path, "b", VALUES, version=2.0)]
    with pytest.raises(ComparisonError, match=r"t: a and b: other task version: '1.0' and '2.0'"):
        build_board(entries)


def test_build_board_other_data_is_refused_unless_its_task_is_left_out(tmp_path):
    def entry(name, **changed):
        runs = [
            store(tmp_path / f"{name}1", VALUES, fingerprint=name, **changed),
            store(tmp_path / f"{name}2", {"u": {"acc": [1.0]}}, fingerprint=name),
        ]
        return Entry(name, runs)

    entries = [entry("a"), entry("b", data={"fingerprint": "e"})]
    with pytest.raises(ComparisonError, match=r"--tasks leaves tasks out.*\n  t: a and b.*split"):
        build_board(entries)
    assert len(build_board(entries, patterns=["u"]).lines) == 2


def test_build_board_difference_hidden_by_an_unknown_is_found(tmp_path):
    # b does not tell its version: a and b, b and c may be compared, a and c may not
    entries = [
        model(tmp_path, "a", VALUES),
        model(tmp_path, "b", VALUES, version=None),
        model(tmp_path, "c", VALUES, version=2.0),
    ]
    with pytest.raises(ComparisonError, match="t: a and c: other task version"):
        build_board(entries)


def test_build_board_what_only_some_models_tell_is_noted(tmp_path):
    entries = [model(tmp_path, "a", VALUES, version=None), model(tmp_path, "b", VALUES)]
    assert "t: not told by all models, so not compared: task version" in build_board(entries).notes


def test_build_board_other_documents_are_refused_with_their_number(tmp_path):
    entries = [
        model(tmp_path, "a", VALUES, numbers=[1, 2]),
        model(tmp_path, "b", VALUES, numbers=[2, 3]),
        model(tmp_path, "c", VALUES, numbers=[2, 1]),  # another order is no difference
    ]
    with pytest.raises(ComparisonError) as told:
        build_board(entries)
    assert "t: a, c and b scored other documents (2 and 2, 1 in common)" in str(told.value)
    assert "--subset-seed" in str(told.value)


def test_build_board_fewer_documents_are_refused(tmp_path):
    entries = [model(tmp_path, "a", VALUES), model(tmp_path, "b", {"t": {"acc": [1.0]}})]
    with pytest.raises(ComparisonError, match=r"a and b scored other documents \(2 and 1\)"):
        build_board(entries)


def test_build_board_other_number_of_documents_without_samples_is_refused(tmp_path):
    bare = Entry("b", [in_memory("b", {"t": aggregated("t", {"acc": number(0.5)}, documents=9)})])
    with pytest.raises(ComparisonError, match=r"\(2 and 9\)"):
        build_board([model(tmp_path, "a", VALUES), bare])


def test_build_board_other_headline_or_direction_is_refused():
    def entry(name, headline="acc", rises=True):
        metrics = {"acc": number(0.5, higher_is_better=rises), "f1": number(0.5)}
        return Entry(name, [in_memory(name, {"t": aggregated("t", metrics, headline=headline)})])

    with pytest.raises(ComparisonError, match="other headline: 'acc' and 'f1'"):
        build_board([entry("a"), entry("b", headline="f1")])
    with pytest.raises(ComparisonError, match="acc: higher is better in one, lower in the other"):
        build_board([entry("a"), entry("b", rises=False)])


def test_build_board_many_differences_are_cut_short():
    entries = [
        Entry(name, [in_memory(name, {"t": aggregated("t", {"acc": number(0.5)}, version=name)})])
        for name in "abcdefghij"
    ]
    with pytest.raises(ComparisonError) as told:
        build_board(entries)
    # 10 models that all differ: 45 pairs, of which 20 are told
    assert str(told.value).count("\n") == 21 and "and 25 more" in str(told.value)


def damage(entry, change):
    file = entry.runs[0].folder / "samples_t.jsonl"
    file.write_bytes(change(file.read_bytes()))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda told: told[:-20], "line 2"),  # truncated within a line
        (lambda told: told.splitlines(keepends=True)[0], "holds 1 documents, .* tells of 2"),
        (lambda told: told + told.splitlines(keepends=True)[0], "line 3: document .* there twice"),
        (lambda told: told.replace(b'"acc": 1.0', b'"acc": NaN'), "line 1: NaN is no number"),
        (lambda told: told.replace(b'"acc": 1.0', b'"acc": 0.5'), "of different runs"),
        (lambda told: b"\xff\x00" + told, "line 1"),
    ],
)  # fmt: skip
def test_build_board_damaged_samples_are_refused_with_their_place(tmp_path, change, fault):
    entries = [model(tmp_path, name, VALUES) for name in "ab"]
    damage(entries[1], change)
    with pytest.raises(RecordError, match=fault):
        build_board(entries)
