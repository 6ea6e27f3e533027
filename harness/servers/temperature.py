"""Clients that ask at another temperature than they are told to, for some names of models.

lm-eval's openai-chat-completions sends temperature 1 to models with o1, o3, o4 or 5 in their names;
litellm sends none to models that take none. Their answers are drawn at random.
"""

from __future__ import annotations

import logging
from typing import Any

from harness.servers.bodies import Kind

log = logging.getLogger(__name__)


def is_ignored(client: Any, kind: Kind) -> bool:
    """Say whether a client that is told to answer greedily does not; logs it. Sends nothing."""
    if kind != "chat":
        return False
    sent = _sent_by_litellm(client) if hasattr(client, "_litellm") else _sent(client)
    if sent == 0:
        return False
    log.warning(
        "%s asks %r at temperature %s, whatever is wanted, because of the model's name. Its "
        "answers are drawn at random: each is asked anew, none is kept for other runs, and a run "
        "that stops begins again. For a model that can answer greedily give --model "
        "local-chat-completions with base_url=...",
        type(client).__name__, client.model, "1 (the default)" if sent is None else sent,
    )  # fmt: skip
    return True


def _sent(client: Any) -> Any:
    turn = [{"role": "user", "content": "?"}]
    payload = client._create_payload(turn, generate=True, gen_kwargs={"temperature": 0}, seed=0)
    return payload.get("temperature")


def _sent_by_litellm(client: Any) -> Any:
    """Give what litellm makes of temperature 0; 0, too, where it does not know the model."""
    from litellm import exceptions, get_llm_provider
    from litellm.utils import get_optional_params

    try:
        model, provider = get_llm_provider(client.model)[:2]
        told = get_optional_params(
            model=model, custom_llm_provider=provider, temperature=0, drop_params=True
        )
    except (exceptions.BadRequestError, ValueError):
        return 0
    return told.get("temperature")
