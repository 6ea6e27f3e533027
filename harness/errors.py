"""What can go wrong, by what the caller can do about it.

SelfcheckError
├── ConfigError        a name, option or task file is wrong: correct it; nothing was run
├── DataError          a data file does not hold what the task needs: correct the named line
│   └── MissingDataError   a data set is in neither SELFCHECK_DATA nor the hub: get it
├── ModelError         the model cannot do what was asked of it
│   └── NonFiniteError     it returned NaN or infinite scores: the checkpoint is broken
└── CheckError         a bug in a check: report it; names its task and document
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class SelfcheckError(Exception):
    """Base of all errors that selfcheck raises on purpose."""


class ConfigError(SelfcheckError):
    """A name, option or task file is wrong; nothing was run."""


class DataError(SelfcheckError):
    """A data file does not hold what the task needs."""


class MissingDataError(DataError):
    """A data set is neither in SELFCHECK_DATA nor in the hub's cache nor on the hub."""


class ModelError(SelfcheckError):
    """The model cannot do what was asked of it."""


class NonFiniteError(ModelError):
    """The model returned NaN or infinite scores."""


class CheckError(SelfcheckError):
    """A bug in a check, with its task and document."""


def unknown(what: str, got: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, offer the nearest one and list those allowed.

    >>> unknown("domain", "sentimant", ["yes_no", "sentiment"])
    "unknown domain: got 'sentimant'. Did you mean 'sentiment'? Known: sentiment, yes_no."
    """
    names = sorted(known)
    near = get_close_matches(got, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {what}: got {got!r}.{hint} Known: {', '.join(names)}."
