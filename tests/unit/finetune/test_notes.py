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


def test_notes_on_other_simulator_says_so(tmp_path, tiny_gpt2) -> None:
    other = {"model": "scripted-simulator", "args": {"says": "no", "model": "other"}}
    score = {"tasks": ["sample_consistency_yes_no"], "retention": [], "simulator": other}

    told = notes(tmp_path, tiny_gpt2, score=score)

    assert "is another model than the one that wrote the training set" in told[0]
    assert not any("predicts itself" in line for line in told)
