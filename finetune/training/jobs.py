"""A training that was checked, before its weights are loaded; and the trainer built of it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from finetune.formats import Completion, Lesson, Preference, Row, for_trl
from finetune.recipe import DistillData, Recipe
from finetune.training.base_model import (
    Precision,
    choose_precision,
    load_adapter,
    load_frozen,
    load_model,
    load_tokenizer,
    lora_config,
)
from finetune.training.fitting import Fitted, fit_rows, limits_of
from finetune.training.stops import Bar, Lines, SaveOften, Watch
from finetune.training.trl_config import PATIENCE, trainer_config

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
        """Whether preferences are learnt."""
        return isinstance(self.kept.rows[0], Preference)

    @property
    def lessons(self) -> list[Lesson]:
        """The rows, if they are lessons."""
        return [row for row in self.kept.rows if isinstance(row, Lesson)]

    @property
    def alpha(self) -> float | None:
        """What the loss on answers counts; that on explanations the rest.

        None: there are no explanations, and the loss on answers is all.
        """
        data = self.recipe.data
        explained = any(lesson.explaining for lesson in self.lessons)
        return data.alpha if explained and isinstance(data, DistillData) else None

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
            "model.architecture": recipe.model.architecture,
            "data.alpha": self.alpha,
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
    _require_alike(rows, dev, recipe)
    precision = choose_precision(recipe)
    tokenizer = load_tokenizer(recipe, start.model, start.revision)
    limits, chat = limits_of(recipe, start, tokenizer), recipe.model.chat_template
    architecture = recipe.model.architecture
    return Job(
        start,
        recipe,
        learning_rate,
        precision,
        tokenizer,
        fit_rows(rows, tokenizer, chat, limits, architecture),
        fit_rows(dev, tokenizer, chat, limits, architecture) if dev else None,
    )


def _require_alike(rows: Sequence[Row], dev: Sequence[Row], recipe: Recipe) -> None:
    """Check that rows are of one type, lessons as they can be trained on."""
    if len({type(row) for row in rows}) > 1:
        raise ValueError("rows of a training must be of one type")
    lessons = [row for row in rows if isinstance(row, Lesson)]
    if lessons and dev:
        raise ValueError("a training on lessons watches no dev loss: dev must be empty")
    if len({lesson.explaining is None for lesson in lessons}) > 1:
        raise ValueError("all lessons of a training must have an explanation, or none of them")
    if lessons and not isinstance(recipe.data, DistillData):
        raise ValueError("lessons are weighed by data.alpha, which only recipes of distill have")
    if recipe.model.architecture == "seq2seq" and len(lessons) < len(rows):
        raise ValueError("an encoder-decoder is trained on lessons only")


def build_config(job: Job, work: Path) -> Any:
    """Give the trainer's configuration; it also starts accelerate's processes.

    Raises:
        ConfigError: as `trainer_config`.
    """
    return trainer_config(
        job.recipe, job.precision, work, dev=job.dev is not None, learning_rate=job.learning_rate
    )


def build_trainer(job: Job, config: Any, callbacks: list[Any]) -> Any:
    """Load the weights and give the trainer of the rows' type.

    Raises:
        ConfigError: the adapter has no place in the model, or a setting none in the trainer.
        ModelError: a model or adapter cannot be loaded.
    """
    from transformers import EarlyStoppingCallback, PrinterCallback, ProgressCallback

    model, lora = _load(job)
    own = [Watch(), *callbacks]
    if job.dev:
        own += [SaveOften(), EarlyStoppingCallback(PATIENCE)]
    options: dict[str, Any] = {
        "model": model,
        "args": config,
        "processing_class": job.tokenizer,
        "peft_config": lora,
        "callbacks": own,
    }
    trainer = _of_lessons(job, options) if job.lessons else _of_trl(job, options)
    trainer.remove_callback(PrinterCallback if config.disable_tqdm else ProgressCallback)
    trainer.add_callback(Lines() if config.disable_tqdm else Bar())
    return trainer


def _of_lessons(job: Job, options: dict[str, Any]) -> Any:
    """Give `LessonTrainer` or `Seq2SeqLessonTrainer`."""
    from finetune.training.lessons import LessonTrainer
    from finetune.training.seq2seq import Seq2SeqLessonTrainer

    of = LessonTrainer if job.recipe.model.architecture == "causal" else Seq2SeqLessonTrainer
    chat = job.recipe.model.chat_template
    return of(lessons=job.lessons, alpha=job.alpha, chat_template=chat, **options)


def _of_trl(job: Job, options: dict[str, Any]) -> Any:
    """Give `trl.DPOTrainer` or `trl.SFTTrainer`."""
    from datasets import Dataset
    from trl import DPOTrainer, SFTTrainer

    chat = job.recipe.model.chat_template
    if job.dpo:
        options["ref_model"] = _load_reference(job, options["args"])
    return (DPOTrainer if job.dpo else SFTTrainer)(
        train_dataset=Dataset.from_list(for_trl(_plain(job.kept), chat)),
        eval_dataset=Dataset.from_list(for_trl(_plain(job.dev), chat)) if job.dev else None,
        **options,
    )


def _plain(fitted: Fitted) -> list[Completion | Preference]:
    return [row for row in fitted.rows if not isinstance(row, Lesson)]


def _load(job: Job) -> tuple[Any, Any]:
    """Give the model, and the configuration of the adapter that is to be put on it, or None."""
    start, adapter = job.start, job.recipe.model.adapter
    architecture = job.recipe.model.architecture
    model = load_model(start.model, start.revision, job.precision.weights, architecture)
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
