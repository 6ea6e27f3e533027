"""Run tasks on a model: everything is checked first, then the model is loaded, then asked."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import failures
from harness.base_task import SelfcheckTask, total
from harness.consistency_task import KEYS as FOLLOW_UP_KEYS
from harness.data import doc_hash
from harness.errors import CheckError, ConfigError, DataError, MissingDataError
from harness.loading import load
from harness.models import fingerprint
from harness.runs import Environment, Metric, Model, Record, Run, Settings, TaskRun
from harness.selection import build_manager, draw_subset, drop_unavailable, match_names
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


def run(plan: Plan) -> Run | None:
    """Evaluate; None on every rank of a data-parallel run but the first.

    Tasks that fail are in the run with the reason and without metrics; the others are whole.

    Raises:
        ConfigError, DataError, MissingDataError: before a model is loaded.
        ModelError: the model cannot be loaded, or cannot do what was asked.
    """
    import harness.planted  # noqa: F401  (registers the planted models)

    started = time.time()
    manager = build_manager(plan.include_path, plan.metadata)
    tasks, samples = _prepare(plan, manager)
    lm = load_model(plan)
    known = fingerprint(getattr(lm, "lm", lm))  # before the files may be replaced
    with failures.collected() as failed:
        results = _evaluate(lm, tasks, manager, samples, plan)
    if results is None:
        return None
    record = Record(
        created=datetime.fromtimestamp(started, tz=UTC).isoformat(timespec="seconds"),
        seconds=round(time.time() - started, 1),
        environment=Environment.here(),
        model=_describe_model(plan, lm, known),
        settings=_settings(plan, results),
        tasks={
            name: _task_run(task, results["samples"][name], lm, failed.get(name))
            for name, task in tasks.items()
        },
    )
    evidence = {name: _samples(task, results["samples"][name]) for name, task in tasks.items()}
    return Run(record, evidence)


def check(plan: Plan) -> dict[str, SelfcheckTask]:
    """Build a plan's tasks with their data, as `run` will, and give them by name.

    Raises:
        ConfigError, DataError, MissingDataError: what `run` would raise before it loads the model.
    """
    return _prepare(plan, build_manager(plan.include_path, plan.metadata))[0]


def _prepare(plan: Plan, manager: Any) -> tuple[dict[str, Any], dict[str, list[int]] | None]:
    """Give the tasks with their data, and the documents of each (None: as `limit` says)."""
    tasks = _load_tasks(plan, manager)
    if plan.skip_unavailable:
        tasks, dropped = drop_unavailable(tasks)
        for line in dropped:
            log.warning("Left out: %s", line)
    return tasks, _choose(plan, tasks)


def _load_tasks(plan: Plan, manager: Any) -> dict[str, Any]:
    tasks: dict[str, Any] = manager.load(match_names(plan.tasks, manager))["tasks"]
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


def _choose(plan: Plan, tasks: Mapping[str, Any]) -> dict[str, list[int]] | None:
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
    limit = plan.options.get("limit")
    for name, task in tasks.items():
        docs = splits[name].docs
        if chosen is not None:
            docs = [docs[place] for place in chosen[name]]
        elif limit is not None:
            docs = docs[: get_sample_size(task, limit)]
        task.check_documents(docs)
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


def _evaluate(
    lm: Any,
    tasks: Mapping[str, Any],
    manager: Any,
    samples: dict[str, list[int]] | None,
    plan: Plan,
) -> Any:
    from lm_eval import simple_evaluate

    return simple_evaluate(
        model=lm,
        tasks=list(tasks.values()),
        task_manager=manager,
        samples=samples,
        batch_size=plan.batch_size,
        **{**plan.options, "log_samples": True},
    )


def _describe_model(plan: Plan, lm: Any, known: str | None) -> Model:
    bare = getattr(lm, "lm", lm)
    inner = getattr(bare, "model", None)
    device, dtype = getattr(bare, "device", None), getattr(inner, "dtype", None)
    return Model(
        backend=plan.model if isinstance(plan.model, str) else type(plan.model).__name__,
        args=dict(plan.model_args),
        fingerprint=known,
        device=None if device is None else str(device),
        dtype=None if dtype is None else str(dtype),
        batch_size=getattr(bare, "batch_size", plan.batch_size),
    )


def _settings(plan: Plan, results: Mapping[str, Any]) -> Settings:
    seeds = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
    return Settings(
        tasks=list(plan.tasks),
        subset=plan.subset,
        subset_seed=None if plan.subset is None else plan.subset_seed,
        variants=sorted(plan.variants),
        include_path=[str(folder) for folder in plan.include_path],
        metadata=dict(plan.metadata),
        **{name: plan.options.get(name) for name in OPTIONS},
        **{name: results["config"].get(name) for name in seeds},
    )


def _task_run(task: Any, samples: list[dict[str, Any]], lm: Any, failed: str | None) -> TaskRun:
    used = [task.usage(sample, lm) for sample in samples]
    return TaskRun(
        version=task.file.version,
        source=str(task.file.metadata["source"]),
        variant=task.variant,
        variant_of=task.variant_of,
        data={**task.describe_data(), "cluster": task.file.cluster},
        conditions=task.conditions(),
        headline=task.headline,
        simulated_by=task.simulated_by,
        documents=len(samples),
        prompts_cut=_count([one.prompt_cut for one in used]),
        answers_cut=_count([one.answer_cut for one in used]),
        tokens_in=total([one.tokens_in for one in used]),
        tokens_out=total([one.tokens_out for one in used]),
        metrics={} if failed or task.predict_only else _metrics(task, samples),
        failed=failed,
    )


def _count(counts: list[int | None]) -> int | None:
    return None if None in counts else sum(map(bool, counts))


def _metrics(task: Any, samples: list[dict[str, Any]]) -> dict[str, Metric]:
    file, metrics = task.file, {}
    for name in file.metrics:
        values = [sample[name] for sample in samples if sample[name] is not None]
        clusters = [value.cluster for value in values]
        told = {"chance": file.chance[name], "higher_is_better": file.higher_is_better[name]}
        if name in file.derived:
            parts = [(value.after, value.before) for value in values]
            metrics[name] = Metric.gain(parts, clusters, of=file.derived[name], **told)
        else:
            metrics[name] = Metric.over(values, clusters, bounds=file.ranges[name], **told)
    return metrics


def _samples(task: Any, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for sample in samples:
        if doc_hash(sample["doc"]) != task.split.hashes[sample["doc_id"]]:
            raise CheckError(f"{task.task_name}: lm-eval mislabelled document {sample['doc_id']}")
    return [
        {
            "doc_id": sample["doc_id"],
            "doc_hash": task.split.hashes[sample["doc_id"]],
            "cluster": task.cluster(sample["doc"]),
            "doc": sample["doc"],
            "target": sample["target"],
            "metrics": {name: sample.get(name) for name in task.file.plain_metrics},
            **task.evidence(sample),
        }
        for sample in samples
    ]
