"""lm-eval's clients, wrapped: attempts, waits, checked bodies, and the run's limits.

lm-eval repeats at fixed intervals, whatever went wrong, and takes most of what is no answer for an
empty one. When one of several requests fails, it drops the others that are under way. All of this
is done here instead, on the instance; what is sent and how an answer is read stays lm-eval's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NoReturn

from harness.errors import ModelError
from harness.servers import temperature, transports
from harness.servers.bodies import checked, kind_of, usage
from harness.servers.faults import PassingError, known_secrets
from harness.servers.limits import account
from harness.servers.quiet import redact_logs
from harness.servers.translation import translated

log = logging.getLogger(__name__)

FIRST_WAIT = 1.0
LONGEST_WAIT = 120.0
"""Seconds before an attempt is repeated: up to twice as many each time; `Retry-After` is kept."""
_GUARD = "_selfcheck_guard"
_is_repeated: ContextVar[bool] = ContextVar("is_repeated", default=False)


def guard(client: Any) -> None:
    """Wrap one of lm-eval's clients of a server; a second time changes nothing.

    Its model argument `max_retries` says how often a request is sent at most.
    """
    if getattr(client, _GUARD, None) is None:
        setattr(client, _GUARD, Guarded(client))


def draws_at_random(lm: Any) -> bool:
    """Say whether a client asks at another temperature than it is told to.

    See `harness.servers.temperature`.
    """
    return bool(getattr(getattr(lm, _GUARD, None), "draws_at_random", False))


@dataclass
class Flight:
    """Requests that one call of the client sends at once."""

    under_way: int = 0
    is_over: bool = False
    landed: asyncio.Event = field(default_factory=asyncio.Event)

    async def end(self, err: Exception) -> NoReturn:
        """Raise once all that is under way has landed, so that its answers are kept.

        Whoever comes second waits to be cancelled: an exception that nobody awaits is printed.
        """
        if self.is_over:
            await self.rest()
        self.is_over = True
        while self.under_way:
            self.landed.clear()
            await self.landed.wait()
        raise err

    async def rest(self) -> NoReturn:
        """Wait to be cancelled."""
        await asyncio.Event().wait()
        raise AssertionError("nothing sets this event")


class Guarded:
    """What is done around a client's own methods, which it replaces.

    Attributes:
        client: lm-eval's.
        draws_at_random: whether it asks at another temperature than it is told to.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.kind = kind_of(client)
        self.attempts = max(1, client.max_retries)
        self.flight = Flight()
        self._call, self._acall = client.model_call, client.amodel_call
        self._batches, self._payload = client.get_batched_requests, client._create_payload
        client._create_payload = self.payload
        client.model_call, client.amodel_call = self.model_call, self.amodel_call
        client.get_batched_requests = self.get_batched_requests
        client.max_retries = 1  # the attempts are ours
        if hasattr(client, "_litellm"):
            client._litellm = transports.LiteLLM(client, client._litellm, self)
        redact_logs(self.secrets)
        self.draws_at_random = temperature.is_ignored(client, self.kind)

    def secrets(self) -> list[str]:
        """Give what must not be repeated."""
        try:
            return known_secrets(self.client.header)
        except ValueError:  # lm-eval: there is no key
            return known_secrets({})

    def payload(self, messages: Any, **kwargs: Any) -> dict[str, Any]:
        """Leave empty stop strings out: lm-eval sends them, and servers refuse them.

        Raises:
            ModelError: a chat server would be sent a text.
        """
        if isinstance(messages, str) and self.kind in ("chat", "anthropic"):
            raise ModelError(
                "a chat server is asked by messages, not by a text: add --apply_chat_template; "
                "for a simulator --simulator-chat-template on"
            )
        told: dict[str, Any] = self._payload(messages, **kwargs)
        for name in ("stop", "stop_sequences"):
            if isinstance(told.get(name), list):
                told[name] = [text for text in told[name] if text]
        return {k: v for k, v in told.items() if v or k not in ("stop", "stop_sequences")}

    def model_call(self, messages: Any, *, generate: bool = True, **rest: Any) -> Any:
        """Send a request until it is answered.

        Raises:
            ModelError: it is refused, fails once too often, or the budget is spent.
        """
        from tenacity import Retrying

        def once() -> Any:
            account().check()
            time.sleep(account().reserve())
            self._charge()
            try:
                body = self._call(messages, generate=generate, **rest)
                return self.read(body, count=len(messages), scores=not generate)
            except Exception as err:
                self._raise(err)

        return Retrying(**self._policy(lambda: False))(self._marked(once))

    async def amodel_call(
        self, session: Any, sem: Any, messages: Any, *, generate: bool = True, **rest: Any
    ) -> list[Any]:
        """Send a request until it is answered, beside others; give the answers.

        Raises:
            ModelError: as `model_call`; raised when those under way have ended.
        """
        from lm_eval.models.api_models import LMEVAL_MODEL_NONE_ANSWER_PLACEHOLDER
        from tenacity import AsyncRetrying

        flight = self.flight
        watched = transports.Session(session, self, count=len(messages), scores=not generate)

        async def once() -> Any:
            try:
                return await self._acall(
                    session=watched, sem=sem, messages=messages, generate=generate, **rest
                )
            except Exception as err:
                self._raise(err)

        try:
            repeated = AsyncRetrying(**self._policy(lambda: flight.is_over))
            answers: list[Any] = await repeated(self._marked(once))
        except Exception as err:
            await flight.end(err)
        return [LMEVAL_MODEL_NONE_ANSWER_PLACEHOLDER if one is None else one for one in answers]

    async def get_batched_requests(self, *args: Any, **kwargs: Any) -> Any:
        """Begin a new flight."""
        self.flight = Flight()
        return await self._batches(*args, **kwargs)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send one request within: waits until it may be sent, and counts it.

        The client's semaphore is held: while one waits for its turn, no other may send either.
        """
        flight = self.flight
        if flight.is_over:
            await flight.rest()
        account().check()
        await asyncio.sleep(account().reserve())
        if flight.is_over:
            await flight.rest()
        self._charge()
        flight.under_way += 1
        try:
            yield
        finally:
            flight.under_way -= 1
            flight.landed.set()

    def read(self, body: Any, *, count: int, scores: bool) -> Any:
        """Check a body (`bodies.checked`), and count its tokens."""
        told = checked(body, self.kind, count=count, scores=scores)
        account().count_tokens(usage(body))
        return told

    def read_text(self, text: bytes, *, count: int, scores: bool) -> Any:
        """Read a body that should be JSON."""
        try:
            body = json.loads(text)
        except (ValueError, RecursionError) as err:
            raise PassingError(f"no answer: no JSON: {err}") from err
        return self.read(body, count=count, scores=scores)

    def _raise(self, err: Exception) -> NoReturn:
        fault = translated(err, self.secrets())
        if fault is err:
            raise err
        raise fault from err

    def _charge(self) -> None:
        account().check()
        account().requests += 1
        account().retries += _is_repeated.get()

    def _marked(self, once: Callable[[], Any]) -> Callable[[], Any]:
        """Tell the first attempt from those that repeat it."""
        tries = 0

        def marked() -> Any:
            nonlocal tries
            _is_repeated.set(tries > 0)
            tries += 1
            return once()

        async def amarked() -> Any:
            waits: Awaitable[Any] = marked()
            return await waits

        return amarked if asyncio.iscoroutinefunction(once) else marked

    def _policy(self, is_over: Callable[[], bool]) -> Mapping[str, Any]:
        from tenacity import retry_if_exception_type, stop_after_attempt

        return {
            "retry": retry_if_exception_type(PassingError),
            "stop": lambda state: is_over() or stop_after_attempt(self.attempts)(state),
            "wait": _wait,
            "before_sleep": self._log_wait,
            "retry_error_callback": self._give_up,
        }

    def _log_wait(self, state: Any) -> None:
        log.warning(
            "The server of %r: attempt %d of %d failed (%s); again in %.1f s",
            self.client.model, state.attempt_number, self.attempts,
            state.outcome.exception(), state.next_action.sleep,
        )  # fmt: skip

    def _give_up(self, state: Any) -> NoReturn:
        last = state.outcome.exception()
        times = f" ({state.attempt_number} attempts)" if state.attempt_number > 1 else ""
        raise PassingError(f"{last}{times}") from last


def _wait(state: Any) -> float:
    """Give the seconds to wait: what the server asks for, or ever longer, at random."""
    from tenacity import wait_random, wait_random_exponential

    asked = state.outcome.exception().retry_after
    if asked is None:
        return float(wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)(state))
    return float(min(asked, LONGEST_WAIT) + wait_random(0, FIRST_WAIT)(state))
