"""The commands `selfcheck finetune`, `watch` (and the boards that they end with), `annotate`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune.annotate_command import add_annotate
from finetune.annotate_command import annotate as export_or_import
from finetune.finetune_command import add_finetune
from finetune.finetune_command import finetune as train_and_score
from finetune.watching.command import add_watch
from finetune.watching.command import watch as watch_and_score


def register(subparsers: Any) -> None:
    """Add the subcommands."""
    add_finetune(subparsers, finetune)
    add_watch(subparsers, watch)
    add_annotate(subparsers, annotate)


def finetune(args: argparse.Namespace, rest: list[str]) -> int:
    """Train by a recipe, once or as a sweep, score, compare, and make a board."""
    _be_told()
    done = train_and_score(args)
    if done.runs:
        write_board(done.runs, done.folder / "board", done.compared)
    return done.status


def watch(args: argparse.Namespace, rest: list[str]) -> int:
    """Score checkpoints as they appear, and make a board of them after each."""
    _be_told()
    return watch_and_score(args, lambda runs: write_board(runs, args.output / "board"))


def annotate(args: argparse.Namespace, rest: list[str]) -> int:
    """Write answers for people to annotate, or put their annotations together."""
    _be_told()
    return export_or_import(args)


def _be_told() -> None:
    logging.getLogger("finetune").setLevel(logging.INFO)


def write_board(runs: Mapping[str, Path], folder: Path, compared: bool = True) -> None:
    """Make a board of runs, and show it.

    Args:
        compared: whether the first is the base of all others; else it has no deltas.

    Raises:
        ComparisonError, RecordError: the runs make no board.
        ConfigError: it cannot be written.
    """
    from harness.run_files import read_run
    from leaderboards.board import build_board
    from leaderboards.entries import Entry
    from leaderboards.folder import write_board as write
    from leaderboards.markdown import one_line, ranking_table
    from leaderboards.page import SAMPLES, render_page

    base = next(iter(runs)) if compared else None
    entries = [Entry(name, [read_run(run, name)]) for name, run in runs.items()]
    board = build_board(entries, base)
    files = write(board, folder, render_page(board, entries, SAMPLES))
    print(f"\n{ranking_table(board, one_line)}\n{one_line(str(files[-1]))}")
