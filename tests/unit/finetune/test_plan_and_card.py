"""What is said of a recipe before and after it is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from finetune.finetuning import find_documents
from finetune.reading.recipe_file import read_recipe
from finetune.recipe import Recipe
from finetune.reports.card import card
from finetune.reports.plan import lines, plan
from finetune.scoring import evaluated_tasks
from finetune.sources import base_of
from finetune.stages import Stage
from tests.tiny import byte_tokenizer
from tests.unit.finetune.recipe_cases import changed, write

SCRATCH = {"type": "t5", "config": {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1}}
DISTILL: dict[str, Any] = {
    "method": "distill",
    "model": {"architecture": "seq2seq", "scratch": SCRATCH, "dtype": "float32",
              "chat_template": False, "adapter": None},
    "data": {"questions": "selfcheck-sample/rationales", "kind": "options", "subset": 20,
             "explanations": "given", "explanation": "rationale"},
    "trainer": {"per_device_train_batch_size": 4, "num_train_epochs": 2},
    "score": {"tasks": ["sample_reasoning_yes_no"], "retention": [], "subset": 5},
}  # fmt: skip


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Any]:
    byte_tokenizer().save_pretrained(tmp_path / "tokenizer")
    return changed(DISTILL, "model.name", str(tmp_path / "tokenizer"))


def planned(recipe: Recipe) -> dict[str, str]:
    return {line[:11].strip(): line[12:] for line in lines(plan(recipe), recipe)}


def a_card(recipe: Recipe, stage: Stage) -> str:
    return card(recipe, stage, find_documents(recipe, evaluated_tasks(recipe)), {})


def test_lines_say_what_random_weights_are_and_that_trainings_are_equal(
    tmp_path: Path, told: dict[str, Any]
) -> None:
    """An objective and two controls; 20 rows in batches of 4, twice: 10 steps."""
    said = planned(read_recipe(write(tmp_path, told)))

    assert said["method"] == "distill, 3 objectives and controls"
    assert said["model"] == (
        "random t5, of encoder and decoder, of seed 0; with the tokenizer of "
        f"{tmp_path / 'tokenizer'}"
    )
    assert said["training"] == "at most 20 rows and 10 steps, 3 times, the same in each"
    assert "teacher" not in said


def test_lines_name_the_teacher_where_one_writes(
    tmp_path: Path, told: dict[str, Any], tiny_gpt2: Path
) -> None:
    asked = changed(told, "model", {"name": str(tiny_gpt2), "chat_template": False})
    asked = changed(changed(asked, "data.explanations", "rp"), "data.explanation", None)

    said = planned(read_recipe(write(tmp_path, asked)))

    assert said["teacher"] == f"hf: {tiny_gpt2}"
    assert said["model"] == f"{tiny_gpt2}, decoder only"


def test_card_of_random_weights_names_no_base(tmp_path: Path, told: dict[str, Any]) -> None:
    recipe = read_recipe(write(tmp_path, told))

    text = a_card(recipe, Stage("mt-cot", tmp_path, {"steps": 3}, ("answer-only",)))

    head = yaml.safe_load(text.split("---\n")[1])
    assert head == {
        "library_name": "transformers",
        "tags": ["selfcheck", "distill", "text2text-generation"],
    }
    assert "# t5 from random weights, mt-cot of explanation distillation" in text
    assert f"Trained from random weights (`t5`, seed 0; the tokenizer of `{tmp_path}" in text
    assert "Its baseline is `answer-only`, trained beside it." in text


def test_card_names_all_baselines(tmp_path: Path, told: dict[str, Any]) -> None:
    stage = Stage("mt-cot", tmp_path, {}, ("answer-only", "mt-cot-shuffled"))

    text = a_card(read_recipe(write(tmp_path, told)), stage)

    assert "Its baselines are `answer-only` and `mt-cot-shuffled`, trained beside it." in text


def test_card_of_a_known_model_names_it(
    tmp_path: Path, told: dict[str, Any], tiny_gpt2: Path
) -> None:
    recipe = read_recipe(write(tmp_path, told))
    known = replace(recipe.model, name=str(tiny_gpt2), scratch=None, architecture="causal")
    recipe = replace(recipe, model=known)

    text = a_card(recipe, Stage("answer-only", tmp_path, {}))

    head = yaml.safe_load(text.split("---\n")[1])
    assert (head["base_model"], head["tags"]) == (base_of(recipe), ["selfcheck", "distill"])
    assert f"Trained from `{tiny_gpt2}` with selfcheck" in text
    assert "baseline" not in text
