"""What a scoring would say at its start, said long before: before training, or before watching."""

from __future__ import annotations

from harness.base_task import SelfcheckTask
from harness.evaluate import Plan, _choose, _load_tasks
from harness.selection import build_manager


def check(plan: Plan) -> dict[str, SelfcheckTask]:
    """Build a plan's tasks with their data, as `evaluate.run` will, and give them by name.

    Raises:
        ConfigError: a task is unknown or no task of ours, an option is without effect or wrong.
        DataError, MissingDataError: its data is not there, or not as it must be.
    """
    tasks = _load_tasks(plan, build_manager(plan.include_path, plan.metadata))
    _choose(plan, tasks)
    return tasks
