"""Nothing secret is recorded: keys, tokens and passwords are blanked wherever they may stand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_WORDS = "api_?key|key|token|secret|password|authorization|credentials?|sig(?:nature)?"
_NAME = rf"(?i:(?<![a-z])(?:{_WORDS}))"
_VALUE = re.compile(rf"({_NAME}['\"]?\s*[=:]\s*['\"]?)(?i:bearer\s+)?[^,&\s'\"}}]+")


def without_secrets(told: Any) -> Any:
    """Blank what looks like a secret, in arguments by name and within strings.

    >>> without_secrets({"model": "m", "api_key": "xyz", "args": "base_url=u,token=abc"})
    {'model': 'm', 'api_key': '***', 'args': 'base_url=u,token=***'}
    >>> without_secrets("https://me:pw@host/v1?api_key=x&model=m")
    'https://***@host/v1?api_key=***&model=m'
    """
    if isinstance(told, Mapping):
        return {
            key: "***" if re.search(f"{_NAME}$", str(key)) else without_secrets(value)
            for key, value in told.items()
        }
    if isinstance(told, (list, tuple)):
        return [without_secrets(value) for value in told]
    if not isinstance(told, str):
        return told
    return re.sub(r"://[^/@\s]+@", "://***@", _VALUE.sub(r"\1***", told))
