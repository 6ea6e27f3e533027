"""A run on the workers of a Ray cluster: measured in parts, put together as in one process."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from harness.base_task import SelfcheckTask
from harness.cluster.pool import Pool, Room, connected, fit, nodes, require_ray
from harness.cluster.session import Session
from harness.cluster.shards import count_shards, cut, without
from harness.cluster.store import Store, open_store, parts_folder
from harness.cluster.worker import Surroundings
from harness.devices import parallel_args
from harness.errors import ConfigError
from harness.evaluate import assemble
from harness.loading import check_backend
from harness.models import is_server
from harness.plan import Plan, Prepared, prepare
from harness.runs import Environment, Run
from harness.servers import Limits
from harness.whole_files import claimed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What `--engine ray` was asked for.

    Attributes:
        address: HOST:PORT of a cluster's head, or "auto"; None: this machine.
        workers: how many; None: as many as there are GPUs for, or one on each node without GPUs.
        gpus_per_worker: None: one, if there are some.
        documents_per_shard: None: settled from the documents, the workers and the batch size.

    Raises:
        ConfigError: one of them cannot be, Ray is not installed, or this is one of many processes.
    """

    address: str | None = None
    workers: int | None = None
    gpus_per_worker: int | None = None
    documents_per_shard: int | None = None

    def __post_init__(self) -> None:
        require_ray()
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise ConfigError(
                "--engine ray starts its own processes: leave `accelerate launch` out"
            )
        for name in ("workers", "documents_per_shard"):
            told = getattr(self, name)
            if told is not None and told < 1:
                option = name.replace("_", "-")
                raise ConfigError(f"--{option} must be at least 1, got {told}")


class Cluster:
    """Workers that stay from run to run; a context manager, which ends them.

    Ray is reached when the first run needs it.

    Args:
        wanted: the options.
        stopped: whether to end; a run raises `KeyboardInterrupt` then.
    """

    def __init__(self, wanted: Wanted, stopped: Callable[[], bool] = lambda: False) -> None:
        self._wanted, self._stopped = wanted, stopped
        self._stack = ExitStack()
        self._pool: Pool | None = None

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._pool is not None:
            self._pool.end_all()
        self._pool = None
        self._stack.close()

    @contextmanager
    def measured(self, plan: Plan, folder: Path) -> Iterator[Run]:
        """Measure a plan; what an earlier process had finished is not measured again.

        Tasks that fail are in the run with the reason and without metrics; the others are whole.

        Args:
            plan: what to run.
            folder: where the run is to be written; finished parts are kept beside it, and removed
                when the context ends without an error. Samples are read from them until then.

        Raises:
            ConfigError, DataError, MissingDataError: before a worker is started, or what a worker
                finds wrong with its machine.
            ModelError: the model cannot be loaded, cannot do what was asked, or is not the same on
                all machines.
        """
        started = time.time()
        prepared = check(plan, self._wanted)
        parts = parts_folder(folder)
        with claimed(folder, parts / ".lock"):
            store = open_store(parts, _describe(prepared))
            try:
                self._measure(prepared, store)
            except BaseException:
                if not store.count:  # nothing that would be missed
                    store.remove()
                raise
            yield _assemble(prepared, store, started)
            store.remove()

    def _measure(self, prepared: Prepared, store: Store) -> None:
        left = without(prepared.documents, store.done)
        if store.count:
            log.info("%d documents are finished: %s", store.count, store.folder)
        if not left:
            return
        pool, plan = self._connected(prepared.plan), prepared.plan
        args = parallel_args(plan.model, plan.model_args, pool.room.gpus)
        per_shard = self._wanted.documents_per_shard
        shards = cut(left, count_shards(left, pool.most, plan.batch_size, per_shard))
        workers = min(pool.most, len(shards))
        session = Session(pool, replace(plan, model_args=args), shards, store, workers)
        session.run(self._stopped)

    def _connected(self, plan: Plan) -> Pool:
        if self._pool is None:
            self._stack.enter_context(connected(self._wanted.address))
            workers, room = self._fit(plan)
            self._pool = Pool(room, Surroundings.here(), workers)
            log.info(
                "%d workers on Ray, each with %d cores%s",
                workers,
                room.cores,
                f" and {room.gpus} GPUs" if room.gpus else "",
            )
        return self._pool

    def _fit(self, plan: Plan) -> tuple[int, Room]:
        on_cpu = str(plan.device or plan.model_args.get("device")).startswith("cpu")
        return fit(nodes(), self._wanted.workers, self._wanted.gpus_per_worker, on_cpu)


