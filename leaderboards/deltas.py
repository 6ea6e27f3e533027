"""Each model against the declared base, document by document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness import stats
from harness.runs import Metric
from leaderboards.comparable import Documents, scored
from leaderboards.entries import Entry


@dataclass(frozen=True)
class Delta:
    """How far a model's metric is from the base's.

    Attributes:
        value: model - base; over the documents to which the metric applies in both, if known.
        n: how many those are; unpaired: the smaller of both numbers.
        p: two-sided, not adjusted; None: no test could be made, `test` says why.
    """

    value: float | None
    n: int
    p: float | None
    test: str


def find_deltas(
    entries: Sequence[Entry], base: Entry, task: str, documents: Documents
) -> dict[tuple[str, str], Delta]:
    """Compare every other model with the base: (model, metric) -> delta."""
    found: dict[tuple[str, str], Delta] = {}
    runs = scored(entries, task)
    ours = runs.pop(base.name, None)
    if ours is None:
        return found
    for model, theirs in runs.items():
        for name in (name for name in theirs.metrics if name in ours.metrics):
            paired = _paired(documents, base.name, model, name)
            found[model, name] = paired or _unpaired(ours.metrics[name], theirs.metrics[name])
    return found


def _paired(documents: Documents, base: str, model: str, metric: str) -> Delta | None:
    if base not in documents.columns or model not in documents.columns:
        return None
    first, second = documents.columns[base][metric], documents.columns[model][metric]
    both = ~(np.isnan(first) | np.isnan(second))
    ours, theirs = first[both], second[both]
    test = stats.paired_test(ours, theirs, documents.clusters[both])
    value = math.fsum(theirs - ours) / len(ours) if len(ours) else None
    return Delta(value, len(ours), test.p, test.method)


def _unpaired(base: Metric, model: Metric) -> Delta:
    _, test = stats.unpaired_difference(base.value, base.interval, model.value, model.interval)
    value = None
    if base.value is not None and model.value is not None:
        value = model.value - base.value
    return Delta(value, min(base.n, model.n), test.p, test.method)
