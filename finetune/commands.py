"""The commands `selfcheck finetune` and `selfcheck watch`, and the boards that they end with."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.finetune_command import add_finetune
from finetune.finetune_command import finetune as train_and_score
from finetune.watching.command import add_watch
from finetune.watching.command import watch as watch_and_score


def register(subparsers: Any) -> None:
    """Add the subcommands."""
    add_finetune(subparsers, finetune)
    add_watch(subparsers, watch)


def finetune(args: argparse.Namespace, rest: list[str]) -> int:
    """Train by a recipe, score, compare, and make a board of base and checkpoints."""
    _be_told()
    status, runs, folder = train_and_score(args)
    if runs:
        write_board(runs, folder / "board")
    return status


def watch(args: argparse.Namespace, rest: list[str]) -> int:
    """Score checkpoints as they appear, and make a board of them after each."""
    _be_told()
    return watch_and_score(args, lambda runs: write_board(runs, args.output / "board"))


def _be_told() -> None:
    logging.getLogger("finetune").setLevel(logging.INFO)


def write_board(runs: Mapping[str, Path], folder: Path) -> None:
    """Make a board of runs, the first of which is the base, and show it.

    Raises:
        ComparisonError, RecordError: the runs make no board.
        ConfigError: it cannot be written.
    """
    from harness.run_files import read_run
    from leaderboards.board import build_board
    from leaderboards.entries import Entry
    from leaderboards.folder import write_board as write
    from leaderboards.markdown import one_line, ranking_table

    base = next(iter(runs))
    entries = [Entry(name, [read_run(run, name)]) for name, run in runs.items()]
    board = build_board(entries, base)
    write(board, folder)
    print(f"\n{ranking_table(board, one_line)}\n{one_line(str(folder / 'board.md'))}")