def check(plan: Plan, wanted: Wanted) -> Prepared:
    """Build a plan's tasks, and check that it can be cut up, before Ray is asked.

    Raises:
        ConfigError: it cannot be.
        DataError, MissingDataError: as `prepare`.
    """
    if not isinstance(plan.model, str):
        raise ConfigError("--engine ray loads the model on its workers: give a model by its name")
    check_backend(plan.model)
    if _is_server(plan.model):
        raise ConfigError(
            f"--engine ray: --model {plan.model} is a server, which many workers do not make "
            "faster; leave --engine out, and give num_concurrent=N among the model's arguments"
        )
    _check_device(plan)
    if plan.metadata.get("fewshot_order") == "stock":
        raise ConfigError(
            "fewshot_order=stock: the examples depend on the documents before, which other "
            "workers have; leave it out, or --engine ray"
        )
    if plan.limits != Limits():
        raise ConfigError(
            "limits of requests and tokens hold in one process: leave them out, or --engine ray"
        )
    if plan.options.get("use_cache"):
        raise ConfigError(
            "--use_cache is a file of one process, and does not know the model: leave it out; "
            "answers are kept under the model's fingerprint anyhow"
        )
    if wanted.gpus_per_worker is not None:
        parallel_args(plan.model, plan.model_args, wanted.gpus_per_worker)
    prepared = prepare(plan)
    _warn_of_sampling(prepared)
    return prepared


def _check_device(plan: Plan) -> None:
    told = str(plan.model_args.get("device") or plan.device or "")
    number = told.partition(":")[2]
    if number not in ("", "0"):
        raise ConfigError(
            f"--device {told}: Ray gives each worker its GPUs, numbered from 0; leave it out"
        )


def _is_server(model: str) -> bool:
    from lm_eval.api.registry import get_model

    try:
        return is_server(get_model(model))
    except ImportError:  # vLLM and others, which the workers may have
        return False


def _warn_of_sampling(prepared: Prepared) -> None:
    asked = str(prepared.plan.options.get("gen_kwargs") or "")
    tasks = [dict(task.config.generation_kwargs or {}) for task in prepared.tasks.values()]
    if "do_sample" in asked or any(told.get("do_sample") for told in tasks):
        log.warning(
            "Answers are sampled: they depend on how the documents are spread over workers, and "
            "are not those of a run in one process"
        )


def _describe(prepared: Prepared) -> dict[str, str]:
    """Digest all that parts of the run depend on, aspect by aspect."""
    plan, tasks = prepared.plan, prepared.tasks
    aspects: dict[str, Any] = {
        "model": [plan.model, plan.model_args],
        "tasks": {
            name: [task.file.version, SelfcheckTask.conditions(task)]
            for name, task in tasks.items()
        },
        "documents": {
            name: [tasks[name].split.fingerprint, places]
            for name, places in prepared.documents.items()
        },
        "settings": [plan.metadata, plan.options],
        "versions": Environment.here().packages,
    }
    return {name: _digest(told) for name, told in aspects.items()}


def _digest(told: Any) -> str:
    text = json.dumps(told, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _assemble(prepared: Prepared, store: Store, started: float) -> Run:
    assert store.first is not None
    plan, first = prepared.plan, store.first
    model = msgspec.structs.replace(first.model, args=dict(plan.model_args))
    settings = msgspec.structs.replace(first.settings, metadata=dict(plan.metadata))
    return assemble(prepared, model, settings, store.gathered(), started)
