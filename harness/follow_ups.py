"""Frozen follow-ups: written once by a simulator, with its blind guesses, and kept in a file.

A file of JSON lines: a `Header`, then a `Row` for each document. The simulation with an explanation
is not in it: it is made anew from the explanation of whoever is evaluated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import ascii_uppercase
from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from harness.checks.inquiry import FollowUp
from harness.domains import Posed
from harness.errors import ConfigError, unknown
from harness.strict_json import read_json
from harness.whole_files import write_json_lines

T = TypeVar("T")
FORMAT = "selfcheck follow-ups 1"
AGAIN = "make it again with `selfcheck follow-ups`"


class TaskVersion(Struct, frozen=True, forbid_unknown_fields=True):
    """A task as the file was made with it; `definition` is that of `SelfcheckTask.conditions`."""

    version: str
    definition: str


class Header(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first line.

    Attributes:
        simulator: its identity (`Simulator.identity`).
        simulator_label: who it was, for people.
        simulator_chat_template: how it was asked.
        count: follow-ups wanted of it for each document.
        explanations: the id of the run that the explanations are from.
        tasks: by name.
    """

    format: str = FORMAT
    created: str
    simulator: str
    simulator_label: str
    simulator_chat_template: bool
    count: Annotated[int, Meta(ge=1)]
    explanations: str
    tasks: dict[str, TaskVersion]


class Written(Struct, frozen=True, forbid_unknown_fields=True):
    """One follow-up; `blind` is what the simulator answered without any explanation."""

    question: str
    options: list[str]
    blind: str


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """The follow-ups of one document.

    Attributes:
        explained: whether there was an explanation; if not they are to the question alone.
        dropped: what of the simulator's answer could not be used: reason -> how many.
    """

    task: str
    doc_hash: str
    explained: bool
    follow_ups: list[Written]
    dropped: dict[str, int]


class _Head(Struct):
    format: str


@dataclass(frozen=True)
class FrozenFollowUps:
    """A file of follow-ups, read.

    Attributes:
        place: the file, for messages.
        digest: sha256 of its content.
        follow_ups: task -> hash of a document -> its follow-ups.
    """

    place: str
    digest: str
    header: Header
    follow_ups: Mapping[str, Mapping[str, Sequence[FollowUp]]]

    def of(self, task: str) -> Mapping[str, Sequence[FollowUp]]:
        """Give a task's: hash of a document -> its follow-ups."""
        return self.follow_ups[task]

    def check_task(self, name: str, told: TaskVersion) -> None:
        """Check that a task is the one that the file was made for.

        Raises:
            ConfigError: it is not in the file, or of another version.
        """
        if name not in self.header.tasks:
            raise ConfigError(f"{self.place}: {unknown('task', name, self.header.tasks)}")
        found = self.header.tasks[name]
        if found != told:
            raise ConfigError(
                f"{self.place}: made with {name} {found.version} ({found.definition}), this is "
                f"{told.version} ({told.definition}); {AGAIN}"
            )

    def check_kind(self, name: str, with_options: bool) -> None:
        """Check that a task's follow-ups are of the kind of its questions.

        Raises:
            ConfigError: one has options where the task has none, or has none where it has some.
        """
        for digest, told in self.of(name).items():
            if any(bool(one.posed.options) != with_options for one in told):
                kind = "options" if with_options else "yes or no"
                fault = f"document {digest[:12]} of {name}: a follow-up is no question of {kind}"
                raise ConfigError(f"{self.place}: {fault}; {AGAIN}")

    def check_simulator(self, identity: str | None, chat_template: bool) -> None:
        """Check that the simulator is the one that wrote the file.

        Raises:
            ConfigError: it is another one.
        """
        mine = (self.header.simulator, self.header.simulator_chat_template)
        if (identity, chat_template) != mine:
            raise ConfigError(
                f"{self.place}: written by another simulator: {self.header.simulator_label} "
                f"(identity {mine[0]}, chat template {mine[1]}), this run has identity {identity}, "
                f"chat template {chat_template}; name that one, or {AGAIN}"
            )


def write_follow_ups(file: Path, header: Header, rows: Iterable[Row]) -> None:
    """Write a file of follow-ups: complete, or not at all.

    Raises:
        OSError: it cannot be written.
    """
    write_json_lines(file, [header, *rows])


def read_follow_ups_file(path: str) -> FrozenFollowUps:
    """Read a file of follow-ups; a second call does not read it again unless it has changed.

    Raises:
        ConfigError: it is not there, or damaged; names the line.
    """
    file = Path(path).expanduser()
    try:
        state = file.stat()
        return _read(file, state.st_mtime_ns, state.st_size)
    except OSError as err:
        raise ConfigError(f"{file}: follow-ups cannot be read: {err.strerror}") from err


@lru_cache(maxsize=8)
def _read(file: Path, mtime_ns: int, size: int) -> FrozenFollowUps:
    content = file.read_bytes()
    first, *lines = content.rstrip(b"\n").split(b"\n")
    found = _decode(file, 1, first, _Head).format
    if found != FORMAT:
        raise ConfigError(f"{file}: is of the format {found!r}, not {FORMAT!r}; {AGAIN}")
    header = _decode(file, 1, first, Header)
    told: dict[str, dict[str, Sequence[FollowUp]]] = {name: {} for name in header.tasks}
    for number, line in enumerate(lines, 2):
        row = _decode(file, number, line, Row)
        known = told.get(row.task)
        if known is None or row.doc_hash in known:
            fault = f"{row.task!r} is no task of the file" if known is None else "is there twice"
            raise _damaged(file, number, f"document {row.doc_hash[:12]}: {fault}")
        if not all(map(_is_sound, row.follow_ups)):
            raise _damaged(file, number, "a follow-up is empty, or has one option or over 26")
        if len(row.follow_ups) > header.count:
            raise _damaged(file, number, f"more follow-ups than the {header.count} wanted")
        known[row.doc_hash] = [
            FollowUp(Posed(one.question, tuple(one.options)), one.blind) for one in row.follow_ups
        ]
    return FrozenFollowUps(str(file), hashlib.sha256(content).hexdigest(), header, told)


def _is_sound(told: Written) -> bool:
    options = len(told.options)
    fits = options == 0 or 2 <= options <= len(ascii_uppercase)
    return fits and all(text.strip() for text in [told.question, *told.options])


def _decode(file: Path, number: int, line: bytes, kind: type[T]) -> T:
    try:
        return read_json(line, kind)
    except ValueError as err:
        raise _damaged(file, number, str(err)) from err


def _damaged(file: Path, number: int, fault: str) -> ConfigError:
    return ConfigError(f"{file}, line {number}: is no file of follow-ups: {fault}; {AGAIN}")
