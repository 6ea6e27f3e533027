"""The command `selfcheck`: subcommands of all packages, and those of the harness.

`evaluating`: run, demo; `freezing`: follow-ups; `judging`: import, compare, gate; `showing`: show;
`tasks`: tasks, link.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

from harness.allocator import keep_freed_memory
from harness.commands import evaluating, freezing, judging, showing, tasks
from harness.errors import SelfcheckError, printable

log = logging.getLogger("harness")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 if all went well, 1 for an error, 2 for a wrong command line.

    `gate` has further ones (`harness.gate.EXIT`).
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    keep_freed_memory()
    parser = argparse.ArgumentParser(
        prog="selfcheck",
        description="Does a language model behave as its own explanations say, and is it truthful?",
        epilog="example: selfcheck demo",
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for entry in sorted(entry_points(group="selfcheck.commands"), key=lambda entry: entry.name):
        entry.load()(subparsers)
    args, rest = parser.parse_known_args(argv)
    if rest and not getattr(args, "passes_on", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    try:
        return int(args.execute(args, rest))
    except SelfcheckError as err:
        print(f"selfcheck: {printable(str(err))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read the output has seen enough; Python would say so at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("selfcheck: interrupted; what was answered is kept", file=sys.stderr)
        return 130


def register(subparsers: Any) -> None:
    """Add the harness's subcommands."""
    evaluating.register(subparsers)
    freezing.register(subparsers)
    judging.register(subparsers)
    showing.register(subparsers)
    tasks.register(subparsers)
