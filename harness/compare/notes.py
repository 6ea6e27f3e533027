"""What the reader of a comparison should know of how the runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from harness.compare.pairing import Pairs, unknown_of
from harness.questions import SELF
from harness.run_files import StoredRun
from harness.runs import Record, TaskRun

SETTINGS = (
    "settings.apply_chat_template",
    "settings.fewshot_as_multiturn",
    "settings.system_instruction",
    "model.dtype",
)
"""What comparable runs may differ in, and the reader should know: attributes of a record."""


def documents_note(
    base: StoredRun, candidate: StoredRun, name: str, pairs: Pairs | None
) -> list[str]:
    """Say on which documents the comparison of a task rests, where that is not plain."""
    if pairs is None:
        return [f"{name}: compared unpaired, from aggregated numbers: a run has no samples of it"]
    ours, theirs = base.tasks[name].documents, candidate.tasks[name].documents
    if len(pairs) == ours == theirs:
        return []
    return [f"{name}: compared on the {len(pairs)} documents in common ({ours} and {theirs})"]


def notes_on(base: StoredRun, candidate: StoredRun, names: Sequence[str]) -> list[str]:
    """Say how the runs differ without being incomparable, and what cannot be known."""
    notes = []
    for run, other in ((base, candidate), (candidate, base)):
        alone = [name for name in run.tasks if name not in other.tasks]
        notes += [f"only in {run.name}: {', '.join(alone)}"] if alone else []
        notes += [
            f"{name} failed in {run.name}, and is not compared: {run.tasks[name].failed}"
            for name in names
            if run.tasks[name].failed
        ]
    notes += _self_simulated(base, candidate, names)
    for name in names:
        notes += _cut_notes(name, base.tasks[name], candidate.tasks[name])
        hidden = unknown_of(base.tasks[name], candidate.tasks[name])
        notes += [f"{name}: told by one of the runs only: {', '.join(hidden)}"] if hidden else []
    return notes + _model_notes(base.record, candidate.record)


def _self_simulated(base: StoredRun, candidate: StoredRun, names: Sequence[str]) -> list[str]:
    told = {
        run.name: [name for name in names if run.tasks[name].simulated_by == SELF]
        for run in (base, candidate)
    }
    return [f"self-simulated in {run}: {', '.join(found)}" for run, found in told.items() if found]


def _model_notes(base: Record, candidate: Record) -> list[str]:
    notes = []
    for what in SETTINGS:
        ours, theirs = attrgetter(what)(base), attrgetter(what)(candidate)
        if ours != theirs:
            notes.append(f"other {what.partition('.')[2]}: {ours!r} and {theirs!r}")
    if base.model.fingerprint is not None and base.model.fingerprint == candidate.model.fingerprint:
        notes.append("the same model: equal fingerprints")
    return notes


def _cut_notes(name: str, base: TaskRun, candidate: TaskRun) -> list[str]:
    told = [
        ("prompts lost their start", base.prompts_cut, candidate.prompts_cut),
        ("answers reached their limit", base.answers_cut, candidate.answers_cut),
    ]
    return [
        f"{name}: {what} in {ours} of {base.documents} and {theirs} of {candidate.documents}"
        for what, ours, theirs in told
        if ours != theirs and (ours or theirs)
    ]
