"""Whole runs in processes of their own that are killed and resumed, or share a cache."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.benchmarks.kill_and_resume import (
    TASKS,
    Difference,
    Session,
    checkpoint,
    compare,
    kill_again_and_again,
    read_samples,
)

MODELS = ["scripted", "tiny"]


@pytest.fixture(scope="module", params=MODELS)
def whole(request, tmp_path_factory) -> Session:
    """A run that nobody disturbed."""
    folder = tmp_path_factory.mktemp(request.param)
    session = Session(checkpoint(request.param, folder), folder / "whole", folder / "whole-cache")
    session.finish()
    return session


def assert_same(one: Path, other: Path) -> None:
    found = compare(one, other)
    assert found.values == 0
    assert found.score <= 1e-4


def set_aside(session: Session) -> list[Path]:
    return list(session.cache.glob("*.unusable-*"))


def test_run_killed_and_resumed_asks_nothing_again_and_ends_as_one_that_was_not(whole, tmp_path):
    needed = whole.finished()
    assert set(whole.noted("asked")) == needed == set(whole.noted("kept"))
    session = Session(whole.model, tmp_path / "killed", tmp_path / "cache")
    kills = list(kill_again_and_again(session, len(needed), kills=3, seed=1))
    for kill in kills:
        assert kill.landed and kill.asked > 0
        assert (kill.lost, kill.again) == (0, 0)
        assert kill.left == (), "there is a record, or a part of one"
    finished = [0, *(kill.finished for kill in kills), len(needed)]
    assert all(before <= after for before, after in pairwise(finished))
    assert 0 < finished[-2] < len(needed), "no kill fell between the first answer and the last"
    before, asked = session.finished(), len(session.noted("asked"))
    session.finish()
    assert sorted(session.noted("asked")[asked:]) == sorted(needed - before)
    assert_same(whole.record, session.record)
    assert not set_aside(session)


def test_run_resumed_after_its_end_asks_nothing(whole, tmp_path):
    session = Session(whole.model, tmp_path / "again", whole.cache)
    session.finish()
    assert session.noted("asked") == []
    assert_same(whole.record, session.record)


def test_two_runs_at_once_share_a_cache_and_end_alike(whole, tmp_path):
    start = tmp_path / "start"
    sessions = [
        Session(whole.model, tmp_path / name, tmp_path / "cache", start) for name in ("one", "two")
    ]
    processes = [session.begin() for session in sessions]
    try:
        while not all((session.folder / "ready").exists() for session in sessions):
            assert all(process.poll() is None for process in processes)
            time.sleep(0.05)
        start.touch()
        assert [process.wait(300) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    asked = [set(session.noted("asked")) for session in sessions]
    assert asked[0] & asked[1], "one had ended before the other began"
    assert asked[0] | asked[1] == sessions[0].finished() == whole.finished()
    for session in sessions:
        assert_same(whole.record, session.record)
        assert not set_aside(session)
        assert "no longer kept" not in (session.folder / "stderr").read_text()


def test_records_of_the_runs_have_readings_verdicts_and_scores_to_compare(whole):
    kinds = {type(value) for name in TASKS for value in values(whole.record, name)}
    assert {float, str, bool} <= kinds
    told = Difference()
    told.add({"a": [1.0, "x"]}, {"a": [1.5, "y"]})
    told.add([1.0], [None])
    assert (told.values, told.score) == (2, 0.5)


def values(record: Path, task: str) -> list[object]:
    waiting: list[object] = list(read_samples(record / f"samples_{task}.jsonl"))
    found: list[object] = []
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [part for key, part in value.items() if key != "stages"]
        elif isinstance(value, list):
            waiting += value
        else:
            found.append(value)
    return found
