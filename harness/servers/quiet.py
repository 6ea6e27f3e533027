"""What lm-eval's clients log: not what `guarding` says itself, and never a key."""

from __future__ import annotations

import logging
from collections.abc import Callable

from harness.servers.faults import shortened

LOGGERS = (
    "lm_eval.models.api_models", "lm_eval.models.openai_completions",
    "lm_eval.models.anthropic_llms", "lm_eval.models.litellm_llms", "LiteLLM",
)  # fmt: skip
SAID_BY_US = (
    "Exception:", "API request failed", "Retry attempt", "LiteLLM completion failed",
    "LiteLLM async completion failed",
)  # fmt: skip
"""How lines on a failed request begin; lm-eval says of each that it will be repeated."""


class _Redaction(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self.sources: list[Callable[[], list[str]]] = []

    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        if told.startswith(SAID_BY_US):
            return False
        secrets = [secret for source in self.sources for secret in source()]
        record.msg, record.args = shortened(told, secrets), ()
        return True


_redaction = _Redaction()


def redact_logs(secrets: Callable[[], list[str]]) -> None:
    """Blank secrets in what lm-eval's clients log.

    Args:
        secrets: gives what must not be repeated.
    """
    _redaction.sources = [*_redaction.sources[-7:], secrets]
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_redaction)
