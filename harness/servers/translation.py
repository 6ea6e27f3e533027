"""Exceptions of the libraries that clients send with, as what they mean for the request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness.servers.faults import PassingError, RefusedError, of_status, shortened


def translated(err: Exception, secrets: Iterable[str] = ()) -> Exception:
    """Give what an exception means: it passes, it is refused, or (as it was) none of both.

    Args:
        err: of requests, aiohttp, litellm, or of the reading of an answer.
        secrets: never repeated.
    """
    if isinstance(err, PassingError):
        return PassingError(shortened(str(err), secrets), err.retry_after)
    told = shortened(f"{type(err).__name__}: {err}", secrets)
    if _is_wrong_address(err):
        return RefusedError(told)
    if type(err).__module__.startswith(("litellm.", "openai")):
        return _of_litellm(err, secrets)
    response = getattr(err, "response", None)
    if response is not None and _is_status(err):
        return of_status(response.status_code, response.headers, response.text, secrets)
    return PassingError(told) if _is_of_network(err) else err


def _of_litellm(err: Exception, secrets: Iterable[str]) -> PassingError | RefusedError:
    """Read litellm's exceptions: they are named and numbered as if OpenAI had sent them."""
    status = getattr(err, "status_code", None)
    said = str(getattr(err, "message", err)).partition("Traceback (most recent call last)")[0]
    if not isinstance(status, int):
        return PassingError(shortened(f"{type(err).__name__}: {said}", secrets))
    headers: Any = getattr(err, "litellm_response_headers", None)
    headers = headers or getattr(getattr(err, "response", None), "headers", None) or {}
    return of_status(status, headers, said, secrets)


def _is_status(err: Exception) -> bool:
    from requests import HTTPError

    return isinstance(err, HTTPError)


def _is_wrong_address(err: Exception) -> bool:
    import aiohttp
    from requests import exceptions

    return isinstance(
        err,
        (
            aiohttp.InvalidURL, exceptions.InvalidURL, exceptions.MissingSchema,
            exceptions.InvalidSchema, exceptions.InvalidHeader, exceptions.InvalidProxyURL,
        ),
    )  # fmt: skip


def _is_of_network(err: Exception) -> bool:
    """Say whether a connection broke, took too long, or brought something that is no JSON."""
    import aiohttp
    from requests import RequestException

    return isinstance(
        err, (RequestException, aiohttp.ClientError, TimeoutError, ConnectionError, RecursionError)
    )
