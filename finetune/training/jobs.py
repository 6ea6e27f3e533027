"""A training that was checked, before its weights are loaded; and TRL's trainer built of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from finetune.formats import Preference, Row, for_trl
from finetune.recipe import Recipe
from finetune.training.base_model import (
    Precision,
    choose_precision,
    load_adapter,
    load_frozen,
    load_model,
    load_tokenizer,
    lora_config,
)
from finetune.training.fitting import BEYOND_WINDOW, TOO_LONG, Fitted, fit_rows
from finetune.training.footprint import DEFAULT_LENGTH
from finetune.training.stops import Bar, Lines, SaveOften, Watch
from finetune.training.trl_config import PATIENCE, trainer_config
from harness.errors import ModelError

if TYPE_CHECKING:
    from finetune.trainer import Start

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A training.

    Attributes:
        kept, dev: rows that fit; None: no dev loss is watched.
        learning_rate: instead of the recipe's.
    """

    start: Start
    recipe: Recipe
    learning_rate: float | None
    precision: Precision
    tokenizer: Any
    kept: Fitted
    dev: Fitted | None

    @property
    def dpo(self) -> bool:
        """Whether DPO is meant; SFT otherwise."""
        return isinstance(self.kept.rows[0], Preference)

    @property
    def dropped(self) -> dict[str, int]:
        """Reason -> rows that were left out."""
        dev = self.dev.dropped if self.dev else {}
        return {**self.kept.dropped, **{f"dev: {why}": count for why, count in dev.items()}}

    def identity(self, processes: int) -> dict[str, Any]:
        """Say which training this is: name -> value of all that its result depends on."""
        from finetune.checkpoints import identity

        start, recipe = self.start, self.recipe
        return {
            "model": [identity(start.model), start.revision],
            "adapter it starts from": identity(start.adapter) if start.adapter else None,
            "reference": identity(start.reference) if start.reference else None,
            "rows": _digest(self.kept.rows),
            "dev rows": _digest(self.dev.rows if self.dev else []),
            "model.adapter": asdict(recipe.model.adapter) if recipe.model.adapter else None,
            "model.chat_template": recipe.model.chat_template,
            "trainer": dict(recipe.trainer),
            "seed": recipe.seed,
            "learning rate": self.learning_rate,
            "precision": asdict(self.precision),
            "number of processes": processes,
        }


def prepare(
    start: Start,
    rows: Sequence[Row],
    dev: Sequence[Row],
    recipe: Recipe,
    learning_rate: float | None,
) -> Job:
    """Check a training; arguments as of `finetune.trainer.train`.

    Raises:
        ConfigError, DataError, ModelError: as there.
    """
    precision = choose_precision(recipe)
    tokenizer = load_tokenizer(recipe, start.model, start.revision)
    limits = _limits(start, recipe)
    chat = recipe.model.chat_template
    return Job(
        start,
        recipe,
        learning_rate,
        precision,
        tokenizer,
        fit_rows(rows, tokenizer, chat, limits),
        fit_rows(dev, tokenizer, chat, limits) if dev else None,
    )


def _limits(start: Start, recipe: Recipe) -> dict[str, int | None]:
    """Give the most tokens of a row; packed rows are cut into pieces as it is."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(start.model, revision=start.revision)
    except Exception as err:
        raise ModelError(f"the configuration of {start.model} cannot be had: {err}") from err
    return {
        BEYOND_WINDOW: getattr(config.get_text_config(), "max_position_embeddings", None),
        TOO_LONG: recipe.trainer.get("max_length", DEFAULT_LENGTH),
    }


def build_config(job: Job, work: Path) -> Any:
    """Give TRL's configuration; it also starts accelerate's processes.

    Raises:
        ConfigError: as `trainer_config`.
    """
    return trainer_config(
        job.recipe, job.precision, work, dpo=job.dpo, dev=job.dev is not None,
        learning_rate=job.learning_rate,
    )  # fmt: skip


def build_trainer(job: Job, config: Any, callbacks: list[Any]) -> Any:
    """Load the weights and give `trl.DPOTrainer` or `trl.SFTTrainer`.

    Raises:
        ConfigError: the adapter has no place in the model.
        ModelError: a model or adapter cannot be loaded.
    """
    from datasets import Dataset
    from transformers import EarlyStoppingCallback, PrinterCallback, ProgressCallback
    from trl import DPOTrainer, SFTTrainer

    model, lora = _load(job)
    own = [Watch(), *callbacks]
    if job.dev:
        own += [SaveOften(), EarlyStoppingCallback(PATIENCE)]
    chat = job.recipe.model.chat_template
    told: dict[str, Any] = {"ref_model": _load_reference(job, config)} if job.dpo else {}
    trainer = (DPOTrainer if job.dpo else SFTTrainer)(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(for_trl(job.kept.rows, chat)),
        eval_dataset=Dataset.from_list(for_trl(job.dev.rows, chat)) if job.dev else None,
        processing_class=job.tokenizer,
        peft_config=lora,
        callbacks=own,
        **told,
    )
    trainer.remove_callback(PrinterCallback if config.disable_tqdm else ProgressCallback)
    trainer.add_callback(Lines() if config.disable_tqdm else Bar())
    return trainer


def _load(job: Job) -> tuple[Any, Any]:
    """Give the model, and the configuration of the adapter that is to be put on it, or None."""
    start, adapter = job.start, job.recipe.model.adapter
    model = load_model(start.model, start.revision, job.precision.weights)
    if start.adapter is not None:
        return load_adapter(model, start.adapter), None
    return model, lora_config(adapter, model) if adapter else None


def _load_reference(job: Job, config: Any) -> Any:
    """Give DPO's reference model; None where TRL has it without one.

    Without one, TRL takes the model without its new adapter, or a copy of the adapter that is
    trained on: in both cases what the training starts from. Of full weights it would load a second
    copy of the hub's default revision; here of the one that is trained.
    """
    start, recipe, dtype = job.start, job.recipe, job.precision.weights
    started_from = start.reference in (None, start.model) and start.adapter is None
    if started_from and (recipe.model.adapter or config.precompute_ref_log_probs):
        return None
    if start.reference is None and start.adapter is not None:
        return None
    if started_from:
        return load_frozen(start.model, start.revision, dtype)
    return load_frozen(str(start.reference), recipe.model.revision, dtype)


def _digest(rows: Sequence[Row]) -> str:
    return hashlib.sha256(msgspec.json.encode(list(rows))).hexdigest()
