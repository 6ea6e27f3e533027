"""A finished training, and the checkpoint that it left."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from finetune.checkpoints import identity
from finetune.formats import Row
from finetune.recipe import Recipe
from finetune.split import Guarded
from finetune.trainer import Start, Trained, train
from finetune.training.base_model import choose_precision, merge
from finetune.workspace import Workspace
from harness.data import Split, doc_hash
from harness.errors import TrainingError
from harness.whole_files import write_text

log = logging.getLogger(__name__)

MERGED = "-merged"
"""Ends the name of an adapter's folder where it is merged into its base."""


@dataclass(frozen=True)
class Documents:
    """What training sets are made from.

    Attributes:
        split: where the documents are from.
        kept: those of the subset that match nothing that is scored.
        evaluated: the splits that are scored.
    """

    split: Split
    kept: Guarded
    evaluated: Sequence[Split]


@dataclass(frozen=True)
class Stage:
    """A checkpoint that is scored.

    Attributes:
        name: that of its run.
        checkpoint: the folder of its weights.
        facts: what its making is told by: name -> number.
        baselines: names of other stages that it is compared with, beside the base.
    """

    name: str
    checkpoint: Path
    facts: Mapping[str, float | None]
    baselines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """A finished training, as it is kept; attributes as of `finetune.trainer.Trained`, and:

    Attributes:
        key: digest of the rows and of where it started.
    """

    key: str
    rows: int
    steps: int
    epochs: float
    seconds: float
    peak_memory: int | None
    peak_memory_of: str
    trainable: int
    parameters: int
    dropped: Mapping[str, int]
    log: Sequence[Mapping[str, float]] = field(repr=False)

    @property
    def told(self) -> dict[str, float | None]:
        """What every training is told by."""
        size = self.peak_memory
        return {
            "steps": self.steps,
            "seconds": self.seconds,
            f"peak memory of the {self.peak_memory_of} (MiB)": size and size / 2**20,
        }

    def recent(self, name: str) -> float | None:
        """Average what was logged under a name in the last epoch."""
        told = [
            entry[name]
            for entry in self.log
            if name in entry and entry.get("epoch", 0) > self.epochs - 1
        ]
        return sum(told) / len(told) if told else None

    def lowest(self, name: str) -> float | None:
        """Give the lowest value that was logged under a name."""
        return min((entry[name] for entry in self.log if name in entry), default=None)


def train_once(
    workspace: Workspace,
    name: str,
    recipe: Recipe,
    start: Start,
    rows: tuple[Sequence[Row], Sequence[Row]],
    learning_rate: float | None = None,
) -> Facts:
    """Train, unless an earlier command has done so.

    Args:
        name: of the training.
        start: where it starts.
        rows: to train on, and to watch the loss on (may be empty).
        learning_rate: instead of the recipe's.

    Raises:
        TrainingError: it diverged, or could not be saved, or what was trained before was trained
            on other rows.
    """
    from accelerate import PartialState

    done, file = workspace.checkpoint(name), workspace.facts(name)
    state, key = PartialState(), _key(start, rows, learning_rate)
    if file.is_file() and done.is_dir():
        log.info("%s was trained before: %s", name, done)
        if state.is_main_process:
            shutil.rmtree(workspace.training(name), ignore_errors=True)
        return _known(file, key)
    if state.is_main_process:
        for folder in (done, merged_of(done)):  # killed before its facts were written
            shutil.rmtree(folder, ignore_errors=True)
    state.wait_for_everyone()
    trained = train(
        start, rows[0], rows[1], recipe, workspace.training(name), done,
        learning_rate=learning_rate,
    )  # fmt: skip
    facts = _facts(trained, key)
    if state.is_main_process:
        write_text(file, json.dumps(asdict(facts), indent=1) + "\n")
        shutil.rmtree(workspace.training(name), ignore_errors=True)
    state.wait_for_everyone()
    return facts


def merged_of(adapter: Path) -> Path:
    """Say where an adapter merged into its base is kept."""
    return adapter.with_name(f"{adapter.name}{MERGED}")


def merge_once(recipe: Recipe, adapter: Path) -> Path:
    """Merge an adapter into its base, beside it, unless an earlier command has done so.

    Raises:
        ModelError: adapter or base are not there.
        TrainingError: it cannot be saved.
    """
    from accelerate import PartialState

    merged = merged_of(adapter)
    with PartialState().main_process_first():
        if not merged.is_dir():
            merge(adapter, merged, choose_precision(recipe).weights)
    return merged


def facts_of(workspace: Workspace, name: str) -> dict[str, float | None]:
    """Tell what a finished training was; nothing if it is not there."""
    file = workspace.facts(name)
    return _read_facts(file).told if file.is_file() else {}


def _known(file: Path, key: str) -> Facts:
    """Read what a training was, if it is that of the key.

    Raises:
        TrainingError: it is another one.
    """
    facts = _read_facts(file)
    if facts.key != key:
        raise TrainingError(
            f"{file}: trained on other rows, or from another model, than there are now: data, "
            "teacher, prompts or base have changed since. Give another --output"
        )
    return facts


def _read_facts(file: Path) -> Facts:
    try:
        return msgspec.convert(json.loads(file.read_text(encoding="utf-8")), Facts)
    except (OSError, ValueError, RecursionError) as err:
        raise TrainingError(
            f"{file}: cannot be read as what a training came to: {err}; remove it to train again"
        ) from err


def _key(start: Start, rows: tuple[Sequence[Row], Sequence[Row]], rate: float | None) -> str:
    places = (start.model, start.adapter, start.reference)
    told = {
        "models": [start.revision, *(identity(place) if place else None for place in places)],
        "rows": [[msgspec.to_builtins(row) for row in part] for part in rows],
        "learning rate": rate,
    }
    return doc_hash(told)


def _facts(trained: Trained, key: str) -> Facts:
    names = [name for name in Facts.__dataclass_fields__ if name != "key"]
    told: dict[str, Any] = {name: getattr(trained, name) for name in names}
    return Facts(key=key, **told)
