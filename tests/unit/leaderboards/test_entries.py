from __future__ import annotations

import json
import re

import pytest

from harness.errors import ComparisonError, ConfigError, RecordError
from leaderboards.board import build_board
from leaderboards.entries import Entry, read_entries
from tests.records import store
from tests.unit.leaderboards.making import in_memory, model, plain

VALUES = {"acc": [1.0, 0.0]}


def test_read_entries_name_is_the_folders_unless_given(tmp_path):
    store(tmp_path / "a", {"t": VALUES})
    store(tmp_path / "b", {"t": VALUES})
    entries = read_entries([str(tmp_path / "a"), f"tuned={tmp_path / 'b'}"])
    assert [entry.name for entry in entries] == ["a", "tuned"]


def test_read_entries_folder_with_an_equals_sign_is_a_folder(tmp_path, monkeypatch):
    store(tmp_path / "lr=3", {"t": VALUES})
    monkeypatch.chdir(tmp_path)
    assert [entry.name for entry in read_entries(["lr=3"])] == ["lr=3"]
    assert [entry.name for entry in read_entries(["x=lr=3"])] == ["x"]


def test_read_entries_empty_name_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="name of the model is empty"):
        read_entries([f"={tmp_path / 'a'}"])


def test_read_entries_no_run_there_says_what_to_give(tmp_path):
    with pytest.raises(RecordError, match="give the folder of a run"):
        read_entries([str(tmp_path / "nothing")])


@pytest.mark.parametrize(("schema", "age"), [(1, "an older"), (99, "a newer")])
def test_read_entries_other_schema_version_is_refused(tmp_path, schema, age):
    store(tmp_path / "good", {"t": VALUES})
    file = store(tmp_path / "other", {"t": VALUES}).folder / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema": schema}))
    with pytest.raises(RecordError, match=f"written by {age} selfcheck"):
        read_entries([str(tmp_path / "good"), str(tmp_path / "other")])


@pytest.mark.parametrize("told", ["NaN", "1e999"])
def test_read_entries_value_that_is_no_number_is_refused(tmp_path, told):
    file = store(tmp_path / "a", {"t": VALUES}).folder / "run.json"
    file.write_text(file.read_text().replace('"value": 0.5', f'"value": {told}'))
    with pytest.raises(RecordError, match="no record of a run"):
        read_entries([str(tmp_path / "a")])


def test_build_board_runs_of_one_name_are_joined(tmp_path):
    store(tmp_path / "1", {"t": VALUES}, fingerprint="m")
    store(tmp_path / "2", {"u": VALUES}, fingerprint="m")
    board = build_board(read_entries([f"m={tmp_path / '1'}", f"m={tmp_path / '2'}"]))
    assert [(line.model, line.task) for line in board.lines] == [("m", "t"), ("m", "u")]
    assert len({line.run_id for line in board.lines}) == 2
    assert any(note.startswith("m is joined from runs") for note in board.notes)


def test_build_board_joined_without_fingerprints_is_noted(tmp_path):
    runs = [store(tmp_path / "1", {"t": VALUES}), store(tmp_path / "2", {"u": VALUES})]
    assert any("no fingerprint" in note for note in build_board([Entry("m", runs)]).notes)


def test_build_board_same_task_in_two_runs_of_a_model_is_refused(tmp_path):
    runs = [store(tmp_path / "1", {"t": VALUES}), store(tmp_path / "2", {"t": {"acc": [0.0]}})]
    with pytest.raises(ConfigError, match=r"m: t is in two of its runs: .*1 and .*2"):
        build_board([Entry("m", runs)])


def test_build_board_runs_of_a_name_with_other_fingerprints_are_refused(tmp_path):
    runs = [
        store(tmp_path / "1", {"t": VALUES}, fingerprint="x"),
        store(tmp_path / "2", {"u": VALUES}, fingerprint="y"),
    ]
    with pytest.raises(ComparisonError, match="different models"):
        build_board([Entry("m", runs)])


def test_build_board_run_given_twice_is_refused(tmp_path):
    run = store(tmp_path / "1", {"t": VALUES})
    for names in (["m", "m"], ["m", "n"]):
        words = [f"{name}={run.folder}" for name in names]
        with pytest.raises(ConfigError, match="is the same run as"):
            build_board(read_entries(words))


def test_build_board_two_entries_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="m is there 2 times"):
        build_board([plain("m", t=0.5), plain("m", u=0.5)])


@pytest.mark.parametrize("entries", [[], [Entry("m", [])], [Entry("m", [in_memory("m", {})])]])
def test_build_board_of_nothing_is_refused(entries):
    with pytest.raises(ConfigError):
        build_board(entries)


def test_build_board_unknown_base_offers_the_nearest(tmp_path):
    entries = [model(tmp_path, name, {"t": VALUES}) for name in ("qwen", "llama")]
    with pytest.raises(ConfigError, match=re.escape("Did you mean 'qwen'?")):
        build_board(entries, base="qven")


def test_build_board_unknown_task_offers_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'task'"):
        build_board([plain("m", task=0.5)], patterns=["tasc"])


def test_build_board_patterns_leave_tasks_out():
    board = build_board([plain("m", a1=0.5, a2=0.7, b=0.0)], patterns=["a*"])
    assert [line.task for line in board.lines] == ["a1", "a2"]
    assert board.places[0].mean == pytest.approx(0.6)  # (0.5 + 0.7) / 2
