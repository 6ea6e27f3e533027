"""What the reader of a board should know beside its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from harness.compare import SETTINGS, unknown_of
from harness.questions import SELF
from leaderboards.comparable import Documents, names_of, scored
from leaderboards.entries import Entry
from leaderboards.ranking import Headline, has_value

LONGEST = 80


def board_notes(
    entries: Sequence[Entry],
    tasks: Sequence[str],
    headlines: Sequence[Headline],
    documents: Mapping[str, Documents],
    base: str | None,
) -> list[str]:
    """Collect them, in an order that does not depend on that of the runs."""
    notes = ["there is one model: its rank says nothing"] if len(entries) == 1 else []
    if not headlines:
        notes.append("no task is ranked, and so is no model")
    for headline in headlines:
        if not any(has_value(entry, headline) for entry in entries):
            notes.append(f"no model has a value for {headline.task}, so none is ranked")
    for task in tasks:
        notes += _task_notes(entries, task, documents[task], base)
    alone = [task for task in tasks if base is not None and base not in scored(entries, task)]
    notes += [f"no deltas, the base has no scores of them: {', '.join(alone)}"] if alone else []
    for entry in entries:
        notes += _joined(entry)
    notes += _equal_models(entries)
    return notes + [note for what in SETTINGS for note in _differing(entries, what)]


def _task_notes(
    entries: Sequence[Entry], task: str, documents: Documents, base: str | None
) -> list[str]:
    notes = [
        f"{task} failed for {entry.name}: {entry.tasks[task].failed}"
        for entry in entries
        if task in entry.tasks and entry.tasks[task].failed
    ]
    runs = scored(entries, task)
    own = [name for name, run in runs.items() if run.simulated_by == SELF]
    notes += [f"{task}: self-simulated: {names_of(own)}"] if own else []
    bare = [name for name in runs if name not in documents.scores]
    if bare:
        unpaired = "" if base is None else "; deltas are unpaired, from intervals"
        notes.append(
            f"{task}: aggregated numbers only of {names_of(bare)}: whether the documents are the "
            f"same is not known{unpaired}"
        )
    pairs = zip(runs.values(), list(runs.values())[1:], strict=False)
    hidden = dict.fromkeys(what for pair in pairs for what in unknown_of(*pair))
    if hidden:
        notes.append(f"{task}: not told by all models, so not compared: {', '.join(hidden)}")
    return notes


def _joined(entry: Entry) -> list[str]:
    if len(entry.runs) == 1:
        return []
    ids = ", ".join(sorted(run.id for run in entry.runs))
    known = all(run.record.model.fingerprint is not None for run in entry.runs)
    doubt = "" if known else "; that they are of one model is not known (no fingerprint)"
    return [f"{entry.name} is joined from runs {ids}{doubt}"]


def _equal_models(entries: Iterable[Entry]) -> list[str]:
    names: dict[str, list[str]] = {}
    for entry in entries:
        for fingerprint in {run.record.model.fingerprint for run in entry.runs} - {None}:
            names.setdefault(str(fingerprint), []).append(entry.name)
    return [
        f"the same model under {len(told)} names (equal fingerprints): {names_of(told)}"
        for told in names.values()
        if len(told) > 1
    ]


def _differing(entries: Sequence[Entry], what: str) -> list[str]:
    look = attrgetter(what)
    groups: dict[str, list[str]] = {}
    for entry in entries:
        for told in sorted({_short(look(run.record)) for run in entry.runs}):
            groups.setdefault(told, []).append(entry.name)
    if len(groups) < 2:
        return []
    listed = "; ".join(f"{told}: {names_of(names)}" for told, names in sorted(groups.items()))
    return [f"other {what.partition('.')[2]}: {listed}"]


def _short(told: object) -> str:
    text = repr(told)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
