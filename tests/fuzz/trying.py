"""One case: files are laid out, one of them is changed, and what reads them is asked to."""

from __future__ import annotations

import io
import logging
import os
import random
import re
import shutil
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from harness.errors import SelfcheckError
from tests.fuzz.mutations import CANARY, Mutation, mutate, put

SECONDS = 60
"""What a case may take: those that hang take longer."""
QUIET = ("transformers", "harness", "harness.cache", "harness.hashes", "finetune", "lm_eval")
PRECIOUS = "what stands beside it"
Verdict = Literal["refused", "harmless", "failed"]


class Said(NamedTuple):
    """What a command came to: its exit status, and what it said on stderr."""

    status: int
    errors: str


@dataclass(frozen=True)
class Target:
    """What reads files.

    Attributes:
        name: of it.
        build: lays sound files out in a folder.
        changed: patterns of the files to change.
        attempt: reads the folder, as a user would.
        check: given the folder after it was read with status 0, raises AssertionError if what was
            read is neither what was there nor honestly different.
        stands_for: what an error may name instead of a file that is whole by itself, but does not
            fit: "{folder}" is that of the case, "{parent}" that of the file.
    """

    name: str
    build: Callable[[Path], None]
    changed: tuple[str, ...]
    attempt: Callable[[Path], Said]
    check: Callable[[Path], None] | None = None
    stands_for: tuple[str, ...] = ()


class Tried(NamedTuple):
    """What became of a case."""

    verdict: Verdict
    case: str
    told: str


def run_command(*line: str) -> Said:
    """Run the command in this process."""
    from harness.commands import main

    logging.root.handlers.clear()  # they write to the stderr of the command before
    errors, output = io.StringIO(), io.StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        try:
            status = main(line)
        except SystemExit as err:
            status = int(err.code or 0)
    verdict = output.getvalue() if status else ""  # `gate` and `import` print it
    return Said(status, errors.getvalue() + verdict)


def run_reader(read: Callable[[], object]) -> Said:
    """Call what a command calls, and say what the command would."""
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            told = read()
    except SelfcheckError as err:
        return Said(1, f"selfcheck: {err}")
    return Said(1, told) if isinstance(told, str) else Said(0, "")


def try_case(target: Target, template: Path, place: Path, seed: int, number: int) -> Tried:
    """Try one case.

    Args:
        template: what `build` laid out.
        place: an empty folder, for this case alone.
    """
    rng = random.Random(f"{seed}/{target.name}/{number}")
    folder = place / "case"
    shutil.copytree(template, folder, symlinks=True)
    (place / "precious").write_text(PRECIOUS)
    files = sorted(
        {file for pattern in target.changed for file in folder.glob(pattern) if file.is_file()}
    )
    file = rng.choice(files)
    mutation = mutate(file.read_bytes(), file.name, rng)
    mutation = _armed(mutation, place / CANARY)
    put(mutation, file)
    case = f"{target.name} {number}: {file.relative_to(folder)}: {mutation.name}"
    try:
        with _within(SECONDS), _inside(place):
            said = target.attempt(folder)
            if said.status == 0 and target.check:
                target.check(folder)
    except Exception:
        return Tried("failed", case, traceback.format_exc())
    fault = _fault(said, place, file, target.stands_for)
    if fault:
        return Tried("failed", case, f"{fault}: status {said.status}: {said.errors[-3000:]}")
    return Tried("refused" if said.status else "harmless", case, said.errors)


def _armed(mutation: Mutation, canary: Path) -> Mutation:
    content = mutation.content
    if content is not None:
        content = content.replace(f"/{CANARY}".encode(), str(canary).encode())
        content = re.sub(rf"(?<!/){CANARY}".encode(), str(canary).encode(), content)
    return mutation._replace(content=content)


def _fault(said: Said, place: Path, file: Path, stands_for: tuple[str, ...]) -> str | None:
    if (place / "precious").read_text() != PRECIOUS:
        return "a file beside it was changed"
    strange = {path.name for path in place.iterdir()} - {"case", "precious", "cwd"}
    if strange or any((place / "cwd").iterdir()):
        return f"something was written beside it: {strange or list((place / 'cwd').iterdir())}"
    if "Traceback" in said.errors:
        return "a traceback"
    others = (one.format(folder=place / "case", parent=file.parent) for one in stands_for)
    if said.status and not any(name in said.errors for name in (file.name, *others)):
        return f"{file.name} is not named"
    return None


@contextmanager
def _inside(place: Path) -> Iterator[None]:
    before = Path.cwd()
    (place / "cwd").mkdir()
    os.chdir(place / "cwd")
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _within(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"it hangs: {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def try_target(
    target: Target, place: Path, seed: int, numbers: range, told: Callable[[Tried], None]
) -> None:
    """Try cases of a target, one after another; `told` hears of each."""
    template, sound = place / f"{target.name}-sound", place / f"{target.name}-untouched"
    template.mkdir(parents=True)
    with _restored(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target.build(template)
        shutil.copytree(template, sound, symlinks=True)
        said = target.attempt(sound)
        if said.status:
            raise AssertionError(f"{target.name}: sound files are refused: {said.errors}")
        if target.check:
            target.check(sound)
        for number in numbers:
            case = place / f"{target.name}-{number}"
            case.mkdir()
            told(try_case(target, template, case, seed, number))
            shutil.rmtree(case)


def assert_survives(target: Target, place: Path, seed: int, cases: int) -> None:
    """Try cases; none may fail."""
    tried: list[Tried] = []
    try_target(target, place, seed, range(cases), tried.append)
    failed = [f"{one.case}\n{one.told}" for one in tried if one.verdict == "failed"]
    assert not failed, "\n\n".join(failed)


@contextmanager
def _restored() -> Iterator[None]:
    """Leave the environment and the loggers as they were."""
    environment, handlers = dict(os.environ), list(logging.root.handlers)
    levels = {name: logging.getLogger(name).level for name in QUIET}
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        logging.root.handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
