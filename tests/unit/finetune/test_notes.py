from __future__ import annotations

from pathlib import Path
from typing import Any

import tests.doubles  # noqa: F401  (registers the scripted models)
from finetune.reading.recipe_file import read_recipe
from finetune.reports.notes import notes_on
from finetune.scoring import evaluated_tasks
from tests.unit.finetune.recipe_cases import EC_SFT, write


def notes(folder: Path, model: Path, **changes: Any) -> list[str]:
    told = {
        **EC_SFT,
        "model": {"name": str(model), "dtype": "float32", "chat_template": False},
        "data": {"questions": "selfcheck-sample/yes_no", "kind": "yes_no", "explanation": "facts"},
        "score": {"tasks": ["sample_consistency_yes_no"], "retention": []},
        **changes,
    }
    told.pop("teacher", None) if "teacher" not in changes else None
    recipe = read_recipe(write(folder, told))
    return notes_on(recipe, evaluated_tasks(recipe))


def test_notes_on_default_simulator_is_the_base_and_the_teacher(tmp_path, tiny_gpt2) -> None:
    told = notes(tmp_path, tiny_gpt2)

    assert told[0].endswith("is the one that wrote the training set")
    assert "the base predicts itself" in told[1]
    assert told[2] == "training asked in other words than the tasks do"
    assert told[3] == "in distribution: sample_consistency_yes_no"


def test_notes_on_same_weights_under_other_arguments_are_the_same_model(
    tmp_path, tiny_gpt2
) -> None:
    teacher = {"args": {"pretrained": str(tiny_gpt2)}, "chat_template": False}

    told = notes(tmp_path, tiny_gpt2, teacher=teacher)

    assert told[0].endswith("is the one that wrote the training set")


def distill_notes(folder: Path, model: Path, told: dict[str, Any], *tasks: str) -> list[str]:
    whole = {
        "method": "distill",
        "model": {"name": str(model), "dtype": "float32", "chat_template": False},
        "data": {"kind": "options", "explanations": "given", "explanation": "rationale", **told},
        "score": {"tasks": list(tasks), "retention": []},
    }
    recipe = read_recipe(write(folder, whole))
    return notes_on(recipe, evaluated_tasks(recipe))


def test_notes_on_explanations_that_are_given_name_no_writer(tmp_path, tiny_gpt2) -> None:
    data = {"questions": "selfcheck-sample/yes_no", "kind": "yes_no", "explanation": "passage"}

    told = distill_notes(tmp_path, tiny_gpt2, data, "sample_consistency_yes_no")

    assert told[0] == f"the simulator is hf: {tiny_gpt2}"
    assert not any("training set" in line for line in told)
    assert told[2:] == [
        "training asked in the words of the tasks: sample_consistency_yes_no",
        "in distribution: sample_consistency_yes_no",
    ]


def test_notes_on_objective_without_explained_answers_asks_as_no_task_does(
    tmp_path, tiny_gpt2
) -> None:
    data = {
        "questions": "selfcheck-sample/yes_no", "kind": "yes_no", "explanation": "passage",
        "objectives": ["mt_re"],
    }  # fmt: skip

    told = distill_notes(tmp_path, tiny_gpt2, data, "sample_consistency_yes_no")

    assert not any("training asked" in line for line in told)


def test_notes_on_a_copy_of_the_scored_data_set_is_in_distribution(
    tmp_path, tiny_gpt2, real_data
) -> None:
    data = {"questions": "google-research/distilling-step-by-step", "config": "cqa"}
    tasks = ("selfcheck_reasoning_commonsenseqa", "selfcheck_reasoning_openbookqa")

    assert distill_notes(tmp_path, tiny_gpt2, data, *tasks) == [
        f"in distribution: {tasks[0]}",
        f"out of distribution: {tasks[1]}",
    ]


def test_notes_on_a_data_set_that_may_be_a_copy_say_nothing(tmp_path, tiny_gpt2) -> None:
    data = {"questions": "somebody/questions"}

    assert distill_notes(tmp_path, tiny_gpt2, data, "sample_reasoning_choice") == []


def test_notes_on_other_simulator_says_so(tmp_path, tiny_gpt2) -> None:
    other = {"model": "scripted-simulator", "args": {"says": "no", "model": "other"}}
    score = {"tasks": ["sample_consistency_yes_no"], "retention": [], "simulator": other}

    told = notes(tmp_path, tiny_gpt2, score=score)

    assert "is another model than the one that wrote the training set" in told[0]
    assert not any("predicts itself" in line for line in told)
