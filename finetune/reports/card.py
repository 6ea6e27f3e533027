"""The model card of a checkpoint: what it is, what it was trained on, what it scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from finetune.beside import BASE
from finetune.methods import METHODS
from finetune.reading.recipe_file import dump_recipe
from finetune.recipe import Recipe
from finetune.reports.report import headline_lines
from finetune.sources import base_of
from finetune.stages import MERGED, Documents, Stage, facts_of
from finetune.workspace import Workspace
from harness.errors import printable
from harness.models import adapter_base
from harness.run_files import StoredRun
from harness.whole_files import write_text

CARD = "README.md"
Runs = Mapping[str, StoredRun]
"""What base and checkpoints scored, by name."""


def write_cards(
    recipe: Recipe, workspace: Workspace, stages: Sequence[Stage], documents: Documents, runs: Runs
) -> None:
    """Write a card into the folder of every checkpoint, in place of an earlier one.

    Args:
        stages: those that are told of; others are what was tried and not taken.
        runs: what was scored; empty: nothing.

    Raises:
        OSError: it cannot be written.
    """
    known = {stage.name: stage for stage in stages}
    for folder in workspace.checkpoints():
        name = folder.name.removesuffix(MERGED)
        stage = known.get(name) or Stage(name, folder, facts_of(workspace, name))
        told = replace(stage, checkpoint=folder)
        write_text(folder / CARD, card(recipe, told, documents, runs))


def card(recipe: Recipe, stage: Stage, documents: Documents, runs: Runs) -> str:
    """Write the card as Markdown with the hub's YAML head."""
    method = METHODS[recipe.method]
    split, kept = documents.split, documents.kept
    parts = [
        _head(recipe, stage.checkpoint),
        f"# {_plain(_title(recipe))}, {stage.name} of {method.title}\n",
        f"Trained from {_origin(recipe)} with selfcheck by {method.title} ({method.paper})."
        f"{_beside(stage)}\n",
        "## Data\n",
        f"{_plain(str(split.ref))}: {len(kept.docs)} documents, fingerprint of the split "
        f"`{split.fingerprint[:16]}`; {len(kept.leaked)} left out because they match a document "
        "that is scored.\n",
        _facts(stage),
        _scores(runs.get(BASE), runs.get(stage.name)),
        f"## Recipe\n\n```yaml\n{dump_recipe(recipe).strip()}\n```\n",
    ]
    return "\n".join(parts)


def _title(recipe: Recipe) -> str:
    scratch = recipe.model.scratch
    return f"{scratch.type} from random weights" if scratch else Path(base_of(recipe)).name


def _origin(recipe: Recipe) -> str:
    """Say what there was before training."""
    name, scratch = f"`{_plain(recipe.model.name)}`", recipe.model.scratch
    if scratch is None:
        return name
    kind = _plain(scratch.type)
    return f"random weights (`{kind}`, seed {scratch.seed}; the tokenizer of {name})"


def _beside(stage: Stage) -> str:
    """Say what was trained to be compared with it."""
    if not stage.baselines:
        return ""
    verb = "baseline is" if len(stage.baselines) == 1 else "baselines are"
    told = " and ".join(f"`{_plain(name)}`" for name in stage.baselines)
    return f" Its {verb} {told}, trained beside it."


def _head(recipe: Recipe, checkpoint: Path) -> str:
    """Write the hub's head: without a base of random weights, of which it has none."""
    below = adapter_base(checkpoint)
    base = json.dumps(below or base_of(recipe))  # JSON strings are YAML's
    library = "transformers" if below is None else "peft"
    lines = [
        *([] if recipe.model.scratch else [f"base_model: {base}"]),
        f"library_name: {library}",
        f"tags: [{', '.join(_tags(recipe))}]",
    ]
    return "\n".join(["---", *lines, "---\n"])


def _tags(recipe: Recipe) -> list[str]:
    of_task = ["text2text-generation"] if recipe.model.architecture == "seq2seq" else []
    return ["selfcheck", recipe.method, *of_task]


def _facts(stage: Stage) -> str:
    rows = [
        f"| {name} | {'-' if value is None else f'{value:g}'} |"
        for name, value in stage.facts.items()
    ]
    return "\n".join(["| training | |", "|---|---|", *rows, ""])


def _scores(base: StoredRun | None, run: StoredRun | None) -> str:
    if run is None:
        return "## Scores\n\nNot measured.\n"
    head = "| task | metric | value | 95% interval | n |\n|---|---|---|---|---|"
    told = f"## Scores\n\n{head}\n" + "\n".join(headline_lines(run)) + "\n"
    if base is not None:
        told += f"\nThe same of the base:\n\n{head}\n" + "\n".join(headline_lines(base)) + "\n"
    return told


def _plain(text: str) -> str:
    """Keep a name from being Markdown."""
    return printable(text).replace("\n", " ").replace("`", "'").replace("|", "/").replace("<", "(")
