"""What a page is about: its models and tasks in their order, under the names that it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.runs import TaskRun
from leaderboards.board import Board, Line
from leaderboards.entries import Entry
from leaderboards.page.meanings import CHECKS, Check, check_of
from leaderboards.page.texts import one_line


@dataclass(frozen=True)
class Task:
    """A task of a page.

    Attributes:
        runs: number of a model -> what it has of the task.
        metric: what the overview shows of it: what is ranked by, or what it is told apart by; None:
            nothing.
        ranked: whether models are ranked by it.
        lines: metric -> what the models have of it.
    """

    name: str
    check: Check
    runs: Mapping[int, TaskRun]
    metric: str | None
    ranked: bool
    lines: Mapping[str, Sequence[Line]]

    @property
    def told_apart_by(self) -> str:
        """The metric by which documents are told apart; of a gain, its first part."""
        told = [run.metrics.get(self.metric or "") for run in self.runs.values()]
        parts = [metric.of[0] for metric in told if metric is not None and metric.of is not None]
        return next(iter(parts), self.metric) or ""

    @property
    def is_variant(self) -> bool:
        """Whether it is another task with other settings."""
        return any(run.variant_of != self.name for run in self.runs.values())

    @property
    def documents(self) -> int:
        """The most documents that a model was asked about."""
        return max(run.documents for run in self.runs.values())

    def chance(self, metric: str) -> float | None:
        """What guessing gives; None if that is no fixed number."""
        told = (line.chance for line in self.lines[metric])
        return next((chance for chance in told if chance is not None), None)

    def rises(self, metric: str) -> bool | None:
        """Whether higher is better; None if the metric has no direction."""
        told = (line.higher_is_better for line in self.lines[metric])
        return next((rises for rises in told if rises is not None), None)


@dataclass(frozen=True)
class Content:
    """A board and the runs that it was built from.

    Attributes:
        entries: in the order of the board's places: a model's number is its place among them.
    """

    board: Board
    entries: Sequence[Entry]

    @classmethod
    def of(cls, board: Board, entries: Sequence[Entry]) -> Content:
        """Put the entries in the order of the board."""
        known = {entry.name: entry for entry in entries}
        return cls(board, [known[place.model] for place in board.places])

    @cached_property
    def names(self) -> list[str]:
        """How the page calls the models; those that look alike are told apart by their numbers."""
        told = [one_line(entry.name) for entry in self.entries]
        counts = Counter(told)
        return [
            f"{name} ({number})" if counts[name] > 1 else name
            for number, name in enumerate(told, 1)
        ]

    @property
    def base(self) -> int | None:
        """The number of the base; None: there is none."""
        names = [entry.name for entry in self.entries]
        return None if self.board.base is None else names.index(self.board.base)

    @cached_property
    def tasks(self) -> list[Task]:
        """The tasks: by check, within it by name."""
        lines: dict[str, dict[str, list[Line]]] = {}
        for line in self.board.lines:
            metrics = lines.setdefault(line.task, {})
            if line.metric is not None:
                metrics.setdefault(line.metric, []).append(line)
        ordered = sorted(lines, key=lambda name: (CHECKS.index(check_of(name)), name))
        return [self._task(name, lines[name]) for name in ordered]

    def _task(self, name: str, lines: Mapping[str, Sequence[Line]]) -> Task:
        runs = {
            number: entry.tasks[name]
            for number, entry in enumerate(self.entries)
            if name in entry.tasks
        }
        ranked = {told.task: told.metric for told in self.board.headlines}
        told_apart = {run.document_metric for run in runs.values()}
        others = (metric for metric in lines if metric in told_apart)
        chosen = ranked[name] if name in ranked else next(others, None)
        return Task(name, check_of(name), runs, chosen, name in ranked, lines)
