"""Where runs are measured: in this process, or on the cluster that is in use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from harness import evaluate
from harness.cluster.engine import Cluster
from harness.plan import Plan
from harness.runs import Run

_used: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


@contextmanager
def using(cluster: Cluster | None) -> Iterator[None]:
    """Measure all runs on a cluster for a while; None: in this process."""
    before = _used.set(cluster)
    try:
        yield
    finally:
        _used.reset(before)


@contextmanager
def measured(plan: Plan, folder: Path) -> Iterator[Run | None]:
    """Measure a plan; give None on every rank of a data-parallel run but the first.

    Args:
        plan: what to run.
        folder: where the run will be written, in this context.

    Raises:
        SelfcheckError: as `evaluate.run`, and `Cluster.measured`.
    """
    cluster = _used.get()
    if cluster is None:
        yield evaluate.run(plan)
        return
    with cluster.measured(plan, folder) as run:
        yield run
