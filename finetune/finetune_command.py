"""The subcommand that trains: finetune."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from harness.commands.options import add_command, add_option

EPILOG = """\
example:
  selfcheck finetune grath_sample --output grath-sample
  selfcheck finetune recipe.yaml --set trainer.max_steps=10 --set model.adapter.r=16 --dry-run
  accelerate launch $(which selfcheck) finetune recipe.yaml --output tuned

The same command goes on where an earlier one was stopped. DIR gets the checkpoints (with model
cards), training rows, run records of base and checkpoints, their comparison, and a board."""


RECIPES = Path(__file__).parent / "recipes"


def add_finetune(subparsers: Any, execute: Any) -> None:
    """Add the subcommand."""
    summary = "train a model by a recipe, score it, and compare it with what it was"
    add_command(subparsers, "finetune", execute, summary, EPILOG, _options)


def _options(parser: argparse.ArgumentParser) -> None:
    ours = ", ".join(sorted(file.stem for file in RECIPES.glob("*.yaml")))
    told = f"a YAML file, or one of {ours}"
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help=told)
    add_option(parser, "output", type=Path, metavar="DIR", help="default: finetuned/NAME-DIGEST")
    add_option(
        parser, "set", action="append", default=[], metavar="A.B=VALUE", help="instead of the file"
    )
    add_option(parser, "dry-run", action="store_true", help="say what would be done")
    add_option(parser, "no-score", action="store_true", help="train only")


def find_recipe(told: Path) -> Path:
    """Give the file of a recipe: as it is, or one of ours by its name."""
    ours = RECIPES / f"{told}.yaml"
    return ours if ours.is_file() and not told.exists() and told.name == str(told) else told


class Done(NamedTuple):
    """What the command came to.

    Attributes:
        status: of its exit.
        runs: to make a board of, the base first: name -> folder.
        folder: where everything is.
    """

    status: int
    runs: Mapping[str, Path] = MappingProxyType({})
    folder: Path = Path()


def finetune(args: argparse.Namespace) -> Done:
    """Train, score and compare; or say what would be done."""
    from finetune.reading.recipe_file import read_recipe, recipe_digest

    recipe = read_recipe(find_recipe(args.recipe), args.set)
    if args.dry_run:
        from finetune.reports.plan import lines, plan

        told = lines(plan(recipe), recipe)
        if os.environ.get("RANK", "0") == "0":
            print("\n".join(told))
        return Done(0)
    from finetune.finetuning import finetune as run
    from finetune.reports.report import show
    from harness.compare.output import WIDTH
    from harness.report import print_all

    folder = args.output or Path("finetuned") / f"{args.recipe.stem}-{recipe_digest(recipe)[:8]}"
    report = run(recipe, folder, scored=not args.no_score)
    if report is None:
        return Done(0)
    print_all(show(report, folder.resolve()), WIDTH)
    runs = {name: run.folder for name, run in report.runs.items()}
    return Done(int(report.failed), runs, folder.resolve())
