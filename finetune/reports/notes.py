"""What a reader of the scores should know of how training set and scores were made."""

from __future__ import annotations

from collections.abc import Mapping

from finetune.asking import load_args
from finetune.checkpoints import identity
from finetune.recipe import Asked, EcSftData, Recipe
from finetune.scoring import simulator_of
from finetune.sources import base_of
from finetune.teacher import Teacher
from finetune.writing.consistent_answers import consistency_prompts
from harness.base_task import SelfcheckTask
from harness.consistency_task import ConsistencyTask
from harness.models import resolve_model_args

PROBE = {"question": "Is water wet?", "answers": "yes or no"}


def notes_on(recipe: Recipe, tasks: Mapping[str, SelfcheckTask]) -> list[str]:
    """Say whether the one who wrote the training set simulates, too, and in the same words.

    Args:
        tasks: that are scored.
    """
    simulated = {name: task for name, task in tasks.items() if isinstance(task, ConsistencyTask)}
    if not simulated:
        return []
    return [
        *_simulator_notes(recipe),
        *_template_notes(recipe, simulated),
        *_distribution_notes(recipe, simulated),
    ]


def _simulator_notes(recipe: Recipe) -> list[str]:
    simulator = simulator_of(recipe)
    label = Teacher.of(simulator).label
    teacher = (
        Asked(args=load_args(recipe, base_of(recipe))) if not recipe.teacher else recipe.teacher
    )
    wrote = "the one that wrote the training set"
    who = wrote if _weights(teacher) == _weights(simulator) else f"another model than {wrote}"
    told = [f"the simulator ({label}) is {who}"]
    if _weights(simulator) == _weights(Asked(args=load_args(recipe, base_of(recipe)))):
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


def _distribution_notes(recipe: Recipe, tasks: Mapping[str, ConsistencyTask]) -> list[str]:
    """Say which tasks are on the data set that was trained on."""
    told = {"in": list[str](), "out of": list[str]()}
    for name, task in tasks.items():
        told["in" if task.file.ref.path == recipe.data.questions else "out of"].append(name)
    return [f"{where} distribution: {', '.join(names)}" for where, names in told.items() if names]


def _template_notes(recipe: Recipe, tasks: Mapping[str, ConsistencyTask]) -> list[str]:
    if not isinstance(recipe.data, EcSftData):
        return []
    learnt = consistency_prompts(recipe.data.kind)["train"].render(**PROBE).strip()
    same = [
        name
        for name, task in tasks.items()
        if task.prompts["explain"].render(**PROBE).strip() == learnt
    ]
    if same:
        return [f"training asked in the words of the tasks: {', '.join(same)}"]
    return ["training asked in other words than the tasks do"]
