"""The output folder of a finetuning; the same command goes on where an earlier one ended.

recipe.yaml              the recipe, all defaults written out
data/NAME.jsonl          training rows, with where they are from
data/feedback.jsonl      LaFFi's: who gave each row's feedback, and what they said of which answer
                         (`finetune.writing.given_feedback`)
training/NAME/           the trainer's own folder, from which a killed training goes on
training/NAME.json       what the finished training NAME was (`finetune.stages.Facts`)
checkpoints/NAME/        its weights: an adapter or a whole model, with tokenizer and model card
runs/NAME/               what base and checkpoints scored (run records)
progress.csv, comparison*.txt, comparison*.csv, training.json, board/
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from finetune.reading.recipe_file import dump_recipe, read_recipe
from finetune.recipe import Recipe
from harness.errors import ConfigError
from harness.whole_files import is_partial, write_text

RECIPE = "recipe.yaml"
LOCK = ".lock"


@dataclass(frozen=True)
class Workspace:
    """The folder, and where everything in it is."""

    folder: Path

    def rows(self, name: str) -> Path:
        """Give the file of training rows."""
        return self.folder / "data" / f"{name}.jsonl"

    def feedback(self) -> Path:
        """Give the file that says who gave which feedback."""
        return self.folder / "data" / "feedback.jsonl"

    def training(self, name: str) -> Path:
        """Give the trainer's own folder."""
        return self.folder / "training" / name

    def facts(self, name: str) -> Path:
        """Give the file that says what a finished training was."""
        return self.folder / "training" / f"{name}.json"

    def checkpoint(self, name: str) -> Path:
        """Give the folder of finished weights."""
        return self.folder / "checkpoints" / name

    def run(self, name: str) -> Path:
        """Give the folder of a run."""
        return self.folder / "runs" / name

    def checkpoints(self) -> list[Path]:
        """Give the folders of all finished weights."""
        return sorted(path for path in (self.folder / "checkpoints").iterdir() if path.is_dir())

    def lock(self) -> FileLock:
        """Take the folder for this process.

        Raises:
            ConfigError: another process has it.
        """
        lock = FileLock(self.folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as err:
            raise ConfigError(f"--output {self.folder}: another selfcheck works in it") from err
        return lock


def check_free(folder: Path, recipe: Recipe) -> None:
    """Refuse a folder that holds anything but an earlier run of the same recipe.

    Raises:
        ConfigError: so it is, and says what differs; or it cannot be read.
    """
    file = folder / RECIPE
    try:
        held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    except OSError as err:
        raise ConfigError(f"--output {folder}: cannot be read: {err.strerror}") from err
    held = {name for name in held if name != LOCK and not is_partial(name, RECIPE)}
    if not folder.exists() or (folder.is_dir() and not held):
        return
    if not file.is_file():
        raise ConfigError(
            f"--output {folder}: holds something else; give a new or an empty folder, or that of "
            "an earlier run of this recipe, which then goes on"
        )
    there, here = asdict(read_recipe(file, annotated=False)), asdict(recipe)
    if there != here:
        told = "\n".join(
            f"  {place}: {a!r} there, {b!r} here" for place, a, b in _differ(there, here)
        )
        raise ConfigError(
            f"--output {folder}: holds a run of another recipe; give another folder:\n{told}"
        )


@contextmanager
def open_workspace(folder: Path, recipe: Recipe) -> Iterator[Workspace]:
    """Make the folder, or go on in it, for this process alone.

    Raises:
        ConfigError: as `check_free`, or it cannot be written, or another process has it.
    """
    workspace = Workspace(folder.resolve())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = workspace.lock()
    except OSError as err:
        raise ConfigError(f"--output {folder}: cannot be written: {err.strerror}") from err
    try:
        check_free(folder, recipe)
        _fill(folder, recipe)
        yield workspace
    finally:
        lock.release()


def _fill(folder: Path, recipe: Recipe) -> None:
    try:
        write_text(folder / RECIPE, dump_recipe(recipe))  # first: it tells whose the rest is
        for name in ("data", "training", "checkpoints", "runs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(f"--output {folder}: cannot be written: {err.strerror}") from err


def _differ(there: Any, here: Any, place: str = "") -> list[tuple[str, Any, Any]]:
    if isinstance(there, dict) and isinstance(here, dict):
        names = dict.fromkeys([*there, *here])
        parts = [
            _differ(there.get(name), here.get(name), f"{place}.{name}" if place else name)
            for name in names
        ]
        return [one for part in parts for one in part]
    return [] if there == here else [(place, there, here)]
