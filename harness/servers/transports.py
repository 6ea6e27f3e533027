"""What clients send with, so that each body is checked before the client reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from harness.servers.faults import of_status


class Sender(Protocol):
    """What is done around each request (`guarding.Guarded`)."""

    def sending(self) -> Any:
        """Send one request within."""

    def secrets(self) -> list[str]:
        """Give what must not be repeated."""

    def read(self, body: Any, *, count: int, scores: bool) -> Any:
        """Check a body."""

    def read_text(self, text: bytes, *, count: int, scores: bool) -> Any:
        """Read a body that should be JSON."""


class Answer:
    """A body that was checked, in the shapes that clients ask for it."""

    ok = True

    def __init__(self, body: Any) -> None:
        self._body = body

    def raise_for_status(self) -> None:
        """Raise nothing: a failure has been raised before."""

    async def json(self) -> Any:
        """Give the body, to lm-eval's client."""
        return self._body

    def model_dump(self) -> Any:
        """Give the body, to its client of litellm."""
        return self._body


class Session:
    """Stands in for aiohttp's session, for one request of a client.

    Args:
        session: aiohttp's.
        sender: around each request.
        count, scores: as of `bodies.checked`.
    """

    def __init__(self, session: Any, sender: Sender, *, count: int, scores: bool) -> None:
        self._session, self._sender = session, sender
        self._count, self._scores = count, scores

    @asynccontextmanager
    async def post(self, url: str, **request: Any) -> AsyncIterator[Answer]:
        """Send; raises what `faults` knows, or the network's exceptions."""
        async with (
            self._sender.sending(),
            self._session.post(url, **request) as response,
        ):
            text = await response.read()
            if not response.ok:
                said = text.decode("utf-8", "replace")
                headers, secrets = response.headers, self._sender.secrets()
                raise of_status(response.status, headers, said, secrets)
            answer = Answer(self._sender.read_text(text, count=self._count, scores=self._scores))
        yield answer


class LiteLLM:
    """Stands in for the module litellm in lm-eval's client of it.

    One attempt at a time, within the client's own time-out (litellm's is 100 minutes), and at its
    `base_url`, which lm-eval takes and does not pass on.
    """

    def __init__(self, client: Any, module: Any, sender: Sender) -> None:
        self._module, self._sender = module, sender
        module.suppress_debug_info = True  # it prints where to get help at each fault
        self._settings = {"timeout": client.timeout, "num_retries": 0, "max_retries": 0}
        if client.base_url:
            self._settings["api_base"] = client.base_url

    def completion(self, **payload: Any) -> Any:
        """Send a request; the caller counts and checks."""
        return self._module.completion(**payload, **self._settings)

    async def acompletion(self, **payload: Any) -> Answer:
        """Send a request beside others."""
        async with self._sender.sending():
            response = await self._module.acompletion(**payload, **self._settings)
            return Answer(self._sender.read(response.model_dump(), count=1, scores=False))
