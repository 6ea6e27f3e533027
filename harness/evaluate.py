"""Run tasks on a model: everything is checked first, then the model is loaded, then asked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from harness.base_task import SelfcheckTask
from harness.loading import load
from harness.measure import measure
from harness.models import fingerprint
from harness.parts import Gathered, Samples, aggregate, gather, settle
from harness.plan import Plan, Prepared, prepare, scorable
from harness.runs import Environment, Model, Record, Run, Settings
from harness.servers import limited


def run(plan: Plan) -> Run | None:
    """Evaluate; None on every rank of a data-parallel run but the first.

    Tasks that fail are in the run with the reason and without metrics; the others are whole.

    Raises:
        ConfigError, DataError, MissingDataError: before a model is loaded.
        ModelError: the model cannot be loaded, or cannot do what was asked.
    """
    started = time.time()
    prepared = prepare(plan)
    lm = load_model(plan)
    known = fingerprint(lm)  # before the files may be replaced
    prepared = scorable(prepared, lm)
    with limited(plan.limits):
        part = measure(prepared, lm, known)
    if part is None:
        return None
    return assemble(prepared, part.model, part.settings, gather([part]), started)


def assemble(
    prepared: Prepared,
    model: Model,
    settings: Settings,
    tasks: Mapping[str, Gathered],
    started: float,
) -> Run:
    """Make a run of all that was measured.

    Args:
        prepared: the tasks; the run has them in their order.
        model, settings: of any part.
        tasks: all documents of every task.
        started: when (seconds since the epoch).
    """
    settled = settle(tasks)
    scores = not prepared.plan.options.get("predict_only")
    record = Record(
        created=datetime.fromtimestamp(started, tz=UTC).isoformat(timespec="seconds"),
        seconds=max(0.0, round(time.time() - started, 1)),  # the clock may be set back
        environment=Environment.here(),
        model=model,
        settings=settings,
        tasks={
            name: aggregate(settled[name], task.file, with_metrics=scores)
            for name, task in prepared.tasks.items()
        },
    )
    evidence = {name: Samples(settled[name].samples, settled[name].scored) for name in record.tasks}
    return Run(record, evidence)


def check(plan: Plan) -> dict[str, SelfcheckTask]:
    """Build a plan's tasks with their data, as `run` will, and give them by name.

    Raises:
        ConfigError, DataError, MissingDataError: what `run` would raise before it loads the model.
    """
    return prepare(plan).tasks


def load_model(plan: Plan) -> Any:
    """Load the model that a plan names.

    Raises:
        ConfigError: lm-eval has no such backend.
        ModelError: it cannot be loaded; the cause is chained.
    """
    if not isinstance(plan.model, str):
        return plan.model
    return load(
        plan.model,
        plan.model_args,
        chat_template=bool(plan.options.get("apply_chat_template")),
        batch_size=plan.batch_size,
        device=plan.device,
    )
