"""The documents on which two models differ most."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.compare.pairing import Pairs
from harness.evidence import name_of
from harness.run_files import StoredRun
from harness.run_scores import Scores


@dataclass(frozen=True)
class Flip:
    """A document on which the models differ.

    Attributes:
        metric: the one that it is chosen by (`TaskRun.document_metric`).
        values: metric -> base and candidate, of all that changed.
        text: by which a person recognises the document (`evidence.name_of`): data, never to be
            interpreted.
    """

    task: str
    doc_hash: str
    metric: str
    values: dict[str, tuple[float | None, float | None]]
    text: str


def find_flips(run: StoredRun, name: str, pairs: Pairs, limit: int) -> list[Flip]:
    """Find the documents of a task whose headline changed most, those first.

    Args:
        run: where the documents' texts are.
        limit: how many at most.
    """
    metric = run.tasks[name].document_metric
    if metric not in pairs.base.values or metric not in pairs.candidate.values:
        return []
    change = np.nan_to_num(np.abs(pairs.candidate.values[metric] - pairs.base.values[metric]))
    order = np.argsort(-change, kind="stable")[:limit]
    chosen = {pairs.base.hashes[place]: int(place) for place in order if change[place] > 0}
    texts = _texts(run, name, set(chosen))
    return [
        Flip(name, digest, metric, _changed(pairs.base, pairs.candidate, place), texts[digest])
        for digest, place in chosen.items()
    ]


def _changed(
    ours: Scores, theirs: Scores, place: int
) -> dict[str, tuple[float | None, float | None]]:
    told = {
        name: (_known(column[place]), _known(theirs.values[name][place]))
        for name, column in ours.values.items()
        if name in theirs.values
    }
    return {name: values for name, values in told.items() if values[0] != values[1]}


def _texts(run: StoredRun, task: str, hashes: set[str]) -> dict[str, str]:
    samples = run.samples(task, hashes) if hashes else ()
    return {sample["doc_hash"]: name_of(sample) for sample in samples}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
