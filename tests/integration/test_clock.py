"""The clock is set back, and forth again: libfaketime moves it for real processes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from transformers import trainer as trainer_module

from harness.cache import ResponseCache
from harness.hashes import file_sha256, read_sha256
from harness.run_files import read_run
from tests import trainings

TASK = "sample_importance_sentiment"
PLANTED = ["run", "--model", "planted", "--tasks", TASK, "--subset", "6"]
MOVES = ("+0", "-400d", "+400d", "-1h")
DAY = 24 * 3600


@pytest.fixture(scope="module")
def library() -> str:
    places = [
        *Path("/usr/lib").glob("*/faketime/libfaketime.so.1"),
        *Path("/usr/lib/faketime").glob("libfaketime.so.1"),
    ]
    if not places:
        pytest.skip("libfaketime is not installed (Debian: apt-get install faketime)")
    return str(places[0])


@contextmanager
def moved(folder: Path, library: str) -> Iterator[dict[str, str]]:
    """Move the clock of processes every 50 ms; gives their environment."""
    file, stop = folder / "clock", Event()
    file.write_text(MOVES[0])

    def move() -> None:
        number = 0
        while not stop.wait(0.05):
            number += 1
            file.with_suffix(".new").write_text(MOVES[number % len(MOVES)])
            file.with_suffix(".new").replace(file)

    thread = Thread(target=move)
    thread.start()
    try:
        yield {
            "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }  # fmt: skip
    finally:
        stop.set()
        thread.join()


def selfcheck(words: list[object], folder: Path, **environment: str) -> str:
    told = subprocess.run(
        [sys.executable, "-m", "harness.commands", *map(str, words)],
        cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-3000:]
    return told.stdout + told.stderr


def test_run_while_the_clock_moves_is_the_same_and_took_no_negative_time(tmp_path, library):
    with moved(tmp_path, library) as environment:
        selfcheck([*PLANTED, "--output", "moved"], tmp_path, **environment)
    selfcheck([*PLANTED, "--output", "whole"], tmp_path, SELFCHECK_CACHE="off")
    runs = [read_run(tmp_path / name) for name in ("moved", "whole")]
    assert runs[0].tasks[TASK].metrics == runs[1].tasks[TASK].metrics
    assert runs[0].record.seconds >= 0


def test_runs_at_the_same_time_by_the_clock_get_folders_of_their_own(tmp_path, library):
    frozen = {"LD_PRELOAD": library, "FAKETIME": "2026-01-01 00:00:00", "DONT_FAKE_MONOTONIC": "1"}
    for _ in range(2):
        selfcheck(PLANTED, tmp_path, **frozen)
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == ["20260101-000000-planted", "20260101-000000-planted-2"]


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is dep:FutureWarning")
def test_newest_checkpoints_are_kept_though_the_clock_is_set_back_before_each(
    tiny_gpt2, tmp_path, monkeypatch
):
    rotate = trainer_module.rotate_checkpoints

    def rotate_later(output_dir: str, **told: object) -> None:
        newest = max(Path(output_dir).glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
        then = time.time() - DAY * int(newest.name[11:])
        os.utime(newest, (then, then))  # as if written by a clock set back by a day more each time
        rotate(output_dir=output_dir, **told)

    monkeypatch.setattr(trainer_module, "rotate_checkpoints", rotate_later)
    trainings.run(trainings.recipe(tiny_gpt2, save_steps=2), tmp_path)
    kept = {path.name for path in (tmp_path / "work").glob("checkpoint-*")}
    assert kept == {"checkpoint-6", "checkpoint-8"}


def test_damaged_caches_set_aside_at_the_same_time_are_all_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    file = tmp_path / "answers.sqlite"
    for text in (b"one" * 2000, b"two" * 2000):
        file.write_bytes(text)
        ResponseCache.open(file).close()
    aside = sorted(tmp_path.glob("answers.sqlite.unusable-?"))
    assert [path.read_bytes()[:3] for path in aside] == [b"one", b"two"]
    sqlite3.connect(file).execute("SELECT * FROM answers").connection.close()


@pytest.mark.parametrize("then", [-DAY, 0, DAY])
def test_hash_of_a_file_written_again_by_a_clock_set_back_is_that_of_its_content(tmp_path, then):
    file = tmp_path / "weights"
    for content in (b"one", b"two"):
        file.write_bytes(content)
        os.utime(file, (time.time() + then, time.time() + then))
        assert file_sha256(file) == read_sha256(file) == file_sha256(file)
