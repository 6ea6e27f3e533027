"""The subcommand that trains: finetune, once or as a sweep."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from harness.commands.engines import add_engine, engine
from harness.commands.options import add_command, add_option, add_pickles
from harness.errors import printable

EPILOG = """\
example:
  selfcheck finetune grath_sample --output grath-sample
  selfcheck finetune recipe.yaml --set trainer.max_steps=10 --set model.adapter.r=16 --dry-run
  selfcheck finetune recipe.yaml --sweep data.alpha=0.3,0.7 --seeds 1,2,3 --output swept
  accelerate launch $(which selfcheck) finetune recipe.yaml --output tuned

The same command goes on where an earlier one was stopped. DIR gets the checkpoints (with model
cards), training rows, run records of base and checkpoints, their comparison, and a board.

With --sweep or --seeds each setting of the swept values is trained with each seed, one after
another, in DIR/members/NAME; DIR gets tables of means and deviations over the seeds (sweep.csv), of
all members with their intervals over documents (members.csv), and a board of all results. A seed
changes `seed` of the recipe alone: the documents stay the same. The base is scored once. A member
that fails is told of (exit status 1), and the others go on. score.*, method and seed are not swept.
Values are YAML; a list is one value: --sweep 'data.learning_rates=[1.0e-5],[3.0e-5]'.

With --engine ray base and checkpoints are scored on workers, which stay from one to the next; they
must reach DIR under the same path. Training stays in the process that runs the command."""


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
    add_option(
        parser, "sweep", action="append", default=[], metavar="A.B=VALUE,VALUE",
        help="train with each of the values; given again: with all combinations",
    )  # fmt: skip
    add_option(parser, "seeds", metavar="N,N", help="train with each of these seeds")
    add_option(parser, "dry-run", action="store_true", help="say what would be done")
    add_option(parser, "no-score", action="store_true", help="train only")
    add_pickles(parser)
    add_engine(parser)


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
        compared: whether the first is the base of all others.
    """

    status: int
    runs: Mapping[str, Path] = MappingProxyType({})
    folder: Path = Path()
    compared: bool = True


def finetune(args: argparse.Namespace) -> Done:
    """Train, score and compare, or do so for each member of a sweep; or say what would be done."""
    if args.sweep or args.seeds is not None:
        return _sweep(args)
    from finetune.reading.recipe_file import read_recipe, recipe_digest

    recipe = read_recipe(find_recipe(args.recipe), args.set)
    if args.dry_run:
        from finetune.reports.plan import lines, plan

        _say(lines(plan(recipe), recipe))
        return Done(0)
    from finetune.finetuning import finetune as run
    from finetune.reports.report import show
    from harness.compare.output import WIDTH
    from harness.report import print_all

    folder = args.output or Path("finetuned") / f"{args.recipe.stem}-{recipe_digest(recipe)[:8]}"
    with engine(args):
        report = run(recipe, folder, scored=not args.no_score)
    if report is None:
        return Done(0)
    print_all(show(report, folder.resolve()), WIDTH)
    runs = {name: run.folder for name, run in report.runs.items()}
    return Done(int(report.failed), runs, folder.resolve())


def _sweep(args: argparse.Namespace) -> Done:
    from finetune.sweeps.members import read_members, sweep_digest

    members = read_members(find_recipe(args.recipe), args.set, args.sweep, args.seeds)
    name = f"{args.recipe.stem}-sweep-{sweep_digest(members)[:8]}"
    folder = args.output or Path("finetuned") / name
    if args.dry_run:
        from finetune.sweeps.dry_run import plan_sweep

        _say(plan_sweep(members, folder, scored=not args.no_score))
        return Done(0)
    from finetune.reports.sweep import build_sweep_report, show_sweep
    from finetune.reports.sweep_csv import write_sweep_report
    from finetune.sweeps.sweep import sweep
    from harness.compare.output import WIDTH
    from harness.report import print_all

    with engine(args):
        swept = sweep(members, folder, scored=not args.no_score)
    if swept is None:
        return Done(0)
    report = build_sweep_report(swept)
    write_sweep_report(report, folder)
    print_all(show_sweep(report, folder.resolve()), WIDTH)
    runs = {name: run.folder for name, run in report.runs.items()}
    return Done(int(bool(report.failures)), runs, folder.resolve(), len(report.bases) == 1)


def _say(lines: list[str]) -> None:
    if os.environ.get("RANK", "0") == "0":
        print("\n".join(map(printable, lines)))
