"""Who may read and write what is kept: the cache its user alone; runs as the umask says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cache import ResponseCache, default_path
from harness.commands import main
from harness.hashes import file_sha256
from tests.records import make_run, samples, store, task_run

UMASKS = [0o000, 0o022, 0o077]
VALUES = {"acc": [0.0, 1.0] * 5}


@contextmanager
def umask(told: int) -> Iterator[None]:
    before = os.umask(told)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("told", UMASKS)
def test_the_cache_is_its_users_alone(tmp_path, monkeypatch, told) -> None:
    monkeypatch.setenv("SELFCHECK_HOME", str(tmp_path / "kept" / "selfcheck"))
    monkeypatch.delenv("SELFCHECK_CACHE")
    file = default_path()
    with umask(told), ResponseCache.default() as cache:
        cache.put("model", "generate_until", "k", "answer")
        assert mode(file.parent) == 0o700
        for name in ("", "-wal", "-shm"):
            assert mode(Path(f"{file}{name}")) == 0o600


@pytest.mark.parametrize("told", UMASKS)
def test_hashes_alone_make_a_home_of_its_user(tmp_path, monkeypatch, told) -> None:
    monkeypatch.setenv("SELFCHECK_HOME", str(tmp_path / "home"))
    (tmp_path / "weights").write_bytes(b"x")
    os.utime(tmp_path / "weights", (1, 1))
    with umask(told):
        file_sha256(tmp_path / "weights")
    assert mode(tmp_path / "home") == 0o700


def test_a_cache_that_is_there_keeps_its_permissions(tmp_path, monkeypatch) -> None:
    """Somebody shares it with a group."""
    monkeypatch.setenv("SELFCHECK_CACHE", str(tmp_path / "shared"))
    with ResponseCache.default():
        pass
    (tmp_path / "shared").chmod(0o770)
    (tmp_path / "shared" / "answers.sqlite").chmod(0o660)
    with ResponseCache.default() as cache:
        cache.put("model", "generate_until", "k", "answer")
        assert mode(tmp_path / "shared") == 0o770
        assert mode(tmp_path / "shared" / "answers.sqlite") == 0o660
        assert mode(tmp_path / "shared" / "answers.sqlite-wal") == 0o660


@pytest.mark.parametrize("told", UMASKS)
def test_runs_and_boards_follow_the_umask_and_are_never_world_writable(tmp_path, told) -> None:
    output = tmp_path / "out"
    output.mkdir()
    results = {
        "results": {"t": {"acc,none": 0.5}},
        "configs": {"t": {"task": "t", "output_type": "multiple_choice"}},
        "n-samples": {"t": {"original": 9, "effective": 4}},
        "higher_is_better": {"t": {"acc": True}},
        "config": {"model": "hf", "model_args": "pretrained=m", "batch_size": "4"},
    }
    (output / "results_2026-01-02T03-04-05.678901.json").write_text(json.dumps(results))
    for name in ("a", "b"):
        store(tmp_path / name, {"t": VALUES}, fingerprint=name)
    with umask(told):
        assert main(["import", str(output), "--output", str(tmp_path / "made" / "run")]) == 0
        line = ["board", str(tmp_path / "a"), str(tmp_path / "b"), "--html"]
        assert main([*line, "--output", str(tmp_path / "made" / "board")]) == 0
        assert os.umask(told) == told, "the umask is the caller's again"
    wanted = 0o777 & ~(told | 0o002)
    for path in (tmp_path / "made").rglob("*"):
        assert mode(path) == (wanted if path.is_dir() else wanted & 0o666), path


@pytest.mark.parametrize("told", [0o022, 0o077])
def test_a_run_that_is_written_by_a_program_follows_its_umask(tmp_path, told) -> None:
    from harness.run_files import write_run

    run = make_run({"t": task_run(VALUES)}, {"t": samples(VALUES)})
    with umask(told):
        write_run(run, tmp_path / "run")
    assert mode(tmp_path / "run") == 0o777 & ~told
    assert {mode(file) for file in (tmp_path / "run").iterdir()} == {0o666 & ~told}
