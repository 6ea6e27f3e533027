"""Small trainings for tests: recipes, rows, and what a training left."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peft  # noqa: F401  (all that a training imports, before `gc.freeze`)
from trl import DPOTrainer, SFTTrainer  # noqa: F401

from finetune.formats import Completion, Preference, Row
from finetune.recipe import Adapter, EcSftData, GrathData, Model, Recipe, Score
from finetune.trainer import Start, Trained, train

gc.freeze()
"""A training ends with a garbage collection, which would look through all these libraries."""

ANSWERS = ("Yes, it is.", "No, never.", "Salt.", "In the sea.", "Seven.", "Red.", "A cat.", "Up.")
WRONG = ("Perhaps.", "Always!", "Sugar.", "On land.", "Eight.", "Blue.", "A dog.", "Down.")
QUICK: dict[str, Any] = {
    "per_device_train_batch_size": 2,
    "num_train_epochs": 2,
    "learning_rate": 1e-2,
    "save_steps": 1000,  # at the end only
}
ADAPTER = Adapter(r=4, alpha=8, dropout=0.1)


def completions(count: int = 8) -> list[Completion]:
    return [
        Completion(f"Question {place}?", "Answer:", ANSWERS[place % 8], f"doc{place}")
        for place in range(count)
    ]


def preferences(count: int = 8) -> list[Preference]:
    return [
        Preference(f"Question {place}?", "Answer:", ANSWERS[place % 8], WRONG[place % 8], "doc")
        for place in range(count)
    ]


def recipe(
    model: Path,
    *,
    dpo: bool = False,
    adapter: Adapter | None = ADAPTER,
    seed: int = 0,
    chat: bool = False,
    dtype: Any = "auto",
    **trainer: Any,
) -> Recipe:
    data = GrathData(questions="x/y") if dpo else EcSftData(questions="x/y", kind="yes_no")
    return Recipe(
        method="grath" if dpo else "ec_sft",
        seed=seed,
        model=Model(name=str(model), chat_template=chat, adapter=adapter, dtype=dtype),
        data=data,
        trainer={**QUICK, **trainer},
        score=Score(tasks=["x"]),
    )


def run(
    told: Recipe,
    place: Path,
    rows: Sequence[Row] | None = None,
    *,
    dev: Sequence[Row] = (),
    start: Start | None = None,
    **options: Any,
) -> Trained:
    """Train in `place`, which may hold a part of the same training."""
    own = preferences() if told.method == "grath" else completions()
    begin = start or Start(model=told.model.name)
    return train(
        begin, own if rows is None else rows, dev, told, place / "work", place / "done", **options
    )


def build(
    told: Recipe, place: Path, rows: Sequence[Row] | None = None, start: Start | None = None
) -> Any:
    """Build the trainer of `run` without training."""
    from finetune.training.jobs import build_config, build_trainer, prepare
    from finetune.training.quiet import quiet_libraries

    own = preferences() if told.method == "grath" else completions()
    begin = start or Start(model=told.model.name)
    job = prepare(begin, own if rows is None else rows, (), told, None)
    with quiet_libraries():
        return build_trainer(job, build_config(job, place / "work"), [])


def weights(folder: Path) -> dict[str, Any]:
    """Give what a folder of weights holds."""
    from safetensors.torch import load_file

    (file,) = folder.glob("*.safetensors")
    return dict(load_file(file))


def equal(first: Path, second: Path) -> bool:
    """Say whether two folders hold the same weights, bit for bit."""
    import torch

    ours, theirs = weights(first), weights(second)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[n], theirs[n]) for n in ours)
