"""What a finetuning depends on beside its recipe, as far as no model is needed to know it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finetune.asking import teacher_of
from finetune.checkpoints import identity
from finetune.recipe import LaffiData, Recipe
from finetune.scoring import simulator_of
from finetune.sources import base_of
from finetune.teacher import Teacher
from finetune.writing.prompt_files import FOLDER
from harness.data import Split, doc_hash
from harness.hashes import file_sha256

MISSING = "missing"


def inputs_of(recipe: Recipe, split: Split, evaluated: Sequence[Split]) -> dict[str, str]:
    """Identify inputs: what each is called -> its digest; equal for equal contents.

    Args:
        split: that training documents are from.
        evaluated: the splits that are scored.

    Raises:
        ConfigError, ModelError: a model is not there.
        OSError: a file of a local model cannot be read.
    """
    prompts = sorted(FOLDER.glob(f"{recipe.method}*.yaml"))
    told = {
        "base": identity(base_of(recipe)),
        "training data": split.fingerprint,
        "scored data": doc_hash({"splits": sorted(one.fingerprint for one in evaluated)}),
        "prompts": doc_hash({file.name: file_sha256(file) for file in prompts}),
    }
    if recipe.data.asks_teacher:
        told["teacher"] = teacher_of(recipe).identity()
    if recipe.score.simulator is not None:
        told["simulator"] = Teacher.of(simulator_of(recipe)).identity()
    if isinstance(recipe.data, LaffiData) and recipe.data.annotations is not None:
        told["annotations"] = _sha256(Path(recipe.data.annotations).expanduser())
    return told


def _sha256(file: Path) -> str:
    return file_sha256(file) if file.is_file() else MISSING
