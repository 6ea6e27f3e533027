"""A recipe from its data to the table of before and after."""

from __future__ import annotations

import atexit
import gc
import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import msgspec

from finetune import distill, ec_sft, grath, laffi
from finetune.beside import BASE
from finetune.inputs import inputs_of
from finetune.recipe import Name, Recipe
from finetune.reports.card import write_cards
from finetune.reports.notes import notes_on
from finetune.reports.report import Report, build_report, write_report
from finetune.scoring import (
    evaluated_splits,
    evaluated_tasks,
    score,
)
from finetune.sources import base_of
from finetune.split import guard
from finetune.stages import Documents, Stage, merge_once
from finetune.teacher import FEWEST
from finetune.trainer import require_one_device_each
from finetune.training.base_model import choose_precision, load_tokenizer
from finetune.training.configuration import check_architecture
from finetune.workspace import Workspace, check_free, open_workspace
from harness.base_task import SelfcheckTask
from harness.data import load_split
from harness.errors import TrainingError
from harness.run_files import StoredRun
from harness.runs import Environment
from harness.secrets import without_secrets
from harness.selection import draw_subset
from harness.whole_files import write_text

log = logging.getLogger(__name__)


class Module(Protocol):
    """The module of a method."""

    def train(self, recipe: Recipe, workspace: Workspace, documents: Documents, /) -> list[Stage]:
        """Give the checkpoints to score, in order; the last is the result."""

    def problem(self, recipe: Recipe, doc: Mapping[str, Any], /) -> str | None:
        """Say what keeps a document from being used, or None."""


MODULES: Mapping[Name, Module] = {
    "grath": grath,
    "ec_sft": ec_sft,
    "laffi": laffi,
    "distill": distill,
}
WAIT = 7 * 24 * 3600
"""Seconds that processes wait for each other, unless `trainer.ddp_timeout` says otherwise."""


def finetune(recipe: Recipe, folder: Path, scored: bool = True) -> Report | None:
    """Train by a recipe; score base and checkpoints; compare.

    The same call goes on where an earlier one ended. All ranks of `accelerate launch` must make it.

    Args:
        recipe: checked.
        folder: new, or that of an earlier call.
        scored: whether to score at all.

    Returns:
        What it came to; None on every rank but the first.

    Raises:
        ConfigError, DataError: before a model is loaded.
        ModelError: a model cannot be loaded, or nothing of its answers can be used.
        TrainingError: training diverged, or could not be saved; what there is is kept.
    """
    started = time.monotonic()
    check_free(folder, recipe)
    tasks = evaluated_tasks(recipe)
    documents = find_documents(recipe, tasks)
    check_models(recipe)
    state = processes(recipe)
    with _workspace(folder, recipe, state) as workspace:
        stages = MODULES[recipe.method].train(recipe, workspace, documents)
        if recipe.model.merge:
            merge_once(recipe, stages[-1].checkpoint)
        runs = _score_all(recipe, workspace, stages) if scored else {}
        if not state.is_main_process:
            return None
        report = build_report(stages, runs, notes_on(recipe, tasks))
        try:
            _write(report, recipe, workspace, documents, time.monotonic() - started)
        except OSError as err:
            raise TrainingError(
                f"{folder}: the report cannot be written: {err.strerror or err}; checkpoints and "
                "runs are kept, and the same command goes on from them"
            ) from err
        return report


def check_models(recipe: Recipe) -> None:
    """Check what can be known of the models before one is loaded.

    Raises:
        ConfigError: several GPUs are visible to one process, or the model is of another
            architecture than the recipe says.
        ModelError: its configuration or tokenizer cannot be loaded, or its chat template cannot be
            trained with.
    """
    require_one_device_each(recipe)
    check_architecture(recipe)
    load_tokenizer(recipe)


def processes(recipe: Recipe) -> Any:
    """Meet the other processes; one of them may work for hours while the others wait."""
    import torch.distributed
    from accelerate import PartialState

    def part() -> None:
        # a process that ends with the group's threads alive may be aborted by them
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    seconds = recipe.trainer.get("ddp_timeout", WAIT)
    cpu = choose_precision(recipe).device == "cpu"
    atexit.register(part)
    return PartialState(cpu=cpu, timeout=timedelta(seconds=seconds))


@contextmanager
def _workspace(folder: Path, recipe: Recipe, state: Any) -> Iterator[Workspace]:
    """Open the folder in the first process; the others use it."""
    with ExitStack() as stack:
        if state.is_main_process:
            stack.enter_context(open_workspace(folder, recipe))
        state.wait_for_everyone()
        yield Workspace(folder.resolve())


def find_documents(recipe: Recipe, tasks: Mapping[str, SelfcheckTask]) -> Documents:
    """Load what training sets are made from, without what the tasks score.

    Raises:
        DataError, MissingDataError: data is not there, too little, or not as it must be.
    """
    evaluated = evaluated_splits(tasks)
    problem = MODULES[recipe.method].problem
    split = load_split(recipe.data.ref, lambda doc: problem(recipe, doc))
    size = recipe.data.subset or len(split.docs)
    chosen = draw_subset(split.hashes, size, recipe.data.subset_seed)
    kept = guard(
        [split.docs[place] for place in chosen],
        [split.hashes[place] for place in chosen],
        lambda doc: [str(doc[column]) for column in recipe.data.compared],
        evaluated,
        fewest=FEWEST,
    )
    for leak in kept.leaked:
        log.warning("Left out of training: %s, %s of %s", leak.hash[:12], leak.why, leak.dataset)
    return Documents(split, kept, evaluated)


def _score_all(recipe: Recipe, workspace: Workspace, stages: list[Stage]) -> dict[str, StoredRun]:
    """Score the base and every checkpoint; empty on every rank but the first."""
    models: dict[str, str | Path] = {BASE: base_of(recipe)}
    models |= {stage.name: stage.checkpoint for stage in stages}
    runs = {}
    for name, model in models.items():
        log.info("Scoring %s: %s", name, model)
        run = score(recipe, model, workspace.run(name))
        gc.collect()  # the model goes before the next one is loaded
        if run is not None:
            runs[name] = run
    return runs


def _write(
    report: Report, recipe: Recipe, workspace: Workspace, documents: Documents, seconds: float
) -> None:
    write_cards(recipe, workspace, report.stages, documents, report.runs)
    write_report(report, workspace)
    told = {
        "created": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "seconds_of_last_call": round(seconds, 1),
        "environment": msgspec.to_builtins(Environment.here()),
        "recipe": asdict(recipe),
        "data": documents.split.describe(),
        "inputs": inputs_of(recipe, documents.split, documents.evaluated),
        "documents": len(documents.kept.docs),
        "leaked": [asdict(leak) for leak in documents.kept.leaked],
        "stages": [
            {
                "name": stage.name,
                "checkpoint": str(stage.checkpoint),
                "facts": dict(stage.facts),
                "baselines": list(stage.baselines),
            }
            for stage in report.stages
        ],
        "runs": {name: run.id for name, run in report.runs.items()},
        "notes": list(report.notes),
    }
    told = without_secrets(told)
    write_text(workspace.folder / "training.json", json.dumps(told, indent=1) + "\n")
