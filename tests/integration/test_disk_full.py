"""Disks that are full, or that only let themselves be read: small file systems of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finetune.writing.annotations import write_open
from harness.gate import EXIT
from harness.run_files import StoredRun, read_run
from tests.boards import make_entries, usual_tasks
from tests.integration.test_annotate_command import fill as fill_in
from tests.integration.test_distill import BRIEF, DISTILL
from tests.integration.test_finetune import write
from tests.killing import broken_files
from tests.simulated import TASK, external, follow_ups
from tests.tiny import save_tiny_gpt2
from tests.unit.finetune.annotated import open_row

PLANTED = ["run", "--model", "planted", "--tasks", "sample_importance_sentiment", "--subset", "8"]
FULL = "No space left on device"
READ_ONLY = "Read-only file system"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=4k", "tmpfs", str(place)],
        capture_output=True, text=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Leave so many bytes free, in whole pages."""
    free = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(free.f_bavail * free.f_bsize - leave))
    return ballast


def make_read_only(disk: Path) -> Callable[[], None]:
    told = subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True, text=True)
    if told.returncode:
        pytest.skip(f"cannot be remounted read-only here: {told.stderr.strip()}")
    return lambda: subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True) and None


def selfcheck(*words: object, **environment: object) -> tuple[int, str]:
    """Run the command; give its status and all that it said."""
    own = {name: str(value) for name, value in environment.items()}
    done = subprocess.run(
        [sys.executable, "-m", "harness.commands", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **own},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def refused(told: tuple[int, str], *words: object) -> str:
    """Say what one clear error says: the words, no traceback, status 1; gives that line."""
    status, said = told
    assert status == 1 and "Traceback" not in said, said[-3000:]
    (line,) = (line for line in said.splitlines() if line.startswith("selfcheck: "))
    assert all(str(word) in line for word in words), line
    return line


def test_run_on_a_full_disk_leaves_nothing_and_goes_on_with_space(disk, tmp_path):
    out = disk / "runs" / "planted"
    ballast = fill(disk, 3 * 4096)
    told = refused(selfcheck(*PLANTED, "--output", out), out, FULL, "cached answers are used")
    assert "the run cannot be written" in told
    assert list(out.parent.iterdir()) == []

    ballast.unlink()
    status, said = selfcheck(*PLANTED, "--output", out)
    assert status == 0 and " 0 to ask" in said
    assert read_run(out).scores("sample_importance_sentiment").hashes
    assert [path.name for path in out.parent.iterdir()] == ["planted"]


@pytest.mark.parametrize(
    ("room", "warning"),
    [(40, "No answers are kept"), (80, "Answers are no longer kept")],
)
def test_cache_on_a_full_disk_is_told_of_once_and_the_run_goes_on(disk, tmp_path, room, warning):
    fill(disk, room * 1024)
    told = [
        selfcheck(*PLANTED, "--output", tmp_path / name, SELFCHECK_CACHE=disk / "cache")
        for name in ("full", "again")
    ]
    for status, said in told:
        assert status == 0 and "Traceback" not in said, said[-3000:]
    assert told[0][1].count(warning) == 1
    tasks = [read_run(tmp_path / name).tasks for name in ("full", "again")]
    metrics = [task["sample_importance_sentiment"].metrics for task in tasks]
    assert metrics[0] == metrics[1]


@pytest.mark.parametrize("held", [False, True])
def test_board_on_a_full_disk_stays_what_it_was(disk, tmp_path, held):
    entries = make_entries(tmp_path / "runs", ["a", "b"], usual_tasks(20))
    runs = [f"{entry.name}={entry.runs[0].folder}" for entry in entries]
    if held:
        assert selfcheck("board", runs[0], "--output", disk / "board")[0] == 0
    before = {path.name: path.read_bytes() for path in disk.glob("board/*")}
    ballast = fill(disk, 64 * 1024)
    refused(selfcheck("board", *runs, "--html", "--output", disk / "board"), disk / "board", FULL)
    assert {path.name: path.read_bytes() for path in disk.glob("board/*")} == before
    assert {path.name for path in disk.iterdir()} == {"ballast"} | ({"board"} if held else set())
    ballast.unlink()
    assert selfcheck("board", *runs, "--html", "--output", disk / "board")[0] == 0
    assert broken_files(disk) == [] and (disk / "board" / "board.html").is_file()


def test_finetuning_on_a_full_disk_keeps_what_is_whole_and_goes_on(disk, tmp_path):
    recipe = write(tmp_path, DISTILL, save_tiny_gpt2(tmp_path / "base"), **BRIEF)
    command = ["finetune", recipe, "--no-score", "--output"]
    ballast = fill(disk, 200 * 1024)
    fault = refused(selfcheck(*command, disk / "out"), disk / "out")
    assert FULL in fault or "the disk is full" in fault
    assert broken_files(disk / "out") == []
    ballast.unlink()
    assert selfcheck(*command, disk / "out")[0] == 0
    whole = tmp_path / "whole"
    assert selfcheck(*command, whole)[0] == 0
    names = [
        {str(path.relative_to(out)) for path in out.rglob("*")} for out in (disk / "out", whole)
    ]
    assert names[0] == names[1]


def test_watch_on_a_full_disk_says_so_and_goes_on(disk, tmp_path):
    base = save_tiny_gpt2(tmp_path / "base")
    save_tiny_gpt2(tmp_path / "saved" / "checkpoint-1", seed=1)
    command = [
        "watch", tmp_path / "saved", "--tasks", "sample_truthfulness_mc1", "--subset", 4,
        "--base", base, "--device", "cpu", "--once", "--settle", 0, "--output", disk / "out",
    ]  # fmt: skip
    ballast = fill(disk, 4 * 4096)
    refused(selfcheck(*command), disk / "out")
    assert broken_files(disk / "out") == []
    ballast.unlink()
    assert selfcheck(*command)[0] == 0
    assert sorted(path.name for path in (disk / "out" / "runs").iterdir()) == [
        "base", "checkpoint-1",
    ]  # fmt: skip


def test_files_of_commands_on_a_full_disk_are_whole_or_not_there(disk, tmp_path):
    run = read_run_of(tmp_path / "run")
    write_open(tmp_path / "open.jsonl", [open_row(number) for number in range(40)])
    ann = fill_in(tmp_path / "open.jsonl", "ann", [True] * 40)
    told = ["--expected", tmp_path / "open.jsonl", "--output", disk / "people.jsonl"]
    both = ["--baseline", run.folder, "--candidate", run.folder]
    lines = {
        disk / "follow-ups.jsonl": follow_ups(run, disk / "follow-ups.jsonl"),
        disk / "people.jsonl": ["annotate", "import", ann, *told],
        disk / "gate.xml": ["gate", *both, "--junit", disk / "gate.xml"],
    }  # fmt: skip
    ballast = fill(disk, 0)
    for file, line in lines.items():
        refused(selfcheck(*line), file, FULL)
        assert list(disk.iterdir()) == [ballast]
    ballast.unlink()
    for file, line in lines.items():
        assert selfcheck(*line)[0] in (0, *EXIT.values()) and file.stat().st_size


def test_standard_output_that_takes_no_more_is_an_error(tmp_path):
    run = read_run_of(tmp_path / "run").folder
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "harness.commands", "compare", str(run), str(run)],
            stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    refused((done.returncode, done.stderr), "standard output", FULL)
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("kind", ["run", "finetune", "watch", "board", "follow-ups", "annotate"])
def test_output_that_cannot_be_written_is_told_before_a_model_is_loaded(disk, tmp_path, kind):
    restore = make_read_only(disk)
    try:
        told = selfcheck(*written_to(tmp_path, kind, disk / "out"))
    finally:
        restore()
    refused(told, disk / "out", READ_ONLY)
    assert "Scoring" not in told[1]


