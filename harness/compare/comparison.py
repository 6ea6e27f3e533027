"""Two runs: the rows of all their tasks, what flipped, and what the reader should know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from harness import stats
from harness.compare.flips import Flip, find_flips
from harness.compare.notes import documents_note, notes_on
from harness.compare.pairing import incomparable, other_simulators, pair_documents
from harness.compare.rows import Row, compare_task, shared_metrics
from harness.errors import ComparisonError, unknown
from harness.run_files import StoredRun

FLIPS = 5
ONE_SIMULATOR = "score both with one --simulator"


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
    names, apart = _apart(base, candidate, _common(base, candidate, patterns))
    _refuse_incomparable(base, candidate, names)
    failed = {name for run in (base, candidate) for name in names if run.tasks[name].failed}
    sound = [name for name in names if name not in failed]
    tests = sum(len(shared_metrics(base.tasks[name], candidate.tasks[name])) for name in sound)
    rows, flipped, notes = [], [], apart + notes_on(base, candidate, names)
    for name in sound:
        pairs = pair_documents(base, candidate, name)
        rows += compare_task(base.tasks[name], candidate.tasks[name], name, pairs, tests)
        notes += documents_note(base, candidate, name, pairs)
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


def _apart(
    base: StoredRun, candidate: StoredRun, names: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Leave out the tasks of other simulators, and say so.

    Raises:
        ComparisonError: none is left.
    """
    apart = [name for name in names if other_simulators(base.tasks[name], candidate.tasks[name])]
    left = [name for name in names if name not in apart]
    told = f"not compared, the simulators differ: {', '.join(apart)}; {ONE_SIMULATOR}"
    if not left:
        raise ComparisonError(f"{base.name} and {candidate.name}: {told}")
    return left, [told] if apart else []


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
