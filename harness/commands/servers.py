"""Options on what a run may ask of servers."""

from __future__ import annotations

import argparse

from harness.commands.options import add_option
from harness.servers import Limits


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    for name, summary in (
        ("max-requests", "budget over all servers: requests, retries included"),
        ("max-tokens", "budget over all servers: tokens in and out, as they report them"),
        ("requests-per-minute", "at most, over all servers"),
    ):
        add_option(parser, name, type=int, metavar="N", help=summary)
    add_option(
        parser, "skip-unscorable", action="store_true",
        help="leave out choice tasks where the server gives no log-likelihoods",
    )  # fmt: skip


def read_limits(args: argparse.Namespace) -> Limits:
    """Give the limits that the options name.

    Raises:
        ConfigError: one of them is below 1.
    """
    return Limits(args.max_requests, args.max_tokens, args.requests_per_minute)
