"""Kill a run with SIGKILL again and again, resume it, and print what was lost, as Markdown.

python -m tests.benchmarks.kill_and_resume [--kills 20] [--seed 0] [--models scripted tiny]

Each session is a process of its own that makes one whole run on one cache of answers; the last one
is let finish, and its record is compared with that of a run that nobody killed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.cache import AnswerHook, request_key
from harness.demo import demo_model
from harness.evaluate import load_model, run
from harness.plan import Plan
from harness.planted import PlantedLM
from harness.run_files import write_run
from tests.doubles import FunctionLM
from tests.tiny import save_tiny_gpt2

TASKS = ("sample_importance_sentiment", "sample_redaction_choice", "sample_truthfulness_mc1")
MODELS = ("scripted", "tiny", "demo")
SUBSET = 6
BATCH = 4
PAUSE = 0.01  # per answer: so a kill may fall between any two
JITTER = 0.15  # a kill comes up to so many seconds after its answer: within a batch, too
PATIENCE = 600


class Scripted(FunctionLM):
    """Answers as the honest planted model does, one question at a time, and tells as it goes."""

    def __init__(self, note: Callable[[str, str], None]) -> None:
        super().__init__(PlantedLM()._reply, lambda context, choice: -len(choice) / 7, "scripted")
        self.note = note

    def generate_until(self, requests, **_):
        return [self._one("generate_until", r.args, self.answer(str(r.args[0]))) for r in requests]

    def loglikelihood(self, requests, **_):
        return [self._one("loglikelihood", r.args, (self.score(*r.args), False)) for r in requests]

    def _one(self, kind: str, args: tuple[Any, ...], answer: Any) -> Any:
        self.note("asked", request_key(kind, args))
        time.sleep(PAUSE)
        self.cache_hook.add_partial(kind, args, answer)
        return answer


class Watch:
    """Stands around our hook, and notes each answer once it has been kept."""

    def __init__(self, inner: AnswerHook, note: Callable[[str, str], None]) -> None:
        self.inner, self.note = inner, note

    def add_partial(self, attr: str, req: Any, res: Any) -> None:
        self.inner.add_partial(attr, req, res)
        self.note("kept", request_key(attr, req))
        time.sleep(PAUSE)


def watch(lm: Any, note: Callable[[str, str], None]) -> Any:
    """Note what a model is asked and what of it is kept."""
    set_hook = lm.set_cache_hook
    lm.set_cache_hook = lambda hook: set_hook(
        Watch(hook, note) if isinstance(hook, AnswerHook) else hook
    )
    if isinstance(lm, Scripted):
        return lm
    for kind in ("generate_until", "loglikelihood"):
        setattr(lm, kind, noting(kind, getattr(lm, kind), note))
    return lm


def noting(kind: str, own: Any, note: Callable[[str, str], None]) -> Any:
    def ask(requests: list[Any], **options: Any) -> Any:
        for request in requests:
            note("asked", request_key(kind, request.args))
        return own(requests, **options)

    return ask


@dataclass(frozen=True)
class Session:
    """A run in a process of its own: its log and its record lie in `folder`.

    Attributes:
        model: "scripted", or a checkpoint's folder.
        cache: the folder of the cache of answers.
        start: the run waits for this file, once the model is loaded.
    """

    model: str
    folder: Path
    cache: Path
    start: Path | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def record(self) -> Path:
        return self.folder / "run"

    def begin(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        places = [str(place or "") for place in (self.folder, self.cache, self.start)]
        command = [sys.executable, "-m", "tests.benchmarks.kill_and_resume", "--session"]
        with (self.folder / "stderr").open("ab") as errors:
            return subprocess.Popen([*command, self.model, *places], stdout=errors, stderr=errors)

    def finish(self) -> None:
        if self.begin().wait(PATIENCE):
            raise RuntimeError((self.folder / "stderr").read_text()[-3000:])

    def noted(self, event: str) -> list[str]:
        """Give the keys of the requests that this happened to, of all sessions in the folder."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [key for name, key in (line.split() for line in lines) if name == event]

    def finished(self) -> set[str]:
        """Give the keys that a copy of the cache holds: to open it would tidy up after a kill."""
        if not self.cache.exists():
            return set()
        with tempfile.TemporaryDirectory() as copy:
            shutil.copytree(self.cache, copy, dirs_exist_ok=True)
            connection = sqlite3.connect(Path(copy) / "answers.sqlite")
            keys = {key for (key,) in connection.execute("SELECT request FROM answers")}
            connection.close()
        return keys


def run_session(model: str, folder: str, cache: str, start: str) -> None:
    """Make the run: what the process does."""
    os.environ["SELFCHECK_CACHE"] = cache
    with (Path(folder) / "log").open("a", buffering=1) as log:

        def note(event: str, key: str) -> None:
            log.write(f"{event} {key}\n")

        plan = Plan("hf", TASKS, {"pretrained": model}, SUBSET, batch_size=BATCH, device="cpu")
        lm = Scripted(note) if model == "scripted" else load_model(plan)
        Path(folder, "ready").touch()
        while start and not Path(start).exists():
            time.sleep(0.01)
        done = run(replace(plan, model=watch(lm, note)))
    assert done is not None
    write_run(done, Path(folder) / "run")


