"""What a run may ask of servers in all: requests, tokens, and how fast.

One account for the model and its simulator. Every attempt counts as a request, whatever comes of
it; tokens are those that the servers report, in and out. Requests under way are let end, so the
tokens of at most as many answers as are asked for at once go over the budget.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

from harness.errors import ConfigError, ModelError

log = logging.getLogger(__name__)


class BudgetSpentError(ModelError):
    """The run's budget of requests or tokens is spent."""


@dataclass(frozen=True)
class Limits:
    """Limits of a run over all its servers; None: no limit.

    Attributes:
        max_requests: requests sent, each attempt counted.
        max_tokens: tokens in and out, as the servers report them.
        requests_per_minute: evenly spaced, never in bursts.

    Raises:
        ConfigError: one of them is no whole number of at least 1.
    """

    max_requests: int | None = None
    max_tokens: int | None = None
    requests_per_minute: int | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            told = getattr(self, each.name)
            if told is not None and (isinstance(told, bool) or not isinstance(told, int)):
                raise ConfigError(f"{option(each.name)} must be a whole number, got {told!r}")
            if told is not None and told < 1:
                raise ConfigError(f"{option(each.name)} must be at least 1, got {told}")


class Account:
    """What has been asked of servers so far.

    Args:
        limits: what may be asked.
        clock: seconds, from any start.

    Attributes:
        requests, retries, tokens: so far; retries are requests, too.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.requests = self.retries = self.tokens = 0
        self._clock = clock
        self._free = -float("inf")

    def reserve(self) -> float:
        """Take the next place in the row of requests; give the seconds until it comes."""
        if self.limits.requests_per_minute is None:
            return 0
        now = self._clock()
        mine = max(now, self._free)
        self._free = mine + 60 / self.limits.requests_per_minute
        return mine - now

    def check(self) -> None:
        """Say whether one more request may be sent.

        Raises:
            BudgetSpentError: the budget is spent.
        """
        for spent, allowed, unit, name in (
            (self.requests, self.limits.max_requests, "requests", "max_requests"),
            (self.tokens, self.limits.max_tokens, "tokens", "max_tokens"),
        ):
            if allowed is not None and spent >= allowed:
                raise BudgetSpentError(
                    f"budget spent: {spent} of {allowed} {unit} ({option(name)})"
                )

    def count_tokens(self, used: int | None) -> None:
        """Count what the server says an answer has used; None: it does not say.

        Raises:
            ModelError: it does not say, and tokens are limited.
        """
        if used is None and self.limits.max_tokens is not None:
            raise ModelError(
                f"the server reports no usage, so that {option('max_tokens')} cannot be kept: "
                f"leave it out, or give {option('max_requests')} instead"
            )
        self.tokens += used or 0


def option(name: str) -> str:
    """Give an option's spelling on the command line."""
    return f"--{name.replace('_', '-')}"


_accounts: list[Account] = []
_unlimited = Account(Limits())


def account() -> Account:
    """Give the account of the run under way; outside of any run nothing is limited."""
    return _accounts[-1] if _accounts else _unlimited


@contextmanager
def limited(limits: Limits, clock: Callable[[], float] = time.monotonic) -> Iterator[Account]:
    """Limit what is asked of servers, and log at the end what was."""
    own = Account(limits, clock)
    _accounts.append(own)
    try:
        yield own
    finally:
        _accounts.remove(own)
        if own.requests:
            log.info(
                "Servers: %d requests, %d of them retries; %d tokens reported",
                own.requests, own.retries, own.tokens,
            )  # fmt: skip
