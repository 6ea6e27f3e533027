"""Which clients score no choices: chat interfaces tell no log-likelihoods of a given text."""

from __future__ import annotations

from typing import Any

from harness.models import is_server


def scores_no_choices(lm: Any) -> str | None:
    """Say why a model cannot score choices; None: it can, or is no server. Sends nothing."""
    bare = getattr(lm, "lm", lm)
    if not is_server(bare):
        return None
    try:
        bare.loglikelihood([])
    except (NotImplementedError, AssertionError) as err:
        return str(err)
    return None
