"""The finished parts of a run that is not written yet, on disk.

    .NAME.parts/            beside the run NAME
        plan.json           what they are parts of
        000000.jsonl        a part: its head, then two lines a document: score, sample

Files are whole or absent: a run that was killed goes on where it was. The driver holds the scores
alone, however long the texts are. The model's arguments, which may hold keys, are not written.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar, overload

import msgspec

from harness.errors import ConfigError, ModelError, RecordError
from harness.parts import Gathered, Part, Scored, require_one_model
from harness.runs import Model, Settings, TaskRun
from harness.strict_json import read_json
from harness.whole_files import write_parts, write_text

PLAN = "plan.json"
T = TypeVar("T")


class Head(msgspec.Struct, frozen=True):
    """The first line of a part.

    Attributes:
        model, settings: without arguments and metadata: the plan has them.
        tasks: what the record says of each, still without numbers.
        counts: how many documents of each follow.
    """

    model: Model
    settings: Settings
    tasks: dict[str, TaskRun]
    counts: dict[str, int]
    failed: dict[str, str]


class Place(NamedTuple):
    """Where a sample is: in which part, from which byte on, how many."""

    part: int
    start: int
    length: int


class Entry(NamedTuple):
    """A document of a part: what it scored, and where its sample is."""

    scored: Scored
    place: Place


@dataclass(frozen=True)
class StoredSamples(Sequence[Mapping[str, Any]]):
    """The samples of a task; each is read when it is asked for."""

    folder: Path
    places: Sequence[Place]

    @overload
    def __getitem__(self, at: int) -> Mapping[str, Any]: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Mapping[str, Any]]: ...

    def __getitem__(self, at: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        if isinstance(at, slice):
            return StoredSamples(self.folder, self.places[at])
        part, start, length = self.places[at]
        with _part_file(self.folder, part).open("rb") as file:
            file.seek(start)
            sample: dict[str, Any] = json.loads(file.read(length))
        return sample

    def __len__(self) -> int:
        return len(self.places)


@dataclass
class Store:
    """The parts of a run, by `open_store`.

    Attributes:
        folder: where they are; one process has it at a time (`run_files.claimed_run`).
        first: the head of the first part; None: there is no part yet.
        heads: what each task's parts say of it.
        entries: task -> its documents that are done.
        failed: task -> the first document of a part in which it failed, and why.
        has_older: whether an earlier process left some of them.
    """

    folder: Path
    first: Head | None = None
    heads: dict[str, TaskRun] = field(default_factory=dict)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    failed: dict[str, tuple[int, str]] = field(default_factory=dict)
    has_older: bool = False
    _next: int = 0

    @property
    def done(self) -> dict[str, set[int]]:
        """The documents of each task that need not be measured again."""
        return {
            name: {entry.scored.doc_id for entry in entries}
            for name, entries in self.entries.items()
        }

    @property
    def count(self) -> int:
        """How many documents of all tasks are done."""
        return sum(map(len, self.entries.values()))

    def require(self, fingerprint: str | None) -> None:
        """Refuse a model that is not the one of the parts.

        Raises:
            ModelError: it is another.
            ConfigError: it is another than that of the parts which an earlier process left.
        """
        if self.first is None:
            return
        known = self.first.model.fingerprint
        if self.has_older and known != fingerprint:
            told = "nobody can identify" if fingerprint is None else f"is {fingerprint[:12]}"
            raise ConfigError(
                f"{self.folder}: holds finished parts of another model (fingerprint "
                f"{str(known)[:12]}, this one {told}); remove the folder, or give another --output"
            )
        require_one_model([known, fingerprint])

    def add(self, part: Part) -> None:
        """Keep a part.

        Raises:
            ModelError: it is not of the same model, data or task files as the others.
            ConfigError: it cannot be written.
        """
        head = _head(part)
        self._check(head)
        number, entries = self._next, list[Entry]()
        try:
            write_parts(_part_file(self.folder, number), _lines(part, head, number, entries))
        except OSError as err:
            raise ConfigError(
                f"{self.folder}: a part of the run cannot be written: {err.strerror or err}. Make "
                "room, and run the same again: what is finished is not measured again"
            ) from err
        self._keep(head, number, entries)

    def take(self, number: int) -> bool:
        """Take a part that an earlier process wrote; False: its documents are to be done again.

        Raises:
            RecordError: it is damaged.
            ModelError: as `add`.
        """
        file = _part_file(self.folder, number)
        with file.open("rb") as lines:
            head = _read(file, lines.readline(), Head)
            if head.failed or head.model.fingerprint is None:
                return False
            self._check(head)
            entries = [_next_entry(file, lines, number) for _ in range(sum(head.counts.values()))]
        self._keep(head, number, entries)
        self.has_older = True
        return True

    def gathered(self) -> dict[str, Gathered]:
        """Give the documents of all parts, in the order of their split."""
        return {name: self._gathered(name) for name in self.entries}

    def remove(self) -> None:
        """Remove all parts: the run is written."""
        shutil.rmtree(self.folder)

    def _gathered(self, name: str) -> Gathered:
        entries = sorted(self.entries[name], key=attrgetter("scored.doc_id"))
        return Gathered(
            head=self.heads[name],
            scored=[entry.scored for entry in entries],
            samples=StoredSamples(self.folder, [entry.place for entry in entries]),
            failed=self.failed[name][1] if name in self.failed else None,
        )

    def _check(self, head: Head) -> None:
        self.require(head.model.fingerprint)
        for name, told in head.tasks.items():
            known = self.heads.get(name, told)
            keys = [
                key for key in told.__struct_fields__ if getattr(told, key) != getattr(known, key)
            ]
            if keys:
                raise ModelError(
                    f"{name}: parts of the run differ in {', '.join(keys)}: data or task files are "
                    "not the same on every machine, or changed meanwhile; make them the same, run "
                    "again"
                )

    def _keep(self, head: Head, number: int, entries: Iterable[Entry]) -> None:
        self.first = self.first or head
        self._next = max(self._next, number + 1)
        left = iter(entries)
        for name, count in head.counts.items():
            self.heads.setdefault(name, head.tasks[name])
            some = list(islice(left, count))
            self.entries.setdefault(name, []).extend(some)
            if name in head.failed:  # of many, the one that a single process would tell
                told = min(entry.scored.doc_id for entry in some), head.failed[name]
                self.failed[name] = min(self.failed.get(name, told), told)


def parts_folder(run: Path) -> Path:
    """Give the folder of the parts of a run that is yet to be written."""
    whole = run.resolve()
    return whole.with_name(f".{whole.name}.parts")


def open_store(folder: Path, plan: Mapping[str, str]) -> Store:
    """Open the parts of a run, with those that a process left that was killed.

    Of a part that failed, or whose model nobody can identify, the documents are done again.

    Args:
        folder: as `parts_folder` gives it.
        plan: what they are parts of: aspect -> digest.

    Raises:
        ConfigError: they are parts of something else, or the folder cannot be written.
        RecordError: one is damaged.
        ModelError: they are not of one model.
    """
    store = Store(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_plan(folder, plan)
        for file in sorted(folder.glob("[0-9]*.jsonl")):
            if not store.take(int(file.stem)):
                file.unlink()
    except OSError as err:
        raise ConfigError(f"{folder}: cannot hold the parts of the run: {err.strerror}") from err
    return store


def _check_plan(folder: Path, plan: Mapping[str, str]) -> None:
    file = folder / PLAN
    if not file.exists():
        write_text(file, json.dumps(dict(plan), indent=1) + "\n")
        return
    told = _read(file, file.read_bytes(), dict[str, str])
    differ = sorted(key for key in {*plan, *told} if plan.get(key) != told.get(key))
    if differ:
        raise ConfigError(
            f"{folder}: holds finished parts of another run, with other {', '.join(differ)}; to go "
            "on with that one, give its options again; else remove the folder, or give another "
            "--output"
        )


def _part_file(folder: Path, number: int) -> Path:
    return folder / f"{number:06}.jsonl"


def _head(part: Part) -> Head:
    return Head(
        model=msgspec.structs.replace(part.model, args={}),
        settings=msgspec.structs.replace(part.settings, metadata={}),
        tasks={name: task.head for name, task in part.tasks.items()},
        counts={name: len(task.documents) for name, task in part.tasks.items()},
        failed={name: task.failed for name, task in part.tasks.items() if task.failed},
    )


def _lines(part: Part, head: Head, number: int, entries: list[Entry]) -> Iterator[str]:
    """Give the lines of a part, and note where its samples come to be."""
    told = _json(msgspec.to_builtins(head, enc_hook=str))
    yield told
    at = len(told)  # in bytes, too: JSON is ASCII here
    for task in part.tasks.values():
        for document in task.documents:
            score, sample = _json(msgspec.to_builtins(document.scored)), _json(document.sample)
            entries.append(Entry(document.scored, Place(number, at + len(score), len(sample))))
            yield score
            yield sample
            at += len(score) + len(sample)


def _next_entry(file: Path, lines: BinaryIO, number: int) -> Entry:
    scored = _read(file, lines.readline(), Scored)
    start, sample = lines.tell(), lines.readline()
    if not sample.endswith(b"\n"):
        raise _damaged(file, "it ends too early")
    return Entry(scored, Place(number, start, len(sample)))


def _json(value: Any) -> str:
    return json.dumps(value, default=_as_json) + "\n"


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, (set, frozenset)) else str(value)


def _read(file: Path, told: bytes, kind: type[T]) -> T:
    try:
        return read_json(told, kind)
    except ValueError as err:
        raise _damaged(file, str(err)) from err


def _damaged(file: Path, fault: str) -> RecordError:
    return RecordError(
        f"{file}: is damaged: {fault}; remove it, and run the same again: its documents alone are "
        "measured again"
    )