@dataclass(frozen=True)
class Kill:
    """A kill, and what had been asked and kept by then.

    Attributes:
        moment: how many answers it waited for, and how many seconds more.
        asked: requests sent by this session.
        finished: answers in the cache after the kill.
        lost: answers that the session had kept and the cache does not hold.
        again: requests of the session that an earlier one had finished.
        landed: whether the session was still running.
        left: what lies beside log and cache; a record must not.
    """

    moment: tuple[int, float]
    asked: int
    finished: int
    lost: int
    again: int
    landed: bool
    left: tuple[str, ...]


def kill_again_and_again(session: Session, total: int, kills: int, seed: int) -> Iterator[Kill]:
    """Start a run and kill it, so many times; `total`: the answers that a whole run needs."""
    draw = random.Random(seed)
    for answers in sorted(draw.sample(range(total * 9 // 10), kills)):
        yield kill_once(session, (answers, draw.uniform(0, JITTER)))


def kill_once(session: Session, moment: tuple[int, float]) -> Kill:
    """Kill a session at its first question after so many answers in all, or a little later."""
    before, asked = session.finished(), len(session.noted("asked"))
    process = session.begin()
    try:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            if len(session.noted("asked")) > asked and len(session.noted("kept")) >= moment[0]:
                break
            time.sleep(0.002)
        time.sleep(moment[1])
        landed = process.poll() is None
    finally:
        process.kill()
        process.wait()
    sent, finished = session.noted("asked")[asked:], session.finished()
    own = {"log", "stderr", "ready", session.cache.name}
    return Kill(
        moment, len(sent), len(finished),
        lost=len(set(session.noted("kept")) - finished),
        again=len(before.intersection(sent)),
        landed=landed,
        left=tuple(sorted(left.name for left in session.folder.iterdir() if left.name not in own)),
    )  # fmt: skip


@dataclass
class Difference:
    """How two records differ, in what they read, decided and scored."""

    values: int = 0
    score: float = 0.0
    texts: int = 0

    def add(self, one: Any, other: Any) -> None:
        if isinstance(one, float) and isinstance(other, float):
            self.score = max(self.score, abs(one - other))
        elif isinstance(one, Mapping) and isinstance(other, Mapping) and set(one) == set(other):
            for key in one:
                self.add(one[key], other[key])
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            for left, right in zip(one, other, strict=True):
                self.add(left, right)
        else:
            self.values += one != other


def compare(one: Path, other: Path) -> Difference:
    """Compare two records; the texts of answers are counted apart from what was read in them."""
    found = Difference()
    tasks = [json.loads((record / "run.json").read_text())["tasks"] for record in (one, other)]
    metrics = [{name: (t["metrics"], t["failed"]) for name, t in told.items()} for told in tasks]
    found.add(*({name: list(pair) for name, pair in told.items()} for told in metrics))
    for name in tasks[0]:
        samples = [read_samples(record / f"samples_{name}.jsonl") for record in (one, other)]
        said = [[s.pop("stages", []) for s in told] for told in samples]
        texts = [[stage["answer"] for stages in told for stage in stages] for told in said]
        found.texts += sum(left != right for left, right in zip(*texts, strict=True))
        found.add(*samples)
    return found


def read_samples(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def checkpoint(model: str, folder: Path) -> str:
    if model == "scripted":
        return model
    return str(demo_model() if model == "demo" else save_tiny_gpt2(folder / "tiny"))


def print_table(model: str, kills: int, seed: int, folder: Path) -> None:
    """Measure and print, for one model."""
    place = checkpoint(model, folder)
    whole = Session(place, folder / "whole", folder / "whole" / "cache")
    whole.finish()
    total = len(whole.finished())
    killed = Session(place, folder / "killed", folder / "killed" / "cache")
    print(f"\n`{model}`: {', '.join(TASKS)}; {SUBSET} documents each, {total} answers\n")
    print("| kill | at answer, + s | asked by the session | finished in all | lost | asked again |")
    print("|---|---|---|---|---|---|")
    again = 0
    for number, kill in enumerate(kill_again_and_again(killed, total, kills, seed), 1):
        moment = f"{kill.moment[0]} + {kill.moment[1]:.3f}" + ("" if kill.landed else " (ended)")
        again += kill.again
        cells = (number, moment, kill.asked, kill.finished, kill.lost, kill.again)
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    before, asked = killed.finished(), len(killed.noted("asked"))
    killed.finish()
    rest = killed.noted("asked")[asked:]
    again += len(before.intersection(rest))
    print(f"| (let finish) | | {len(rest)} | {len(killed.finished())} | 0 | {again} in all |\n")
    found = compare(whole.record, killed.record)
    print(
        f"Asked {len(killed.noted('asked'))} in all, for {total} answers. Against the whole run: "
        f"{found.values} readings and verdicts differ, scores by {found.score:.1e} at most "
        f"({found.texts} answers by their text)."
    )
    assert again == 0 and found.values == 0 and found.score <= 1e-4 and math.isfinite(found.score)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="*", choices=MODELS, default=MODELS[:2])
    parser.add_argument("--session", nargs=4, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.session:
        run_session(*told.session)
        return
    for model in told.models:
        with tempfile.TemporaryDirectory() as folder:
            print_table(model, told.kills, told.seed, Path(folder))


if __name__ == "__main__":
    main()
