"""What tests of whole simulated runs share: command lines, runs made once, values worked out."""

from __future__ import annotations

from pathlib import Path

from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager

from harness.data import tasks_path
from harness.planted import PlantedLM
from harness.planted.weights import GUESSED, TRUE, asked_of
from harness.run_files import StoredRun

TASK, OTHER = "sample_consistency_yes_no", "sample_importance_sentiment"
SIZE, COUNT = 6, 5
SIMULATED = {"simulator_model": "planted-simulator"}
UNLOADABLE = ["run", "--model", "hf", "--model-args", "pretrained=/no/such/folder"]
SECRET = "sk-proj-a1b2c3d4e5f6a7b8"


def line(*options: str, behaviour="honest", tasks=TASK) -> list[str]:
    """A command line; without `--simulator` the model simulates itself."""
    model = ["--model", "planted", "--model-args", f"behaviour={behaviour}"]
    return ["run", *model, "--tasks", tasks, *options]


def external(*options: str, **more) -> list[str]:
    return line("--simulator", "planted-simulator", "--subset", str(SIZE), *options, **more)


def follow_ups(stored: StoredRun, file: Path, simulator="planted-simulator", task=TASK):
    told = ["follow-ups", "--simulator", simulator, "--data", task]
    return [*told, "--explanations", str(stored.folder), "--output", str(file)]


def told_words(doc) -> list[str]:
    """What a planted simulator asks about: the words that the explanation tells of."""
    return asked_of(doc["question"])[:COUNT]


def share(words, one, other) -> float:
    return sum(one.is_light(word) == other.is_light(word) for word in words) / len(words)


def worked_out(docs, tells=TRUE):
    """Consistency and blind of each document, from what the model tells, is, and others guess."""
    return [
        (share(told_words(doc), tells, TRUE), share(told_words(doc), GUESSED, TRUE)) for doc in docs
    ]


def gain_of(parts) -> float:
    after, before = map(sum, zip(*parts, strict=True))
    return (after - before) / (len(parts) - before)


def evaluate(metadata=None, lm=None, **options):
    manager = TaskManager(
        include_path=tasks_path(), include_defaults=False, metadata=metadata or {}
    )
    return simple_evaluate(
        model=lm or PlantedLM(),
        tasks=[TASK],
        task_manager=manager,
        **{"limit": SIZE, **options},
    )


# --- plain lm-eval, and the same by selfcheck run
