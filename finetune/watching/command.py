"""The subcommand that scores checkpoints as they appear: watch."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.commands.engines import add_engine
from harness.commands.options import add_command, add_option, add_pickles, add_simulator

EPILOG = """\
example:
  selfcheck watch outputs/llama-sft --tasks selfcheck-truthfulqa,selfcheck-retention --subset 200 \\
      --apply_chat_template --base meta-llama/Llama-3.2-1B-Instruct --output watched

Every checkpoint that appears in FOLDER, of whatever framework (checkpoint-100, epoch_1, iter_10/hf,
adapters too), is scored once, when it is whole and has not changed for a while, in a process of its
own. DIR gets the runs, their logs, and a board of base and checkpoints after each. Ctrl-C ends it;
the same command goes on where it was stopped. A checkpoint is scored again when its run in DIR is
removed; one that could not be scored is tried again when it changes, or the watch is started anew.

Weights are scored in the dtype that they were saved in: give --dtype where that of the base is
another. Oldest first: a trainer that removes old checkpoints may be faster (save_total_limit).

With --engine ray each is scored by workers that stay from one checkpoint to the next; every machine
must reach FOLDER under the same path."""


def add_watch(subparsers: Any, execute: Any) -> None:
    """Add the subcommand."""
    summary = "score every new checkpoint in a folder, and keep a board"
    add_command(subparsers, "watch", execute, summary, EPILOG, _options)


def watch(args: argparse.Namespace, update: Callable[[Mapping[str, Path]], None]) -> int:
    """Watch; 1 if a checkpoint of `--once` could not be scored.

    Args:
        update: is given all runs by name after each.
    """
    from finetune.watching.session import run

    return run(args, update)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where checkpoints appear")
    add_option(
        parser, "tasks", nargs="+", required=True, metavar="TASK", help="names, tags, patterns"
    )
    add_option(
        parser, "base", required=True, metavar="MODEL|RUN",
        help="what checkpoints are compared with: a model (scored first), or a run of it",
    )  # fmt: skip
    add_option(
        parser, "output", type=Path, required=True, metavar="DIR", help="new, or to go on in"
    )
    add_option(parser, "subset", type=int, metavar="N", help="a random N documents per task")
    add_option(parser, "subset-seed", type=int, default=0, metavar="S", help="draws others")
    add_option(parser, "apply-chat-template", action="store_true", help="ask through it")
    add_simulator(parser)
    add_option(parser, "follow-ups", metavar="FILE", help="frozen ones (selfcheck follow-ups)")
    add_option(parser, "follow-up-count", type=int, metavar="N", help="how many to write")
    add_option(parser, "include-path", type=Path, metavar="FOLDER", help="of more task files")
    add_option(parser, "dtype", help="of the weights: float32, bfloat16, ...; default: their own")
    add_option(
        parser, "model-args", nargs="+", default=[], metavar="ARG",
        help="key=value,key=value: of lm-eval's hf, for base and checkpoints",
    )  # fmt: skip
    add_pickles(parser)
    add_engine(parser)
    add_option(parser, "batch-size", default="auto", metavar="auto|N", help="auto: settled once")
    add_option(parser, "device", help="cuda:0, cpu, mps, ...")
    add_option(parser, "every", type=float, default=60, metavar="SECONDS", help="between looks")
    add_option(
        parser, "settle", type=float, default=30, metavar="SECONDS",
        help="how long a checkpoint must not change before it is scored",
    )  # fmt: skip
    add_option(parser, "once", action="store_true", help="score what is there now, then end")
