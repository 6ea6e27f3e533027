"""How subcommands and their options are declared."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_command(
    subparsers: Any, name: str, execute: Any, summary: str, epilog: str, options: Any = None
) -> argparse.ArgumentParser:
    """Add a subcommand.

    Args:
        execute: takes the parsed arguments and those left over; gives the exit status.
        options: adds its options to the parser.
    """
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    if options:
        options(parser)
    parser.set_defaults(execute=execute)
    return parser


def add_option(parser: argparse.ArgumentParser, name: str, *more: str, **settings: Any) -> None:
    """Add an option that may be spelt with hyphens or underscores."""
    spellings = {f"--{name}", f"--{name.replace('-', '_')}", *more}
    parser.add_argument(*sorted(spellings), dest=name.replace("-", "_"), **settings)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--output`."""
    add_option(
        parser, "output", "--output_path", type=Path, metavar="DIR", help="new folder for the run"
    )
