"""lm-eval's own TruthfulQA on a given file, with nothing of ours but the way to the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
from lm_eval import simple_evaluate
from lm_eval.api.task import ConfigurableTask
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from harness.choice_tasks import builtin_file
from harness.data import tasks_path


def stock_truthfulqa(lm: Any, name: str, file: Path, limit: int) -> list[dict[str, Any]]:
    """Evaluate stock `truthfulqa_mc1` or `_mc2` on the first documents of a file: its samples."""
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

    class Stock(ConfigurableTask):
        def download(self, *_, **__):
            self.dataset = {"validation": datasets.Dataset.from_list(rows)}

    config = load_yaml(builtin_file(f"truthfulqa/truthfulqa_{name}.yaml"))
    config.pop("tag", None)
    manager = TaskManager(include_path=tasks_path(), include_defaults=False)
    told = simple_evaluate(lm, tasks=[Stock(config=config)], task_manager=manager, limit=limit)
    return told["samples"][f"truthfulqa_{name}"]