def written_to(folder: Path, kind: str, out: Path) -> list[object]:
    """Give a command line whose models cannot be loaded, where that is not told even earlier."""
    base = save_tiny_gpt2(folder / "base")
    output = ["--output", out]
    nobody = "pretrained=/no/such/folder"
    if kind == "run":
        return ["run", "--model", "hf", "--model-args", nobody, "--tasks", "sample_qa", *output]
    if kind == "watch":
        told = ["--tasks", "sample_truthfulness_mc1", "--base", base, "--once"]
        return ["watch", folder, *told, *output]
    if kind == "finetune":
        recipe = write(folder, DISTILL, base, **BRIEF)
        (base / "model.safetensors").unlink()
        return ["finetune", recipe, *output]
    if kind == "annotate":
        return ["annotate", "export", "laffi_sample", "--set", f"model.name={nobody}", *output]
    run = read_run_of(folder / "run")
    if kind == "board":
        return ["board", run.folder, *output]
    told = ["--simulator", "hf", "--simulator-args", nobody, "--explanations", run.folder]
    return ["follow-ups", *told, "--data", TASK, *output]


def read_run_of(folder: Path) -> StoredRun:
    """Make a run of a planted model with explanations."""
    assert selfcheck(*external(), "--output", folder)[0] == 0
    return read_run(folder)
