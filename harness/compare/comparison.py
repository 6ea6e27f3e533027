"""Two runs: the rows of all their tasks, what flipped, and what the reader should know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from harness import stats
from harness.compare.flips import Flip, find_flips
from harness.compare.pairing import Pairs, incomparable, pair_documents, unknown_of
from harness.compare.rows import Row, compare_task
from harness.errors import ComparisonError, unknown
from harness.run_files import StoredRun
from harness.runs import Record

FLIPS = 5
PROMPTING = ("apply_chat_template", "fewshot_as_multiturn", "system_instruction")
"""Settings that two comparable runs may differ in, which the reader should know."""


@dataclass(frozen=True)
class Comparison:
    """What a candidate does otherwise than its base.

    Attributes:
        rows: every task and metric that both runs have.
        flips: per task, the documents whose headline metric changed most.
        notes: what the reader should know of how the runs differ.
    """

    base: StoredRun
    candidate: StoredRun
    rows: list[Row]
    flips: list[Flip]
    notes: list[str]


def compare(
    base: StoredRun, candidate: StoredRun, patterns: Sequence[str] = ("*",), flips: int = FLIPS
) -> Comparison:
    """Compare two runs, task by task.

    Args:
        patterns: names of tasks, or glob patterns.
        flips: how many documents of each task to list.

    Raises:
        ComparisonError: they cannot be compared; names every difference.
        RecordError: samples are damaged.
    """
    names = _common(base, candidate, patterns)
    _refuse_incomparable(base, candidate, names)
    failed = {name for run in (base, candidate) for name in names if run.tasks[name].failed}
    rows, flipped, notes = [], [], _notes(base, candidate, names)
    for name in names:
        if name in failed:
            continue
        pairs = pair_documents(base, candidate, name)
        rows += compare_task(base.tasks[name], candidate.tasks[name], name, pairs)
        notes += _documents_note(base, candidate, name, pairs)
        if pairs is not None:
            flipped += find_flips(base, name, pairs, flips)
    adjusted = stats.holm([row.p for row in rows])
    told = [replace(row, adjusted_p=p) for row, p in zip(rows, adjusted, strict=True)]
    return Comparison(base, candidate, told, flipped, notes)


def _common(base: StoredRun, candidate: StoredRun, patterns: Sequence[str]) -> list[str]:
    for pattern in patterns:
        known = dict.fromkeys([*base.tasks, *candidate.tasks])
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ComparisonError(unknown("task", pattern, known))
    names = [
        name
        for name in base.tasks
        if name in candidate.tasks and any(fnmatchcase(name, pattern) for pattern in patterns)
    ]
    if not names:
        raise ComparisonError(
            f"{base.name} and {candidate.name} have no task in common: "
            f"{', '.join(base.tasks)}; {', '.join(candidate.tasks)}"
        )
    return names


def _refuse_incomparable(base: StoredRun, candidate: StoredRun, names: Sequence[str]) -> None:
    faults = [
        f"  {name}: {fault}"
        for name in names
        for fault in incomparable(base.tasks[name], candidate.tasks[name])
    ]
    if faults:
        told = "\n".join(faults)
        raise ComparisonError(
            f"{base.name} and {candidate.name} cannot be compared (--tasks leaves out):\n{told}"
        )


def _documents_note(
    base: StoredRun, candidate: StoredRun, name: str, pairs: Pairs | None
) -> list[str]:
    if pairs is None:
        return [f"{name}: compared unpaired, from aggregated numbers: a run has no samples of it"]
    ours, theirs = base.tasks[name].documents, candidate.tasks[name].documents
    if len(pairs) == ours == theirs:
        return []
    return [f"{name}: compared on the {len(pairs)} documents in common ({ours} and {theirs})"]


def _notes(base: StoredRun, candidate: StoredRun, names: Sequence[str]) -> list[str]:
    notes = []
    for run, other in ((base, candidate), (candidate, base)):
        alone = [name for name in run.tasks if name not in other.tasks]
        notes += [f"only in {run.name}: {', '.join(alone)}"] if alone else []
        notes += [
            f"{name} failed in {run.name}, and is not compared: {run.tasks[name].failed}"
            for name in names
            if run.tasks[name].failed
        ]
    for name in names:
        hidden = unknown_of(base.tasks[name], candidate.tasks[name])
        notes += [f"{name}: told by one of the runs only: {', '.join(hidden)}"] if hidden else []
    return notes + _model_notes(base.record, candidate.record)


def _model_notes(base: Record, candidate: Record) -> list[str]:
    notes = [
        f"other {name}: {getattr(base.settings, name)!r} and {getattr(candidate.settings, name)!r}"
        for name in PROMPTING
        if getattr(base.settings, name) != getattr(candidate.settings, name)
    ]
    if base.model.fingerprint is not None and base.model.fingerprint == candidate.model.fingerprint:
        notes.append("the same model: equal fingerprints")
    if base.model.dtype != candidate.model.dtype:
        notes.append(f"other dtype: {base.model.dtype} and {candidate.model.dtype}")
    return notes
