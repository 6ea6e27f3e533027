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


def add_simulator(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """Add the options that name a simulator."""
    add_option(parser, "simulator", required=required, metavar="MODEL", help="lm-eval backend")
    add_option(parser, "simulator-args", metavar="ARGS", help="key=value,key=value")
    add_option(
        parser, "simulator-chat-template", choices=["on", "off"],
        help="default: on for chat APIs, off for others",
    )  # fmt: skip


def simulator_metadata(args: argparse.Namespace) -> dict[str, Any]:
    """Give what the options say of the simulator, as tasks read it."""
    from harness.simulator import KEYS

    template = args.simulator_chat_template
    told = (args.simulator, args.simulator_args, None if template is None else template == "on")
    return {key: value for key, value in zip(KEYS, told, strict=True) if value is not None}


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `--output`."""
    add_option(
        parser, "output", "--output_path", type=Path, metavar="DIR", help="new folder for the run"
    )


def add_pickles(parser: argparse.ArgumentParser) -> None:
    """Add the option that allows pickles; `harness.commands.main` reads it."""
    add_option(
        parser, "allow-pickles", action="store_true",
        help="load weights that are pickles, which can execute code (default: safetensors alone)",
    )  # fmt: skip
