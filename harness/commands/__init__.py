"""The command `selfcheck`: subcommands of all packages, and those of the harness.

`evaluating`: run, demo; `freezing`: follow-ups; `judging`: import, compare, gate; `showing`: show;
`tasks`: tasks, link.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import entry_points
from typing import Any, NoReturn

from harness.allocator import keep_freed_memory
from harness.commands import evaluating, freezing, judging, showing, tasks
from harness.errors import SelfcheckError, printable
from harness.logs import secrets_kept, trace
from harness.secrets import without_secrets
from harness.trust import allowing_pickles

log = logging.getLogger("harness")

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
"""Errors that say of a disk that it takes no more."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 if all went well, 1 for an error, 2 for a wrong command line.

    `gate` has further ones (`harness.gate.EXIT`).
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    keep_freed_memory()
    parser = _Parser(
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
        with secrets_kept(), _no_world_writable(), allowing_pickles(_allows_pickles(args)):
            status = int(args.execute(args, rest))
            with suppress(BrokenPipeError):
                sys.stdout.flush()
            return status
    except SelfcheckError as err:
        print(f"selfcheck: {printable(without_secrets(str(err)))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read the output has seen enough; Python would say so at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as err:
        if err.errno not in UNWRITABLE:
            print(trace(err), end="", file=sys.stderr)
        else:
            print(f"selfcheck: {_unwritten(err)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("selfcheck: interrupted; what was answered is kept", file=sys.stderr)
        return 130
    except Exception as err:
        print(trace(err), end="", file=sys.stderr)
        return 1


def _unwritten(err: OSError) -> str:
    """Say what cannot be written."""
    if err.filename is None:  # perhaps the standard output: Python would try again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    place = err.filename or "the standard output, or a file,"
    told = f"{place} cannot be written: {err.strerror}; what is finished is kept"
    return printable(without_secrets(told))


class _Parser(argparse.ArgumentParser):
    """Repeats no secret of a wrong command line."""

    def error(self, message: str) -> NoReturn:
        super().error(without_secrets(message))


def _allows_pickles(args: argparse.Namespace) -> bool:
    return bool(getattr(args, "allow_pickles", False))


@contextmanager
def _no_world_writable() -> Iterator[None]:
    """Let nobody else write what is written here, whatever the umask; it counts otherwise."""
    before = os.umask(0)
    os.umask(before | 0o002)
    try:
        yield
    finally:
        os.umask(before)


def register(subparsers: Any) -> None:
    """Add the harness's subcommands."""
    evaluating.register(subparsers)
    freezing.register(subparsers)
    judging.register(subparsers)
    showing.register(subparsers)
    tasks.register(subparsers)
