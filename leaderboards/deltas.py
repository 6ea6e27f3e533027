"""Each model against the declared base, document by document."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness import stats
from harness.compare import Pairs
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
    if base not in documents.scores or model not in documents.scores:
        return None
    pairs = Pairs(documents.scores[base], documents.scores[model], documents.clusters)
    told = pairs.of(metric)
    test, known = told.test(), len(told) and not told.lacking
    value = math.fsum(told.changes) / len(told) if known else None
    return Delta(value, len(told), test.p, test.method)


def _unpaired(base: Metric, model: Metric) -> Delta:
    _, test = stats.unpaired_difference(base.value, base.interval, model.value, model.interval)
    value = None
    if base.value is not None and model.value is not None:
        value = model.value - base.value
    return Delta(value, min(base.n, model.n), test.p, test.method)
