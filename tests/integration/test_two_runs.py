"""Two commands that write into one output at once: the second is refused before it loads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from harness.errors import ConfigError
from harness.run_files import claimed_run, lock_of, read_run, write_run
from harness.whole_files import claimed, is_claimed
from tests.benchmarks.kills import board_command, run_command
from tests.integration.test_distill import BRIEF, DISTILL
from tests.integration.test_finetune import write
from tests.killing import broken_files
from tests.records import make_run, samples, task_run
from tests.tiny import save_tiny_gpt2

PATIENCE = 300
VALUES = {"acc": [1.0, 0.0]}
LOADED = ("Loading weights", "to ask", "Scoring ", "step 1 of")


def finetune_command(folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    recipe = write(folder, DISTILL, save_tiny_gpt2(folder / "base"), **BRIEF)
    return ["finetune", str(recipe), "--output", "{out}"]


def sweep_command(folder: Path) -> list[str]:
    return [*finetune_command(folder), "--seeds", "1,2"]


def watch_command(folder: Path) -> list[str]:
    save_tiny_gpt2(folder / "saved" / "checkpoint-1")
    told = ["--tasks", "sample_truthfulness_mc1", "--subset", "4", "--device", "cpu"]
    base = str(save_tiny_gpt2(folder / "base"))
    return ["watch", str(folder / "saved"), *told, "--base", base, "--output", "{out}"]


def begin(words: list[str], out: Path, said: Path) -> subprocess.Popen[bytes]:
    line = [word.replace("{out}", str(out)) for word in words]
    with said.open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "harness.commands", *line],
            env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=log, stderr=log,
        )  # fmt: skip


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                each.kill()
        process.wait()


@pytest.mark.parametrize(
    "words",
    [
        ["annotate", "export", "laffi_sample"],
        ["follow-ups", "--simulator", "planted-simulator", "--data", "x", "--explanations", "run"],
    ],
)
def test_file_that_another_process_is_making_is_refused(tmp_path, words) -> None:
    write_run(a_run(), tmp_path / "run")
    words = [str(tmp_path / "run") if word == "run" else word for word in words]
    file = tmp_path / "file.jsonl"
    code = f"""
import sys
from pathlib import Path
from harness.whole_files import claimed_file
with claimed_file(Path({str(file)!r})):
    print("claimed", flush=True)
    sys.stdin.read()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None and other.stdout.readline() == b"claimed\n"
        refused = begin([*words, "--output", str(file)], file, tmp_path / "log")
        assert refused.wait(PATIENCE) == 1
        assert "another selfcheck is writing it" in (tmp_path / "log").read_text()
        assert other.stdin is not None
        other.stdin.close()
    assert not file.exists()


@pytest.mark.parametrize(
    "command",
    [run_command, sweep_command, watch_command],
    ids=["run", "sweep", "watch"],
)
def test_second_of_two_at_once_is_refused_before_it_loads_a_model(
    tmp_path: Path, command: Callable[[Path], list[str]]
) -> None:
    words, out = list(command(tmp_path / "made")), tmp_path / "out"
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    processes = [begin(words, out, log) for log in logs]
    try:
        deadline = time.monotonic() + PATIENCE
        while all(process.poll() is None for process in processes):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        refused = next(n for n, process in enumerate(processes) if process.poll() is not None)
        told = logs[refused].read_text()
        assert processes[refused].returncode == 1 and "Traceback" not in told, told[-3000:]
        assert f"selfcheck: --output {out}: another selfcheck" in told
        assert not any(word in told for word in LOADED), told
        if command is run_command:
            assert processes[1 - refused].wait(PATIENCE) == 0
            assert len(read_run(out).tasks) == 3 and not lock_of(out).exists()
        else:
            assert processes[1 - refused].poll() is None
    finally:
        end(processes)


def test_two_boards_at_once_leave_one_whole_board(tmp_path: Path) -> None:
    *words, _, output = board_command(tmp_path / "made")
    out = Path(output.replace("{out}", str(tmp_path)))
    processes = [
        begin([*told, "--output", str(out)], out, tmp_path / f"{n}.log")
        for n, told in enumerate([words, words[:-1]])  # with and without its page
    ]
    assert [process.wait(PATIENCE) for process in processes] == [0, 0]
    assert broken_files(tmp_path / "board") == []
    hidden = [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert hidden == []


def test_claim_ends_with_its_process_and_may_be_taken_twice_by_it(tmp_path: Path) -> None:
    code = f"""
import os, sys, time
from pathlib import Path
from harness.run_files import claimed_run
with claimed_run(Path({str(tmp_path / "run")!r})):
    print("claimed", flush=True)
    time.sleep({PATIENCE})
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "claimed\n"
        assert is_claimed(lock_of(tmp_path / "run"))
        with pytest.raises(ConfigError, match="another selfcheck is writing it"):
            write_run(a_run(), tmp_path / "run")
    finally:
        end([process])
        assert process.stdout is not None
        process.stdout.close()
    assert not is_claimed(lock_of(tmp_path / "run"))
    with claimed_run(tmp_path / "run"):
        write_run(a_run(), tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_claim_within_a_claim_keeps_the_outer_one(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with claimed(tmp_path, lock):
        with claimed(tmp_path, lock):
            pass
        assert lock.exists()
    assert not lock.exists()


def a_run():
    return make_run({"t": task_run(VALUES)}, {"t": samples(VALUES)})


@pytest.mark.parametrize("there", [False, True])
def test_what_a_killed_process_left_of_a_run_is_removed_by_the_next(tmp_path, there):
    folder = tmp_path / "run"
    draft = (folder if there else tmp_path) / ".run-0123456789ab"
    draft.mkdir(parents=True)
    (draft / "run.json").write_text("{")
    if there:
        (folder / "samples_t.jsonl").write_text("half")
    write_run(a_run(), folder)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert sorted(path.name for path in folder.iterdir()) == ["run.json", "samples_t.jsonl"]
    assert read_run(folder).scores("t").hashes


def test_samples_that_nobody_left_by_a_kill_are_not_removed(tmp_path):
    (tmp_path / "samples_t.jsonl").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        write_run(a_run(), tmp_path)
    assert (tmp_path / "samples_t.jsonl").read_text() == "mine"
