"""The models of a board, each with its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from harness.errors import ComparisonError, ConfigError, unknown
from harness.run_files import StoredRun, read_run
from harness.runs import TaskRun


@dataclass(frozen=True)
class Entry:
    """A model of a board.

    Attributes:
        runs: of the same model, at least one; no task is in two of them.
    """

    name: str
    runs: Sequence[StoredRun]

    @cached_property
    def tasks(self) -> dict[str, TaskRun]:
        """The tasks of all runs by name."""
        return {name: task for run in self.runs for name, task in run.tasks.items()}

    def run_of(self, task: str) -> StoredRun:
        """Find the run that holds a task."""
        return next(run for run in self.runs if task in run.tasks)


def read_entries(words: Sequence[str]) -> list[Entry]:
    """Read the runs named by `[NAME=]RUN`; those of one name become one entry.

    RUN is a folder; NAME is its name if not given. What exists as a whole is a folder, whatever
    equals signs it has.

    Raises:
        ConfigError: a name is empty.
        RecordError: a run is damaged, of another version, or not there.
    """
    runs: dict[str, list[StoredRun]] = {}
    for word in words:
        name, equals, place = word.partition("=")
        if Path(word).exists() or not equals:
            name, place = Path(word).resolve().name, word
        if not name.strip():
            raise ConfigError(f"{word}: the name of the model is empty; write NAME={place or word}")
        runs.setdefault(name, []).append(read_run(Path(place), name))
    return [Entry(name, found) for name, found in runs.items()]


def check_entries(entries: Sequence[Entry]) -> list[Entry]:
    """Give the entries sorted by name, if each is one model.

    Raises:
        ConfigError: there are none, a name is there twice, a run is, or a task of a model is.
        ComparisonError: runs of one name are of different models.
    """
    if not entries:
        raise ConfigError("a board needs at least one run")
    for name, number in Counter(entry.name for entry in entries).items():
        if number > 1:
            raise ConfigError(f"{name} is there {number} times; put its runs into one entry")
    _refuse_repeated_runs(entries)
    for entry in entries:
        _check_entry(entry)
    return sorted(entries, key=lambda entry: entry.name)


def choose_tasks(entries: Iterable[Entry], patterns: Sequence[str]) -> list[str]:
    """Give the names of all tasks that match a pattern, sorted.

    Raises:
        ConfigError: a pattern matches none, or there are no tasks.
    """
    known = sorted({name for entry in entries for name in entry.tasks})
    if not known:
        raise ConfigError("the runs hold no task; give runs of tasks")
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ConfigError(unknown("task of --tasks", pattern, known))
    return [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]


def _refuse_repeated_runs(entries: Iterable[Entry]) -> None:
    owners: dict[str, str] = {}
    for entry in entries:
        for run in entry.runs:
            if run.id in owners:
                raise ConfigError(
                    f"{run.folder}: is the same run as one of {owners[run.id]} (run {run.id}); "
                    "give each run once"
                )
            owners[run.id] = entry.name


def _check_entry(entry: Entry) -> None:
    if not entry.runs:
        raise ConfigError(f"{entry.name} has no run")
    folders: dict[str, Path] = {}
    for run in entry.runs:
        for task in run.tasks:
            if task in folders:
                raise ConfigError(
                    f"{entry.name}: {task} is in two of its runs: {folders[task]} and "
                    f"{run.folder}; leave one out, or tell them apart as NAME=RUN"
                )
            folders[task] = run.folder
    known = _fingerprints(entry)
    if len(known) > 1:
        listed = "\n".join(f"  {folder}: {print_}" for print_, folder in known.items())
        raise ComparisonError(
            f"{entry.name}: its runs are of different models (fingerprints differ); "
            f"tell them apart as NAME=RUN:\n{listed}"
        )


def _fingerprints(entry: Entry) -> Mapping[str, Path]:
    told = ((run.record.model.fingerprint, run.folder) for run in entry.runs)
    return {fingerprint: folder for fingerprint, folder in told if fingerprint is not None}
