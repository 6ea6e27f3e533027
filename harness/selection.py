"""Which tasks a run takes, and which of their documents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data import missing, tasks_path
from harness.errors import ConfigError, MissingDataError, SelfcheckError, unknown
from harness.sound_yaml import read_text

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager

    from harness.base_task import SelfcheckTask


def build_manager(
    include_path: Sequence[str | Path] = (), metadata: Mapping[str, Any] | None = None
) -> TaskManager:
    """Index our task files, and those in other folders; lm-eval's own 13,000 take many seconds.

    Args:
        include_path: the other folders.
        metadata: handed to every task, which reads the keys it knows.

    Raises:
        ConfigError: one of the folders is not there, or holds a file that is not YAML: lm-eval
            would leave it out without a word, or not survive it.
    """
    from lm_eval.tasks import TaskManager

    for folder in include_path:
        if not Path(folder).is_dir():
            raise ConfigError(f"--include_path {folder}: there is no such folder")
        _check_files(Path(folder))
    folders = [tasks_path(), *include_path]
    return TaskManager(include_path=folders, include_defaults=False, metadata=dict(metadata or {}))


def _check_files(folder: Path) -> None:
    from lm_eval.tasks._yaml_loader import load_yaml

    for file in sorted(folder.rglob("*.yaml")):
        try:
            read_text(file)
            told = load_yaml(file, resolve_func=False)
        except Exception as err:
            raise ConfigError(f"{file}: cannot be read as a task file: {err}") from err
        if not isinstance(told, dict):
            raise ConfigError(f"{file}: is no task file: it holds no keys and values")
        if not isinstance(told.get("task", ""), (str, list)):  # lm-eval could not sort its names
            raise ConfigError(f"{file}: task must be a name, got {told['task']!r:.80}")


def load_tasks(names: Sequence[str], manager: TaskManager) -> dict[str, Any]:
    """Build tasks by name, in order.

    Raises:
        ConfigError: what their files say is no task; names the file.
    """
    try:
        return dict(manager.load(list(names))["tasks"])
    except SelfcheckError:
        raise
    except Exception as err:
        raise ConfigError(_told_of(names, manager) or str(err)) from err


def _told_of(names: Sequence[str], manager: TaskManager) -> str | None:
    """Say which of the files it is that is no task's, and why."""
    for name in names:
        try:
            manager.load([name])
        except Exception as err:
            file = manager.task_index[name].yaml_path
            return f"{file}: cannot be made a task: {type(err).__name__}: {err}"
    return None


def match_names(patterns: Iterable[str], manager: TaskManager) -> list[str]:
    """Find the tasks that names, tags and glob patterns mean, in order, each once.

    Raises:
        ConfigError: names every pattern that means nothing, with the nearest name.
    """
    tags = {tag: sorted(manager.task_index[tag].tags) for tag in manager.all_tags}
    names, faults = [], []
    for pattern in patterns:
        found = [
            leaf
            for name in [*manager.all_subtasks, *tags]
            if fnmatchcase(name, pattern)
            for leaf in tags.get(name, [name])
        ]
        names += found
        if not found:
            faults.append(unknown("task", pattern, [*manager.all_subtasks, *tags]))
    if faults:
        raise ConfigError("\n".join(faults))
    return list(dict.fromkeys(names))


def drop_unavailable(
    tasks: Mapping[str, SelfcheckTask],
) -> tuple[dict[str, SelfcheckTask], list[str]]:
    """Leave out tasks whose data is nowhere to be had; give what is left, and a line on the others.

    Raises:
        MissingDataError: nothing is left.
    """
    lacking = missing({ref for task in tasks.values() for ref in task.refs})
    left = {name: task for name, task in tasks.items() if not task.refs & set(lacking)}
    if not left:
        raise MissingDataError("\n".join(str(fault) for fault in lacking.values()))
    dropped = [
        f"{name} (no data: {', '.join(sorted(map(str, task.refs & set(lacking))))})"
        for name, task in tasks.items()
        if name not in left
    ]
    return left, dropped


def draw_subset(hashes: Sequence[str], size: int, seed: int) -> list[int]:
    """Draw documents: the same ones for every model, machine and order of the data.

    Args:
        hashes: one per document.
        size: how many to draw; all if there are no more.
        seed: another seed draws others.

    Returns:
        Ascending indices: lm-eval mislabels documents otherwise.
    """
    return sorted(drawing_order(hashes, seed)[:size])


def drawing_order(hashes: Sequence[str], seed: int) -> list[int]:
    """Give the indices of documents in the order in which `draw_subset` takes them."""

    def rank(place: int) -> str:
        return hashlib.sha256(f"{seed} {hashes[place]}".encode()).hexdigest()

    return sorted(range(len(hashes)), key=rank)
