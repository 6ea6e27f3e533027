"""Recipes to change, and what reading them says."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

import finetune
from finetune.reading.recipe_file import read_recipe
from harness.errors import ConfigError

SHIPPED = sorted((Path(finetune.__file__).parent / "recipes").glob("*.yaml"))
GRATH: dict[str, Any] = {
    "method": "grath",
    "seed": 17,
    "model": {
        "name": "org/model",
        "revision": "abc",
        "dtype": "bfloat16",
        "chat_template": True,
        "adapter": {"r": 8, "alpha": 16, "dropout": 0.05, "targets": ["q_proj", "v_proj"]},
        "merge": True,
    },
    "data": {
        "questions": "allenai/ai2_arc",
        "config": "ARC-Challenge",
        "split": "train",
        "revision": "def",
        "subset": 200,
        "subset_seed": 1,
        "question": "question",
        "rounds": 2,
        "reference": "pretrained",
    },
    "teacher": {"model": "hf", "args": {"pretrained": "org/teacher"}, "chat_template": True},
    "trainer": {"beta": 0.1, "learning_rate": 5e-4, "max_steps": 9, "disable_dropout": False},
    "score": {
        "tasks": ["selfcheck-truthfulqa"],
        "retention": ["selfcheck-retention"],
        "subset": 100,
        "subset_seed": 2,
        "simulator": {"args": {"pretrained": "org/teacher"}, "chat_template": True},
        "follow_up_count": 5,
        "batch_size": 4,
    },
}
EC_SFT: dict[str, Any] = {
    **GRATH,
    "method": "ec_sft",
    "data": {
        "questions": "ChilleD/StrategyQA",
        "kind": "yes_no",
        "columns": {"question": "question", "answer": "answer"},
        "explanation": "facts",
        "follow_ups": 5,
        "dev": 0.2,
        "learning_rates": [1e-5, 1e-4],
    },
    "trainer": {"num_train_epochs": 2, "per_device_train_batch_size": 4},
}
LAFFI: dict[str, Any] = {
    **GRATH,
    "method": "laffi",
    "data": {
        "questions": "rajpurkar/squad_v2",
        "context": "context",
        "answers": "answers",
        "annotations": None,
        "human_fraction": 0,
        "annotator": "ai",
    },
    "trainer": {"num_train_epochs": 1, "learning_rate": 2e-4},
}
DISTILL: dict[str, Any] = {
    "method": "distill",
    "seed": 17,
    "model": {
        "name": "org/model",
        "architecture": "seq2seq",
        "scratch": {"type": "t5", "config": {"d_model": 32, "num_layers": 1}, "seed": 3},
        "chat_template": False,
        "adapter": None,
    },
    "data": {
        "questions": "google-research/distilling-step-by-step",
        "config": "cqa",
        "kind": "options",
        "explanations": "given",
        "explanation": "rationale",
        "teacher_answer": "llm_label",
        "objectives": ["mt_re", "mt_cot"],
        "controls": ["answer_only"],
        "alpha": 0.25,
    },
    "trainer": {"num_train_epochs": 1, "learning_rate": 1e-3},
    "score": {"tasks": ["sample_reasoning_choice"], "retention": []},
}
LEAST = {
    "method": "grath",
    "model": {"name": "m", "chat_template": False},
    "data": {"questions": "q"},
    "score": {"tasks": ["selfcheck_truthfulqa_mc1"]},
}


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(told: Any) -> str:
    return yaml.dump(told, Dumper=_WithoutAliases, sort_keys=False)


def write(folder: Path, told: Any) -> Path:
    file = folder / "recipe.yaml"
    file.write_text(told if isinstance(told, str) else as_yaml(told), encoding="utf-8")
    return file


def changed(recipe: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    told = copy.deepcopy(recipe)
    inner, *rest = told, *place.split(".")
    for key in rest[:-1]:
        inner = inner[key]
    inner[rest[-1]] = value
    return told


def faults(file: Path, overrides: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_recipe(file, overrides)
    return str(caught.value).splitlines()


def only_fault(file: Path, overrides: tuple[str, ...] = ()) -> str:
    told = faults(file, overrides)
    assert len(told) == 1, told
    return told[0]
