"""What the command logs and prints of errors: without keys, tokens, passwords, and printable.

Whoever logs it: lm-eval, litellm and aiohttp put addresses, headers and answers of servers into
their messages.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.errors import printable
from harness.secrets import without_secrets

_FORMATTER = logging.Formatter()


@contextmanager
def secrets_kept() -> Iterator[None]:
    """Blank secrets in all that any logger is told for a while, in tracebacks, too.

    As records are made: libraries have handlers and formats of their own. What is not printable is
    escaped.
    """
    make = logging.getLogRecordFactory()

    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        return _blanked(make(*args, **kwargs))

    logging.setLogRecordFactory(made)
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)


def trace(err: BaseException) -> str:
    """Give an error's traceback without secrets."""
    return _safe("".join(traceback.format_exception(err)))


def _safe(told: str) -> str:
    return printable(str(without_secrets(told)))


def _blanked(record: logging.LogRecord) -> logging.LogRecord:
    try:
        told = record.getMessage()
    except Exception:  # a library's faulty call, which `logging` tells of with its arguments
        told = f"{record.msg} {record.args}"
    record.msg, record.args = _safe(told), ()
    if record.exc_info and record.exc_info[0]:
        record.exc_text = _safe(_FORMATTER.formatException(record.exc_info))
    if record.stack_info:
        record.stack_info = _safe(record.stack_info)
    return record
