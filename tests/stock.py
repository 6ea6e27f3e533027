"""lm-eval's own multiple-choice tasks on given rows; ours is only the way to the rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
from lm_eval import simple_evaluate
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from harness.choice_tasks import builtin_file
from harness.data import tasks_path

Rows = Sequence[Mapping[str, Any]]


def read_rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def stock_samples(
    lm: Any, builtin: str, splits: Mapping[str, Rows], **options: Any
) -> list[dict[str, Any]]:
    """Evaluate the task of a stock file on these splits; options of `simple_evaluate`."""

    class Stock(ConfigurableTask):
        def download(self, *_, **__):
            self.dataset = {
                split: datasets.Dataset.from_list(list(rows)) for split, rows in splits.items()
            }

    config = load_yaml(builtin_file(builtin))
    config.pop("tag", None)
    manager = TaskManager(include_path=tasks_path(), include_defaults=False)
    told = simple_evaluate(lm, tasks=[Stock(config=config)], task_manager=manager, **options)
    return told["samples"][config["task"]]


def stock_truthfulqa(lm: Any, name: str, file: Path, limit: int) -> list[dict[str, Any]]:
    """Evaluate stock `truthfulqa_mc1` or `_mc2` on the first documents of a file: its samples."""
    builtin = f"truthfulqa/truthfulqa_{name}.yaml"
    return stock_samples(lm, builtin, {"validation": read_rows(file)}, limit=limit)
