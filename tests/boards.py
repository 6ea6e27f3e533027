"""Boards made up, with samples of every kind: whose texts are whatever the caller says.

`make_entries` writes runs of n models, each of the same tasks, one a kind; a `Say` is asked for
every text that a model, a data file or a person could have written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.run_files import read_run, write_run
from harness.runs import Environment, Run, TaskRun
from leaderboards.entries import Entry
from tests import made_samples
from tests.made_samples import Say, words
from tests.records import LIFT, make_run, task_run

SIGNED = ("lift", "lift_all")


@dataclass(frozen=True)
class Task:
    """A task of a made-up board.

    Attributes:
        kind: one of `made_samples.KINDS`: what its samples look like.
        documents: how many there are.
        failed_for: numbers of the models for which it failed.
        sampled: whether the samples are kept.
    """

    name: str
    kind: str
    documents: int = 6
    failed_for: Sequence[int] = ()
    sampled: bool = True


def usual_tasks(documents: int = 6, sampled: bool = True) -> list[Task]:
    """A task of every kind."""
    return [
        Task(f"selfcheck_{kind}_made_up", kind, documents, sampled=sampled)
        for kind in made_samples.KINDS
    ]


def many_tasks(count: int, documents: int, sampled: bool = True) -> list[Task]:
    """So many tasks of the three checks of faithfulness, whose nine metrics are the most."""
    kinds = ("counterfactual", "redaction", "importance")
    return [
        Task(
            f"selfcheck_{kinds[number % 3]}_{number:02}", kinds[number % 3], documents, (), sampled
        )
        for number in range(count)
    ]


def make_entries(
    folder: Path,
    names: Sequence[str],
    tasks: Sequence[Task],
    say: Say = words,
    seed: int = 0,
) -> list[Entry]:
    """Write a run of every model, under names that any file system takes, and read them back.

    Args:
        names: those of the models, as the board is to have them.
        say: gives each text.
        seed: another one gives other values.
    """
    entries = []
    for model, name in enumerate(names):
        place = write_run(make_model(model, tasks, say, seed), folder / f"run_{model:03}")
        entries.append(Entry(name, [read_run(place, name)]))
    return entries


def make_model(model: int, tasks: Sequence[Task], say: Say = words, seed: int = 0) -> Run:
    """Make up the run of a model."""
    told: dict[str, TaskRun] = {}
    samples: dict[str, list[dict[str, Any]]] = {}
    for number, task in enumerate(tasks):
        if model in task.failed_for:
            told[task.name] = _failed(task, say("failed", model), say, number)
            continue
        rng = np.random.default_rng([seed, model, number])
        rows = made_samples.make(task.kind, task.documents, say, rng, (model, number))
        told[task.name] = _measured(task, rows, say, model, number)
        if task.sampled:
            samples[task.name] = rows
    return _described(make_run(told, samples, fingerprint=say("fingerprint", model)), say, model)


def _measured(
    task: Task, rows: Sequence[Mapping[str, Any]], say: Say, model: int, number: int
) -> TaskRun:
    names = list(rows[0]["metrics"])
    values = {name: [row["metrics"][name] for row in rows] for name in names}
    return task_run(
        values,
        [row["cluster"] for row in rows],
        bounds=dict.fromkeys(SIGNED, LIFT),
        directions={name: made_samples.RISES.get(name) for name in names},
        headline=made_samples.KINDS[task.kind].headline,
        simulated_by=say("simulated_by", model) if task.kind == "consistency" else None,
        prompts_cut=1,
        answers_cut=2,
        tokens_in=1000,
        tokens_out=100,
        **_same_for_all(task, say, number),
    )


def _same_for_all(task: Task, say: Say, number: int) -> dict[str, Any]:
    """What models may not differ in."""
    return {
        "version": say("version", number),
        "source": say("source", number),
        "variant": {say("variant name", number): say("variant", number)},
        "variant_of": task.name,
        "data": {
            "path": say("data path", number),
            "split": say("data split", number),
            say("data key", number): say("data value", number),
            "loaded_from": say("data file", number),
            "fingerprint": say("data fingerprint", number),
            "documents": 1000,
        },
        "conditions": {
            "generation": {say("generation key", number): say("generation value", number)},
            "definition": say("definition", number),
        },
    }


def _failed(task: Task, reason: str, say: Say, number: int) -> TaskRun:
    told = task_run({}, failed=reason, headline=None, **_same_for_all(task, say, number))
    return msgspec.structs.replace(told, documents=task.documents)


def _described(run: Run, say: Say, model: int) -> Run:
    """Tell of a run what only people read."""
    environment = Environment(
        command=["selfcheck", say("command", model), "--model_args", say("argument", model)],
        packages={"torch": say("package version", model), say("package", model): "1"},
        python=say("python", model),
        platform=say("platform", model),
    )
    described = msgspec.structs.replace(
        run.record.model,
        args={"pretrained": say("pretrained", model), say("args key", model): say("args", model)},
        backend=say("backend", model),
        device=say("device", model),
        dtype=say("dtype", model),
        batch_size=say("batch size", model),
    )
    settings = msgspec.structs.replace(
        run.record.settings,
        system_instruction=say("system instruction", model),
        apply_chat_template=say("chat template", model),
        gen_kwargs=say("gen kwargs", model),
        include_path=[say("include path", model)],
        variants=[say("variants", model)],
        metadata={say("metadata key", model): say("metadata", model)},
        subset=6,
        subset_seed=0,
    )
    record = msgspec.structs.replace(
        run.record,
        created=say("created", model),
        selfcheck=say("selfcheck version", model),
        imported=say("imported", model),
        environment=environment,
        model=described,
        settings=settings,
    )
    return Run(record, run.samples)
