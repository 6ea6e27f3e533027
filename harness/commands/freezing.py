"""Subcommand that keeps a simulator's work for later: follow-ups."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from harness.commands.options import (
    add_command,
    add_option,
    add_pickles,
    add_simulator,
    simulator_metadata,
)

EPILOG = """\
example:
  selfcheck run --tasks selfcheck_consistency_strategyqa --subset 100 --output runs/base ...
  selfcheck follow-ups --simulator hf --simulator-args pretrained=Qwen/Qwen2.5-7B-Instruct \\
      --simulator-chat-template on --data selfcheck_consistency_strategyqa \\
      --explanations runs/base --output strategyqa.jsonl
  selfcheck run --tasks selfcheck_consistency_strategyqa --subset 100 --follow-ups \\
      strategyqa.jsonl --simulator hf --simulator-args ... --simulator-chat-template on ...

Only the questions and the simulator's blind guesses are kept: what it expects from an explanation
depends on who explains."""


def register(subparsers: Any) -> None:
    """Add the subcommand."""
    summary = "let a simulator write follow-up questions once, for many checkpoints"
    add_command(subparsers, "follow-ups", follow_ups, summary, EPILOG, _options)


def _options(parser: argparse.ArgumentParser) -> None:
    add_simulator(parser, required=True)
    add_option(
        parser, "data", nargs="+", required=True, metavar="TASK", help="names, tags, patterns"
    )
    add_option(
        parser, "explanations", type=Path, required=True, metavar="RUN", help="folder of a run"
    )
    add_option(parser, "output", type=Path, required=True, metavar="FILE", help="new file")
    add_option(parser, "include-path", type=Path, metavar="DIR", help="further task files")
    add_option(parser, "follow-up-count", type=int, metavar="N", help="for each question")
    add_pickles(parser)


def follow_ups(args: argparse.Namespace, rest: list[str]) -> int:
    """Write a file of follow-ups, and say what is in it."""
    from harness.freezing import freeze_follow_ups
    from harness.run_files import read_run
    from harness.whole_files import claimed_file

    metadata = simulator_metadata(args)
    if args.follow_up_count is not None:
        metadata["follow_up_count"] = args.follow_up_count
    patterns = [name for words in args.data for name in words.split(",")]
    folders = [args.include_path] if args.include_path else []
    run = read_run(args.explanations)
    with claimed_file(args.output):
        rows = freeze_follow_ups(run, patterns, metadata, args.output, folders)
    written = sum(len(row.follow_ups) for row in rows)
    none = sum(not row.follow_ups for row in rows)
    dropped: Counter[str] = Counter()
    for row in rows:
        dropped.update(row.dropped)
    print(f"{written} follow-ups to {len(rows)} questions, none to {none} of them")
    if bare := sum(not row.explained for row in rows):
        print(f"{bare} of the questions had no explanation: theirs are to the question alone")
    for reason, number in dropped.most_common():
        print(f"left out: {number} ({reason})")
    print(f"\n{args.output.resolve()}")
    return 0
