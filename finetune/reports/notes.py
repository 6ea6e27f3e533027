"""What a reader of the scores should know of how training set and scores were made."""

from __future__ import annotations

from collections.abc import Mapping

from finetune.asking import teacher_of
from finetune.recipe import EcSftData, Recipe
from finetune.scoring import simulator_of
from finetune.teacher import Teacher
from finetune.writing.consistent_answers import consistency_prompts
from harness.base_task import SelfcheckTask
from harness.consistency_task import ConsistencyTask

PROBE = {"question": "Is water wet?", "answers": "yes or no"}


def notes_on(recipe: Recipe, tasks: Mapping[str, SelfcheckTask]) -> list[str]:
    """Say whether the one who wrote the training set simulates, too, and in the same words.

    Args:
        tasks: that are scored.
    """
    simulated = {name: task for name, task in tasks.items() if isinstance(task, ConsistencyTask)}
    if not simulated:
        return []
    return [_simulator_note(recipe), *_template_notes(recipe, simulated)]


def _simulator_note(recipe: Recipe) -> str:
    teacher, simulator = teacher_of(recipe), Teacher.of(simulator_of(recipe))
    same = teacher.identity() == simulator.identity()
    who = "the one that wrote the training set"
    return f"the simulator ({simulator.label}) is {who if same else f'another model than {who}'}"


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
