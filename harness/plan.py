"""What to run: a plan, and its tasks and documents, with everything checked that can be."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import harness.planted  # noqa: F401  (registers the planted models)
from harness.base_task import SelfcheckTask
from harness.choices import REQUEST as CHOICES
from harness.consistency_task import KEYS as FOLLOW_UP_KEYS
from harness.errors import ConfigError, DataError, MissingDataError
from harness.selection import (
    build_manager,
    draw_subset,
    drop_unavailable,
    load_tasks,
    match_names,
)
from harness.servers import Limits, scores_no_choices
from harness.simulator import KEYS as SIMULATOR_KEYS

log = logging.getLogger(__name__)

OPTIONS = (
    "apply_chat_template", "fewshot_as_multiturn", "system_instruction", "gen_kwargs",
    "num_fewshot", "limit",
)  # fmt: skip
"""Options of lm-eval that a record keeps."""


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        model: an lm-eval backend by name, or an lm-eval model.
        model_args: the backend's arguments.
        tasks: names, tags or glob patterns.
        subset: documents per task, drawn at random by `subset_seed`; None takes all.
        skip_unavailable: leave out tasks without data, instead of stopping.
        skip_unscorable: leave out choice tasks where the model's server gives no log-likelihoods,
            instead of stopping.
        limits: what may be asked of servers in all.
        batch_size: a number, or "auto": settled once for the run.
        device: as in lm-eval, whose default falls back to the CPU.
        include_path: further folders of task files.
        variants: axes on which to run every task in all its variants (`FaithfulnessTask.variants`).
        metadata: handed to every task, which reads the keys it knows: `fewshot_order`,
            `simulator_model`, `follow_ups`, ...
        options: what else `lm_eval.simple_evaluate` takes.
    """

    model: Any
    tasks: tuple[str, ...]
    model_args: Mapping[str, Any] = field(default_factory=dict)
    subset: int | None = None
    subset_seed: int = 0
    skip_unavailable: bool = False
    batch_size: int | str = "auto"
    device: str | None = "cuda:0"
    include_path: tuple[str | Path, ...] = ()
    variants: frozenset[str] = frozenset()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    skip_unscorable: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Prepared:
    """A plan with its tasks and their data: what can be known before there is a model.

    Attributes:
        manager: lm-eval's, of the tasks.
        tasks: by name.
        documents: task -> the places of its documents in their split, ascending.
    """

    plan: Plan
    manager: Any
    tasks: dict[str, SelfcheckTask]
    documents: dict[str, list[int]]


def prepare(plan: Plan) -> Prepared:
    """Build a plan's tasks with their data, and choose their documents.

    Raises:
        ConfigError, DataError, MissingDataError: what is wrong with the plan or the data.
    """
    manager = build_manager(plan.include_path, plan.metadata)
    tasks = _load_tasks(plan, manager)
    if plan.skip_unavailable:
        tasks, dropped = drop_unavailable(tasks)
        for line in dropped:
            log.warning("Left out: %s", line)
    return Prepared(plan, manager, tasks, _choose(plan, tasks))


def scorable(prepared: Prepared, lm: Any) -> Prepared:
    """Leave out what the model's server cannot score, if the plan says so; asks nothing.

    Raises:
        ConfigError: there are such tasks, and the plan does not say so, or nothing is left.
    """
    reason = scores_no_choices(lm)
    lost = [name for name, task in prepared.tasks.items() if task.OUTPUT_TYPE == CHOICES]
    if reason is None or not lost:
        return prepared
    told = f"{', '.join(lost)}: the server gives no log-likelihoods of choices ({reason})"
    left = {name: task for name, task in prepared.tasks.items() if name not in lost}
    if not prepared.plan.skip_unscorable:
        raise ConfigError(
            f"{told}. Take tasks that need none (the tag selfcheck-generative has them all), or "
            "leave these out with --skip-unscorable"
        )
    if not left:
        raise ConfigError(f"{told}: without them nothing is left")
    for name in lost:
        log.warning("Left out: %s (its server gives no log-likelihoods of choices)", name)
    documents = {name: places for name, places in prepared.documents.items() if name in left}
    return replace(prepared, tasks=left, documents=documents)


def _load_tasks(plan: Plan, manager: Any) -> dict[str, Any]:
    tasks = load_tasks(match_names(plan.tasks, manager), manager)
    for name, task in tasks.items():
        if not isinstance(task, SelfcheckTask):
            raise ConfigError(f"{name} is no task of ours, but lm-eval's: run it with lm_eval")
    _refuse_without_effect(plan.metadata, tasks)
    told = {
        other.task_name: other for task in tasks.values() for other in task.variants(plan.variants)
    }
    if plan.variants and len(told) == len(tasks):
        axes = ", ".join(sorted(plan.variants))
        raise ConfigError(f"none of these tasks has variants of {axes}: {', '.join(tasks)}")
    return told


def _refuse_without_effect(metadata: Mapping[str, Any], tasks: Mapping[str, Any]) -> None:
    given = [key for key in (*SIMULATOR_KEYS, *FOLLOW_UP_KEYS) if metadata.get(key) is not None]
    if given and all(task.simulated_by is None for task in tasks.values()):
        raise ConfigError(
            f"{', '.join(given)}: without effect, none of these tasks has a simulator: "
            f"{', '.join(tasks)}"
        )


def _choose(plan: Plan, tasks: Mapping[str, Any]) -> dict[str, list[int]]:
    from lm_eval.evaluator_utils import get_sample_size

    splits, faults = {}, []
    for name, task in tasks.items():
        try:
            task.load()
            splits[name] = task.split
        except MissingDataError:
            raise
        except DataError as err:
            faults.append(f"{task.variant_of}: {err}")
    if faults:
        raise DataError("\n".join(dict.fromkeys(faults)))
    chosen = _draw(plan, splits)
    if chosen is None:
        limit = plan.options.get("limit")
        chosen = {
            name: list(range(len(splits[name].docs)))[: get_sample_size(task, limit)]
            for name, task in tasks.items()
        }
    for name, task in tasks.items():
        task.check_documents([splits[name].docs[place] for place in chosen[name]])
    return chosen


def _draw(plan: Plan, splits: Mapping[str, Any]) -> dict[str, list[int]] | None:
    if plan.subset is None:
        return None
    if plan.subset < 1:
        raise ConfigError(f"subset must be at least 1, got {plan.subset}")
    if plan.options.get("limit") is not None:
        raise ConfigError(
            "give either --subset (a seeded draw) or --limit (the first ones), not both"
        )
    return {
        name: draw_subset(split.hashes, plan.subset, plan.subset_seed)
        for name, split in splits.items()
    }
