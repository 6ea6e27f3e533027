"""Commands of selfcheck in processes of their own, killed at random and started again."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from harness.run_files import RECORD, read_run

ROOT = Path(__file__).parents[1]
PATIENCE = 300
RUN_IDS = ("run_id", "base_run", "candidate_run")
SAME = (".safetensors", "comparison.csv", "long.csv", "wide.csv")
ALLOWED = {".lock", ".watch.lock"}
"""What a finished output may hold beside what a name without a dot says."""


@dataclass
class Place:
    """Where a command is run: `{out}` in its words is the output below this folder."""

    folder: Path
    command: Sequence[str]

    @property
    def out(self) -> Path:
        return self.folder / "below" / "out"

    @property
    def notes(self) -> Path:
        return self.folder / "notes"

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text(errors="replace")

    def begin(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        words = [word.replace("{out}", str(self.out)) for word in self.command]
        paths = [str(ROOT / "tests" / "noting"), str(ROOT), os.environ.get("PYTHONPATH", "")]
        own = {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "SELFCHECK_NOTES": str(self.notes),
            "SELFCHECK_CACHE": str(self.folder / "cache"),
            "SELFCHECK_HOME": str(self.folder / "home"),
            "OMP_NUM_THREADS": "1",
        }
        with (self.folder / "said").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "harness.commands", *words],
                env={**os.environ, **own}, stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip

    def finish(self) -> int:
        return self.begin().wait(PATIENCE)

    def noted(self) -> list[list[str]]:
        text = self.notes.read_text() if self.notes.exists() else ""
        return [line.split(" ") for line in text.splitlines()]


@dataclass
class Kill:
    """A kill: what the processes were at, and what they had done by then since they began.

    Attributes:
        phase: the last that was begun and not ended.
        asked, kept, steps: questions, answers in the cache, steps of training.
        again: what was done though an earlier process had finished it.
        broken: files that are not whole, of those that are read.
    """

    phase: str
    asked: int
    kept: int
    steps: int
    again: list[str]
    broken: list[str]


def kill_once(place: Place, wait: Wait, *, alone: bool) -> Kill | None:
    """Start the command, and kill it once `wait` says so; None: it had ended.

    Args:
        alone: kill it without the processes that it started, which go on.
    """
    before = place.noted()
    process = place.begin()
    wait(process, place, len(before))
    if process.poll() is None:
        _kill(process, alone=alone)
    broken = broken_files(place.out)
    own = place.noted()[len(before) :]
    if process.returncode >= 0:
        require_end(place, process.returncode)
        return None
    counts = Counter(line[1] for line in own)
    return Kill(
        phase_of(own), counts["asked"], counts["kept"], counts["step"],
        again=repeated(before, own), broken=broken,
    )  # fmt: skip


def require_end(place: Place, status: int) -> None:
    """Fail unless the command ended well: also if a run was killed once it had been written."""
    done = place.command[0] == "run" and (place.out / RECORD).is_file()
    assert status == 0 or (done and "is there already" in place.said), place.said[-3000:]


def _kill(process: subprocess.Popen[bytes], *, alone: bool) -> None:
    own = psutil.Process(process.pid)
    children = [] if alone else own.children(recursive=True)
    process.kill()  # first: it must not see its children end
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.wait(PATIENCE)


class Wait:
    """Waits for a moment: so many seconds, or the n-th time that a phase is begun and a little."""

    def __init__(self, seconds: float, phase: str | None = None, count: int = 1) -> None:
        self.seconds, self.phase, self.count = seconds, phase, count

    def __call__(self, process: subprocess.Popen[bytes], place: Place, noted: int) -> None:
        end = time.monotonic() + PATIENCE
        while self.phase and process.poll() is None and time.monotonic() < end:
            own = place.noted()[noted:]
            if sum(line[1:] == ["begin", self.phase] for line in own) >= self.count:
                break
            time.sleep(0.001)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self.seconds)


def draw_wait(draw: random.Random, whole: Place, seconds: float) -> Wait:
    """Draw a moment: evenly over the whole length, or, as often, just within one of the phases."""
    if draw.random() < 0.5:
        return Wait(draw.uniform(0, seconds))
    begun = [line[2] for line in whole.noted() if line[1] == "begin" and line[2] != "starting"]
    phase = draw.choice(sorted(set(begun)))
    return Wait(draw.uniform(0, 0.02), phase, draw.randint(1, begun.count(phase)))


def phase_of(notes: Sequence[Sequence[str]]) -> str:
    open_now: list[tuple[str, str]] = []
    for process, word, *rest in notes:
        if word == "begin":
            open_now.append((process, rest[0]))
        elif word == "end" and (process, rest[0]) in open_now:  # else of one that was left alone
            open_now.remove((process, rest[0]))
    return open_now[-1][1].replace("-", " ") if open_now else "starting"


def repeated(before: Sequence[Sequence[str]], own: Sequence[Sequence[str]]) -> list[str]:
    """Name what was done again: a question whose answer was kept, a step that was saved."""
    kept = {tuple(line[2:]) for line in before if line[1] == "kept"}
    saved: dict[str, int] = {}
    for line in before:
        if line[1] == "saved":
            saved[line[2]] = max(saved.get(line[2], 0), int(line[3]))
    again = [
        f"asked {line[3][:8]}" for line in own if line[1] == "asked" and tuple(line[2:]) in kept
    ]
    steps = [line[2:] for line in own if line[1] == "step"]
    return again + [f"step {n} of {at}" for at, n in steps if int(n) <= saved.get(at, 0)]


def broken_files(out: Path) -> list[str]:
    """Name files under their final names that are not whole, and boards that are not."""
    return [f"{path}: {why}" for path in _final(out) if (why := _fault(path))]


def _final(out: Path) -> Iterator[Path]:
    for path in sorted(out.rglob("*")) if out.is_dir() else ():
        parts = path.relative_to(out).parts
        trainers_own = parts[:1] == ("training",) and len(parts) > 2
        if not any(part.startswith(".") for part in parts) and not trainers_own:
            yield path


def _fault(path: Path) -> str | None:
    try:
        if path.is_dir():
            whole = path.name != "board" or {"board.md", "long.csv", "wide.csv"} <= {
                file.name for file in path.iterdir()
            }
            return None if whole else "is no whole board"
        if path.name == RECORD:
            run = read_run(path.parent)
            for task in run.tasks:
                run.scores(task)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".jsonl":
            for line in path.read_text().splitlines():
                json.loads(line)
        elif path.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(path, "np") as weights:
                assert weights.keys()
        elif path.suffix == ".csv":
            rows = list(csv.reader(path.read_text().splitlines()))
            assert rows and len({len(row) for row in rows}) == 1
    except FileNotFoundError:  # a process that was left alone goes on
        return None
    except Exception as err:
        return f"{type(err).__name__}: {err}"
    return None


@dataclass
class Outcome:
    """How what was killed again and again differs from what was not."""

    differ: list[str] = field(default_factory=list)
    score: float = 0.0
    texts: int = 0


def compare_places(whole: Place, killed: Place) -> Outcome:
    """Compare files by name, runs by what they read and scored, weights and tables by their bytes.

    Pages tell of times: theirs are compared where the runs are the same.
    """
    from tests.benchmarks.kill_and_resume import compare

    told = Outcome()
    names = [_names(place) for place in (whole, killed)]
    told.differ += [f"only in one: {name}" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        ours, theirs = (place.out.parent / name for place in (whole, killed))
        if name.endswith(RECORD):
            found = compare(ours.parent, theirs.parent)
            told.score, told.texts = max(told.score, found.score), told.texts + found.texts
            told.differ += [f"{name}: {found.values} values"] if found.values else []
        elif name.endswith(SAME) or (name.endswith(".html") and whole.command[0] == "board"):
            same = content(ours, whole) == content(theirs, killed)
            told.differ += [] if same else [f"{name}: other bytes"]
    return told


def content(file: Path, place: Place) -> str:
    """Hash a file without the name of its place, and what tells runs of one model apart."""
    data = file.read_bytes().replace(str(place.folder).encode(), b"PLACE")
    if file.suffix == ".csv":
        head, *rows = csv.reader(data.decode().splitlines())
        own = [number for number, name in enumerate(head) if name not in RUN_IDS]
        data = json.dumps([[row[number] for number in own] for row in [head, *rows]]).encode()
    return hashlib.sha256(data).hexdigest()


def _names(place: Place) -> set[str]:
    top = place.out.parent
    return {str(path.relative_to(top)) for path in top.rglob("*") if path.name not in ALLOWED}


def kill_until_done(
    place: Place, whole: Place, draw: random.Random, seconds: float, most: int, *, orphans: bool
) -> list[Kill]:
    """Kill a command again and again until it ends, or was killed so often and is let end."""
    kills: list[Kill] = []
    while len(kills) < most:
        alone = orphans and draw.random() < 0.5
        kill = kill_once(place, draw_wait(draw, whole, seconds), alone=alone)
        if kill is None:
            return kills
        kills.append(kill)
    before = place.noted()
    require_end(place, place.finish())
    rest = repeated(before, place.noted()[len(before) :])
    kills[-1].again += rest
    return kills
