"""Ask a model, in this process, about documents of a plan's tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import failures
from harness.base_task import SelfcheckTask
from harness.data import doc_hash
from harness.errors import CheckError
from harness.parts import Document, Part, Scored, TaskPart
from harness.plan import OPTIONS, Plan, Prepared
from harness.runs import Model, Settings, TaskRun


def measure(
    prepared: Prepared,
    lm: Any,
    known: str | None,
    documents: Mapping[str, Sequence[int]] | None = None,
) -> Part | None:
    """Ask a model about documents; None on every rank of a data-parallel run but the first.

    Args:
        prepared: the tasks.
        lm: the model, as `load_model` gives it.
        known: its fingerprint.
        documents: some of `prepared.documents`; None: all. A task without any is left out.

    Raises:
        ModelError: the model cannot do what was asked of it.
    """
    chosen = prepared.documents if documents is None else documents
    places = {name: list(some) for name, some in chosen.items() if some}
    tasks = {name: prepared.tasks[name] for name in places}
    with failures.collected() as failed:
        results = _evaluate(lm, tasks, places, prepared)
    if results is None:
        return None
    return Part(
        model=_describe_model(prepared.plan, lm, known),
        settings=_settings(prepared.plan, results),
        tasks={
            name: TaskPart(
                head=_head(task),
                documents=measured_documents(task, results["samples"][name], lm),
                failed=failed.get(name),
            )
            for name, task in tasks.items()
        },
    )


def _evaluate(
    lm: Any, tasks: Mapping[str, Any], documents: dict[str, list[int]], prepared: Prepared
) -> Any:
    from lm_eval import simple_evaluate

    return simple_evaluate(
        model=lm,
        tasks=list(tasks.values()),
        task_manager=prepared.manager,
        samples=documents,
        batch_size=prepared.plan.batch_size,
        **{**prepared.plan.options, "limit": None, "log_samples": True},
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


def _head(task: SelfcheckTask) -> TaskRun:
    return TaskRun(
        version=task.file.version,
        source=str(task.file.metadata["source"]),
        variant=task.variant,
        variant_of=task.variant_of,
        data={**task.describe_data(), "cluster": task.file.cluster},
        conditions=task.conditions(),
        headline=task.headline,
        simulated_by=task.simulated_by,
        documents=0,
        prompts_cut=None,
        answers_cut=None,
        tokens_in=None,
        tokens_out=None,
    )


def measured_documents(
    task: SelfcheckTask, samples: Sequence[dict[str, Any]], lm: Any
) -> list[Document]:
    """Take from lm-eval's samples of a task what a run needs.

    Raises:
        CheckError: lm-eval gives a document another place than it has.
    """
    for sample in samples:
        if doc_hash(sample["doc"]) != task.split.hashes[sample["doc_id"]]:
            raise CheckError(f"{task.task_name}: lm-eval mislabelled document {sample['doc_id']}")
    return [_document(task, sample, lm) for sample in samples]


def _document(task: SelfcheckTask, sample: dict[str, Any], lm: Any) -> Document:
    told = {name: sample.get(name) for name in task.file.plain_metrics}
    scored = Scored(
        doc_id=sample["doc_id"],
        cluster=task.cluster(sample["doc"]),
        metrics={name: None if value is None else float(value) for name, value in told.items()},
        usage=task.usage(sample, lm),
        tally=task.tally(sample),
    )
    evidence = {
        "doc_id": scored.doc_id,
        "doc_hash": task.split.hashes[scored.doc_id],
        "cluster": scored.cluster,
        "doc": sample["doc"],
        "target": sample["target"],
        "metrics": scored.metrics,
        **task.evidence(sample),
    }
    return Document(scored, evidence)
