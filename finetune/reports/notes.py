"""What a reader of the scores should know of how training set and scores were made."""

from __future__ import annotations

from collections.abc import Mapping

from finetune.asking import load_args
from finetune.checkpoints import identity
from finetune.recipe import Asked, Data, DistillData, EcSftData, Recipe
from finetune.scoring import simulator_of
from finetune.sources import base_of
from finetune.teacher import Teacher
from finetune.writing.consistent_answers import consistency_prompts
from finetune.writing.rationales import distill_prompts
from harness.answer_task import AnswerTask
from harness.base_task import SelfcheckTask
from harness.checks.case import Prompt
from harness.consistency_task import ConsistencyTask
from harness.data import DataRef
from harness.models import resolve_model_args

PROBE = {"question": "Is water wet?", "answers": "yes or no"}
COPIES: Mapping[tuple[str, str | None], str] = {
    ("google-research/distilling-step-by-step", "cqa"): "tau/commonsense_qa",
}
"""Data sets (name, config) that have the questions of another one."""
APART = frozenset(
    {
        "ChilleD/StrategyQA", "GBaker/MedQA-USMLE-4-options", "allenai/ai2_arc",
        "allenai/openbookqa", "google/boolq", "rajpurkar/squad_v2", "tau/commonsense_qa",
    }
)  # fmt: skip
"""Data sets whose questions were collected apart from each other's."""


def notes_on(recipe: Recipe, tasks: Mapping[str, SelfcheckTask]) -> list[str]:
    """Say who simulates, whether training asked as the tasks do, and on which of their data sets.

    Args:
        tasks: that are scored.
    """
    simulated = {name: task for name, task in tasks.items() if isinstance(task, ConsistencyTask)}
    told = [*_simulator_notes(recipe), *_template_notes(recipe, simulated)] if simulated else []
    return told + _distribution_notes(recipe, tasks)


def _simulator_notes(recipe: Recipe) -> list[str]:
    simulator = simulator_of(recipe)
    label = Teacher.of(simulator).label
    base = Asked(args=load_args(recipe, base_of(recipe)))
    told = [f"the simulator is {label}"]
    if recipe.data.asks_teacher:
        wrote = "the one that wrote the training set"
        same = _weights(recipe.teacher or base) == _weights(simulator)
        told = [f"the simulator ({label}) is {wrote if same else f'another model than {wrote}'}"]
    if _weights(simulator) == _weights(base):
        told.append(
            "the simulator is the model as it was: the base predicts itself, a checkpoint is "
            "predicted by another model; so lift may fall because the checkpoint has changed at all"
        )
    return told


def _weights(asked: Asked) -> list[str]:
    """Name what tells a model's weights; in another kind of backend they are not recognised."""
    args = resolve_model_args(asked.model, asked.args)
    names = ("pretrained", "peft", "revision", "base_url", "model")
    return [identity(str(args.get(name, ""))) for name in names]


def _template_notes(recipe: Recipe, tasks: Mapping[str, ConsistencyTask]) -> list[str]:
    learnt = _learnt(recipe.data)
    if learnt is None:
        return []
    words = learnt.render(**PROBE).strip()
    same = [
        name
        for name, task in tasks.items()
        if task.prompts["explain"].render(**PROBE).strip() == words
    ]
    if same:
        return [f"training asked in the words of the tasks: {', '.join(same)}"]
    return ["training asked in other words than the tasks do"]


def _learnt(data: Data) -> Prompt | None:
    """Give the prompt to which explained answers are learnt; None: they are not."""
    if isinstance(data, EcSftData):
        return consistency_prompts(data.kind)["train"]
    if isinstance(data, DistillData) and "mt_cot" in data.objectives:
        return distill_prompts(data.kind)["mt_cot"]
    return None


def _distribution_notes(recipe: Recipe, tasks: Mapping[str, SelfcheckTask]) -> list[str]:
    """Say which tasks of questions are on the data set that was trained on.

    Of a data set that may be a copy of another one nothing is said.
    """
    trained = _collection(recipe.data.ref)
    told = {"in": list[str](), "out of": list[str]()}
    for name, task in tasks.items():
        if not isinstance(task, ConsistencyTask | AnswerTask):
            continue
        scored = _collection(task.file.ref)
        if trained == scored:
            told["in"].append(name)
        elif {trained, scored} <= APART:
            told["out of"].append(name)
    return [f"{where} distribution: {', '.join(names)}" for where, names in told.items() if names]


def _collection(ref: DataRef) -> str:
    """Name the data set that the questions of a data set are from."""
    return COPIES.get((ref.path, ref.config), ref.path)
