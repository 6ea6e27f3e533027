"""The command `selfcheck board`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from harness.errors import ConfigError

EPILOG = """\
example:
  selfcheck board runs/base tuned=runs/20260301-hf --base base --output boards/tuned

RUN is the folder of a run, and NAME what the board calls its model: the folder's name if not
given. Runs of one name are joined. All models must have been scored on the same documents.
DIR gets long.csv (every metric), wide.csv (a row per model) and board.md; with --html also
board.html, a page that needs no network: tables, plots, and the samples to read."""
MOST = 1000.0
MEGABYTE = 1_000_000


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
    parser.add_argument("--html", action="store_true", help="write the web page, too")
    parser.add_argument(
        "--samples-limit", "--samples_limit", type=float, metavar="MB",
        help="most that samples may take in the page; 0: none (default: 20)",
    )  # fmt: skip
    parser.set_defaults(execute=board)


def board(args: argparse.Namespace, rest: list[str]) -> int:
    """Build a board, write it and show the ranking."""
    from leaderboards.board import build_board
    from leaderboards.entries import read_entries
    from leaderboards.folder import check_output, write_board
    from leaderboards.markdown import one_line, ranking_table
    from leaderboards.page import render_page

    room = _samples_room(args)
    check_output(args.output)
    patterns = [pattern for words in args.tasks for pattern in words.split(",") if pattern]
    entries = read_entries(args.runs)
    built = build_board(entries, args.base, patterns)
    page = None if room is None else render_page(built, entries, room)
    files = write_board(built, args.output, page)
    print(ranking_table(built, one_line))
    for note in built.notes:
        print(one_line(note))
    print(f"\n{one_line(built.rule)}\n{one_line(built.base_rule)}\n")
    for file in files:
        print(one_line(str(file)))
    return 0


def _samples_room(args: argparse.Namespace) -> int | None:
    """Give how many bytes samples may take in the page; None: there is to be no page.

    Raises:
        ConfigError: it is no size, or there is to be no page.
    """
    from leaderboards.page import SAMPLES

    told = args.samples_limit
    if not args.html:
        if told is not None:
            raise ConfigError("--samples-limit is for the web page: give --html, too")
        return None
    if told is None:
        return SAMPLES
    if not 0 <= told <= MOST:
        raise ConfigError(f"--samples-limit must be 0 to {MOST:g} (megabytes), got {told:g}")
    return int(told * MEGABYTE)
