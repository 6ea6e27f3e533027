"""The samples within a page: as many as a limit allows, of the same documents for every model.

Documents stand in the order of their hashes, which is a random one; a page that has room for k of
them has the first k, so they are no chosen ones. What documents scored is there for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.evidence import masks_of, name_of
from harness.run_files import StoredRun
from harness.run_scores import Scores
from leaderboards.page.accounts import document_json, sample_json
from leaderboards.page.blocks import Writer, pack
from leaderboards.page.content import Content, Task
from leaderboards.page.texts import one_line

HASH = 12
SHRINKS = 12
"""How many times smaller than on disk samples are in a page, at most: so many are read for it."""
END = 32
"""Bytes that the end of a block may take."""
Samples = Mapping[str, Mapping[str, Any]]
"""Hash of a document -> its sample."""

NOTHING = "the page was made without samples: give --samples-limit more than 0"
NO_DOCUMENTS = "its runs were recorded without documents"
NO_ROOM = "there is no room for it: give a larger --samples-limit"
NO_MORE = "there is no room for more: give a larger --samples-limit"
"""Why samples of a task, or more of them, are not in a page."""


@dataclass
class Bundle:
    """The samples of a page; tasks and models are there by their numbers.

    Attributes:
        blocks: name -> content (`leaderboards.page.blocks`).
        scored: the tasks of which it is there what every document scored.
        shown: task -> of how many documents the samples are.
        sampled: task -> the models that have samples of it.
        without: task -> why it has none.
    """

    blocks: dict[str, str] = field(default_factory=dict)
    scored: set[int] = field(default_factory=set)
    shown: dict[int, int] = field(default_factory=dict)
    sampled: dict[int, set[int]] = field(default_factory=dict)
    without: dict[int, str] = field(default_factory=dict)

    def lacks(self, task: int, documents: int) -> str | None:
        """Say why samples of a task, or more of them, are not in the page; None: all are."""
        short = NO_MORE if self.shown.get(task) else NO_ROOM
        told = short if self.shown.get(task, 0) < documents else None
        return self.without.get(task, told)


@dataclass(frozen=True)
class Sampled:
    """A task of those models that have samples of it.

    Attributes:
        number: the task's.
        models: how many the page has.
        runs: number of a model -> its run.
    """

    task: Task
    number: int
    models: int
    runs: Mapping[int, StoredRun]

    @cached_property
    def hashes(self) -> list[str]:
        """All documents in the order of the page."""
        return sorted(next(iter(self._scores.values())).hashes)

    @cached_property
    def bytes(self) -> int:
        """How much all the samples are on disk."""
        return sum(run.samples_size(self.task.name) for run in self.runs.values())

    def first(self, count: int) -> dict[int, Samples]:
        """Read the samples of the first documents, of every model."""
        chosen = set(self.hashes[:count])
        return {
            model: {sample["doc_hash"]: sample for sample in run.samples(self.task.name, chosen)}
            for model, run in self.runs.items()
        }

    def scores(self) -> dict[str, Any]:
        """Lay out what all documents scored; a model without samples has none."""
        run = next(iter(self.runs.values()))
        names = dict.fromkeys(name for scores in self._scores.values() for name in scores.values)
        texts = {told["doc_hash"]: one_line(name_of(told)) for told in run.samples(self.task.name)}
        return {
            "hashes": [digest[:HASH] for digest in self.hashes],
            "excerpts": [texts[digest] for digest in self.hashes],
            "metrics": [one_line(name) for name in names],
            "values": [self._values(model, list(names)) for model in range(self.models)],
            "by": one_line(self.task.told_apart_by),
        }

    @cached_property
    def _scores(self) -> dict[int, Scores]:
        return {model: run.scores(self.task.name) for model, run in self.runs.items()}

    def _values(self, model: int, names: Sequence[str]) -> list[list[float | None]] | None:
        if model not in self._scores:
            return None
        told = self._scores[model]
        order = sorted(range(len(told.hashes)), key=told.hashes.__getitem__)
        return [
            [_known(told.values[name][place]) if name in told.values else None for place in order]
            for name in names
        ]


def build_bundle(content: Content, limit: int) -> Bundle:
    """Take the samples of all tasks, as many as the limit allows.

    What the documents scored comes first. Of the rest every task has an equal share; what it does
    not need is left to the others.

    Args:
        limit: bytes that the blocks may take in the page.

    Raises:
        RecordError: samples are damaged.
    """
    if not limit:
        return Bundle(without=dict.fromkeys(range(len(content.tasks)), NOTHING))
    bundle = Bundle()
    tasks = _find_sampled(content)
    numbers = {told.number for told in tasks}
    bundle.without = {n: NO_DOCUMENTS for n in range(len(content.tasks)) if n not in numbers}
    for told in sorted(tasks, key=lambda told: (told.bytes, told.number)):
        scores = pack(told.scores())
        if len(scores) <= limit:
            bundle.blocks[f"scores-{told.number}"] = scores
            bundle.scored.add(told.number)
            limit -= len(scores)
    waiting = [told for told in tasks if told.number in bundle.scored]
    waiting.sort(key=lambda told: (told.bytes, told.number))
    for place, told in enumerate(waiting):
        limit -= _add(bundle, told, limit // (len(waiting) - place))
    return bundle


def _find_sampled(content: Content) -> list[Sampled]:
    """Find the tasks of which a model has samples, and scores."""
    found = []
    for number, task in enumerate(content.tasks):
        runs = {
            model: content.entries[model].run_of(task.name)
            for model, run in task.runs.items()
            if run.metrics and run.sampled
        }
        if runs:
            found.append(Sampled(task, number, len(content.entries), runs))
    return found


def _add(bundle: Bundle, told: Sampled, share: int) -> int:
    """Add the samples of a task as far as its share goes; gives what they take."""
    writers, count = _fill(told, share)
    if not count:
        return 0
    blocks = {name: writer.finish() for name, writer in writers.items()}
    bundle.blocks |= blocks
    bundle.shown[told.number] = count
    bundle.sampled[told.number] = set(told.runs)
    return sum(map(len, blocks.values()))


def _fill(told: Sampled, room: int) -> tuple[dict[str, Writer], int]:
    """Write documents, each with the samples of all models, while there is room."""
    names = {model: f"samples-{told.number}-{model}" for model in told.runs}
    documents = f"documents-{told.number}"
    writers = {name: Writer() for name in (documents, *names.values())}
    room -= END * len(writers)
    usual = max(1, told.bytes // max(1, len(told.hashes)))
    read = told.first(math.ceil(SHRINKS * max(0, room) / usual))
    for count, digest in enumerate(told.hashes):
        samples = {model: found[digest] for model, found in read.items() if digest in found}
        if not samples:
            return writers, count
        items: dict[str, Any] = {documents: document_json(next(iter(samples.values())))}
        for model, sample in samples.items():
            items[names[model]] = sample_json(sample, masks_of(told.task.runs[model]))
        longer = {name: writer.append(items[name]) for name, writer in writers.items()}
        if sum(writer.size for writer in longer.values()) > room:
            return writers, count
        writers = longer
    return writers, len(told.hashes)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
