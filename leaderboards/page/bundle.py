"""The samples within a page: as many as a limit allows, of the same documents for every model.

Documents stand in the order of their hashes, which is a random one; a page that has room for k of
them has the first k, so they are no chosen ones. What every document scored is there for all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.run_files import StoredRun
from harness.run_scores import Scores
from leaderboards.page.accounts import document_json, excerpt_of, sample_json
from leaderboards.page.blocks import Writer, pack
from leaderboards.page.texts import one_line

HASH = 12
SHRINKS = 12
"""How many times smaller than on disk samples are in a page, at most: so many are read for it."""
Samples = Mapping[str, Mapping[str, Any]]
"""Hash of a document -> its sample."""


@dataclass
class Bundle:
    """The samples of a page.

    Attributes:
        blocks: name -> content (`leaderboards.page.blocks`).
        shown: number of a task -> of how many documents.
        sampled: number of a task -> numbers of the models that have samples of it.
    """

    blocks: dict[str, str] = field(default_factory=dict)
    shown: dict[int, int] = field(default_factory=dict)
    sampled: dict[int, set[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Sampled:
    """A task of those models that have samples of it.

    Attributes:
        task, number: its name, and its number on the page.
        models: how many the page has.
        runs: number of a model -> its run.
    """

    task: str
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
        return sum(run.samples_size(self.task) for run in self.runs.values())

    def first(self, count: int) -> dict[int, Samples]:
        """Read the samples of the first documents, of every model."""
        chosen = set(self.hashes[:count])
        return {
            model: {sample["doc_hash"]: sample for sample in run.samples(self.task, chosen)}
            for model, run in self.runs.items()
        }

    def scores(self) -> dict[str, Any]:
        """Lay out what all documents scored; a model without samples has none."""
        told = next(iter(self.runs.values()))
        texts = {sample["doc_hash"]: excerpt_of(sample) for sample in told.samples(self.task)}
        names = dict.fromkeys(name for scores in self._scores.values() for name in scores.values)
        return {
            "hashes": [digest[:HASH] for digest in self.hashes],
            "excerpts": [texts[digest] for digest in self.hashes],
            "metrics": [one_line(name) for name in names],
            "values": [self._values(model, list(names)) for model in range(self.models)],
            "headline": one_line(told.tasks[self.task].document_metric),
        }

    @cached_property
    def _scores(self) -> dict[int, Scores]:
        return {model: run.scores(self.task) for model, run in self.runs.items()}

    def _values(self, model: int, names: Sequence[str]) -> list[list[float | None]] | None:
        if model not in self._scores:
            return None
        told = self._scores[model]
        order = sorted(range(len(told.hashes)), key=told.hashes.__getitem__)
        return [
            [_known(told.values[name][place]) if name in told.values else None for place in order]
            for name in names
        ]


def build_bundle(tasks: Sequence[Sampled], limit: int) -> Bundle:
    """Take the samples of all tasks, as many as the limit allows.

    Every task has an equal share of the limit; what it does not need is left to the others.

    Args:
        limit: bytes that the blocks may take in the page.

    Raises:
        RecordError: samples are damaged.
    """
    bundle = Bundle()
    waiting = sorted(tasks, key=lambda told: (told.bytes, told.task))
    for place, told in enumerate(waiting):
        limit -= _add(bundle, told, limit // (len(waiting) - place))
    return bundle


def _add(bundle: Bundle, told: Sampled, share: int) -> int:
    """Add a task as far as its share goes; gives what it takes."""
    scores = pack(told.scores())
    if len(scores) > share:
        return 0
    writers, count = _fill(told, share - len(scores))
    blocks = {f"scores-{told.number}": scores}
    if count:
        blocks |= {name: writer.finish() for name, writer in writers.items()}
        bundle.sampled[told.number] = set(told.runs)
    bundle.blocks |= blocks
    bundle.shown[told.number] = count
    return sum(map(len, blocks.values()))


def _fill(told: Sampled, room: int) -> tuple[dict[str, Writer], int]:
    """Write documents, each with the samples of all models, while there is room."""
    names = {model: f"samples-{told.number}-{model}" for model in told.runs}
    documents = f"documents-{told.number}"
    writers = {name: Writer() for name in (documents, *names.values())}
    usual = max(1, told.bytes // max(1, len(told.hashes)))
    read = told.first(math.ceil(SHRINKS * room / usual))
    for count, digest in enumerate(told.hashes):
        samples = {model: found[digest] for model, found in read.items() if digest in found}
        if not samples:
            return writers, count
        items: dict[str, Any] = {documents: document_json(next(iter(samples.values())))}
        items |= {names[model]: sample_json(sample) for model, sample in samples.items()}
        longer = {name: writer.append(items[name]) for name, writer in writers.items()}
        if sum(writer.size for writer in longer.values()) > room:
            return writers, count
        writers = longer
    return writers, len(told.hashes)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
