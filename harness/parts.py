"""What was measured of a run's documents, in one process or in many, and what all of it comes to.

A part holds whole documents of some tasks. Put together, what depends on all documents of a task is
settled, and its metrics are aggregated once: however a run was cut up, it is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import msgspec
from msgspec import Struct

from harness.base_task import Usage, total
from harness.errors import ModelError
from harness.runs import Metric, Model, Settings, TaskRun
from harness.tallies import Tally, most_frequent, share
from harness.taskfile import TaskFile


class Scored(Struct, frozen=True):
    """What a document scored, without its texts.

    Attributes:
        doc_id: its place in the split.
        cluster: names the source that it shares with others.
        metrics: a value per plain metric; None where it does not apply, or the task failed.
        usage: what asking took.
        tally: how often it had each label (`questions.Outcome.tally`); empty: nothing to settle.
    """

    doc_id: int
    cluster: str
    metrics: dict[str, float | None]
    usage: Usage
    tally: dict[str, int]


class Document(Struct, frozen=True):
    """A document that was measured.

    Attributes:
        sample: what a run keeps of it, with all that was asked and answered.
    """

    scored: Scored
    sample: dict[str, Any]


class TaskPart(Struct, frozen=True):
    """The documents of a task that one process measured.

    Attributes:
        head: what the record says of the task, still without numbers.
        failed: why the task failed on one of them.
    """

    head: TaskRun
    documents: list[Document]
    failed: str | None


class Part(Struct, frozen=True):
    """What one process measured, and with what."""

    model: Model
    settings: Settings
    tasks: dict[str, TaskPart]


@dataclass(frozen=True)
class Gathered:
    """A task's documents from all parts.

    Attributes:
        scored: in the order of the split.
        samples: theirs, in the same order.
        failed: why the task failed, on whatever document.
    """

    head: TaskRun
    scored: Sequence[Scored]
    samples: Sequence[Mapping[str, Any]]
    failed: str | None


@dataclass(frozen=True)
class Samples(Sequence[Mapping[str, Any]]):
    """The samples of a task, with the metrics as they were settled; made as they are read."""

    samples: Sequence[Mapping[str, Any]]
    scored: Sequence[Scored]

    @overload
    def __getitem__(self, place: int) -> Mapping[str, Any]: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Mapping[str, Any]]: ...

    def __getitem__(self, place: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        if isinstance(place, slice):
            return Samples(self.samples[place], self.scored[place])
        return {**self.samples[place], "metrics": self.scored[place].metrics}

    def __len__(self) -> int:
        return len(self.scored)


def gather(parts: Sequence[Part]) -> dict[str, Gathered]:
    """Put the documents of all parts together, in memory.

    Raises:
        ModelError: the parts were measured on different models.
    """
    names = dict.fromkeys(name for part in parts for name in part.tasks)
    require_one_model([part.model.fingerprint for part in parts])
    return {
        name: _gather([part.tasks[name] for part in parts if name in part.tasks]) for name in names
    }


def _gather(parts: Sequence[TaskPart]) -> Gathered:
    documents = sorted(
        (document for part in parts for document in part.documents),
        key=lambda document: document.scored.doc_id,
    )
    return Gathered(
        head=parts[0].head,
        scored=[document.scored for document in documents],
        samples=[document.sample for document in documents],
        failed=next((part.failed for part in parts if part.failed), None),
    )


def require_one_model(fingerprints: Iterable[str | None]) -> None:
    """Refuse parts that are not of one and the same model.

    Raises:
        ModelError: their fingerprints differ.
    """
    told = sorted({str(one) for one in fingerprints})
    if len(told) > 1:
        some = ", ".join(one[:12] for one in told)
        raise ModelError(
            f"parts of the run were measured on different models (fingerprints {some}): its files "
            "changed meanwhile, or are not the same on every machine; make them the same, run again"
        )


def settle(tasks: Mapping[str, Gathered]) -> dict[str, Gathered]:
    """Settle what depends on all documents of a task.

    The share of its most frequent label (`constant`); that a failure on one document is the task's.
    """
    held: dict[tuple[str, int | None], Tally] = {
        (name, one.doc_id): one.tally
        for name, task in tasks.items()
        if not task.failed
        for one in task.scored
    }
    labels = most_frequent(list(tasks), held, list)
    return {
        name: Gathered(
            task.head,
            [_settled(one, labels[name], bool(task.failed)) for one in task.scored],
            task.samples,
            task.failed,
        )
        for name, task in tasks.items()
    }


def _settled(one: Scored, label: str, failed: bool) -> Scored:
    if failed:
        return msgspec.structs.replace(one, metrics=dict.fromkeys(one.metrics))
    if not one.tally:
        return one
    metrics = {**one.metrics, "constant": share(one.tally, label)}
    return msgspec.structs.replace(one, metrics=metrics)


def aggregate(task: Gathered, file: TaskFile, *, with_metrics: bool = True) -> TaskRun:
    """Aggregate what was settled: the record of the task.

    Args:
        task: its documents.
        file: its task file.
        with_metrics: False leaves them out, as for a task that failed.
    """
    used = [one.usage for one in task.scored]
    return msgspec.structs.replace(
        task.head,
        documents=len(task.scored),
        prompts_cut=_count([one.prompt_cut for one in used]),
        answers_cut=_count([one.answer_cut for one in used]),
        tokens_in=total([one.tokens_in for one in used]),
        tokens_out=total([one.tokens_out for one in used]),
        metrics=aggregate_metrics(file, task.scored) if with_metrics and not task.failed else {},
        failed=task.failed,
    )


def _count(counts: list[int | None]) -> int | None:
    return None if None in counts else sum(map(bool, counts))


def aggregate_metrics(file: TaskFile, scored: Sequence[Scored]) -> dict[str, Metric]:
    """Give every metric of a task file over the documents to which it applies."""
    metrics = {}
    for name in file.metrics:
        told: Any = {"chance": file.chance[name], "higher_is_better": file.higher_is_better[name]}
        if name in file.derived:
            of = file.derived[name]
            both = [one for one in scored if None not in (one.metrics[of[0]], one.metrics[of[1]])]
            parts: Any = [(one.metrics[of[0]], one.metrics[of[1]]) for one in both]
            metrics[name] = Metric.gain(parts, [one.cluster for one in both], of=of, **told)
        else:
            some = [one for one in scored if one.metrics[name] is not None]
            values: Any = [one.metrics[name] for one in some]
            clusters = [one.cluster for one in some]
            metrics[name] = Metric.over(values, clusters, bounds=file.ranges[name], **told)
    return metrics
