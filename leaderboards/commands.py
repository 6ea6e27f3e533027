"""The command `selfcheck board`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

EPILOG = """\
example:
  selfcheck board runs/base tuned=runs/20260301-hf --base base --output boards/tuned

RUN is the folder of a run, and NAME what the board calls its model: the folder's name if not
given. Runs of one name are joined. All models must have been scored on the same documents.
DIR gets long.csv (every metric), wide.csv (a row per model) and board.md."""


def register(subparsers: Any) -> None:
    """Add the subcommands of the leaderboards."""
    summary = "rank models by their runs"
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "board",
        help=summary,
        description=f"{summary.capitalize()}.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("runs", nargs="+", metavar="[NAME=]RUN", help="folders of runs")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="folder for the board"
    )
    parser.add_argument("--base", metavar="NAME", help="compare every other model with this one")
    parser.add_argument(
        "--tasks", nargs="+", default=["*"], metavar="TASK", help="only these names or patterns"
    )
    parser.set_defaults(execute=board)


def board(args: argparse.Namespace, rest: list[str]) -> int:
    """Build a board, write it and show the ranking."""
    from leaderboards.board import build_board
    from leaderboards.entries import read_entries
    from leaderboards.folder import check_output, write_board
    from leaderboards.markdown import one_line, ranking_table

    check_output(args.output)
    patterns = [pattern for words in args.tasks for pattern in words.split(",") if pattern]
    built = build_board(read_entries(args.runs), args.base, patterns)
    files = write_board(built, args.output)
    print(ranking_table(built, one_line))
    for note in built.notes:
        print(one_line(note))
    print(f"\n{one_line(built.rule)}\n{one_line(built.base_rule)}\n")
    for file in files:
        print(one_line(str(file)))
    return 0
