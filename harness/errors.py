"""What can go wrong, by what the caller can do about it.

SelfcheckError
├── ConfigError        a name, option or task file is wrong: correct it; nothing was run
├── DataError          a data file does not hold what the task needs: correct the named line
│   └── MissingDataError   a data set is in neither SELFCHECK_DATA nor the hub: get it
├── ModelError         the model cannot do what was asked of it
├── TrainingError      training stopped before its end: diverged, or could not be saved
├── RecordError        a run on disk is damaged, of another version, or not there
├── ComparisonError    runs cannot be compared: names what differs
└── CheckError         a bug, here or in lm-eval: report it; names the task and document
"""

from __future__ import annotations

import re
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


class TrainingError(SelfcheckError):
    """Training stopped before its end; says what is kept."""


class RecordError(SelfcheckError):
    """A run on disk is damaged, was written by another version, or is not there."""


class ComparisonError(SelfcheckError):
    """Runs cannot be compared; names what differs."""


class CheckError(SelfcheckError):
    """A bug, with the task and document that show it."""


NEAR = 0.75
"""How alike names are (`difflib`) of which one is taken for a slip of the other."""
_UNUSUAL = re.compile(r"[^\n -~]+")  # neither a line break nor plain ASCII


def printable(text: str) -> str:
    r"""Make a text safe to print: it may hold what a model or a data file says.

    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    if text.replace("\n", "").isprintable():
        return text
    return _UNUSUAL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    told = found[0]
    return told if told.isprintable() else "".join(map(_escape, told))


def _escape(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


def misspelt(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names that are nearly known ones, where others may stand beside them.

    Raises:
        ConfigError: names the first of them.

    >>> misspelt("key", ["pretrained", "simulater_model"], ["simulator_model"])
    Traceback (most recent call last):
        ...
    harness.errors.ConfigError: unknown key: got 'simulater_model'. Did you mean ...
    """
    names = set(known)
    for name in given:
        if name not in names and get_close_matches(name, names, n=1, cutoff=NEAR):
            raise ConfigError(unknown(what, name, names))


def unknown(what: str, got: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, offer the nearest one and list those allowed.

    >>> unknown("domain", "sentimant", ["yes_no", "sentiment"])
    "unknown domain: got 'sentimant'. Did you mean 'sentiment'? Known: sentiment, yes_no."
    """
    names = sorted(known)
    near = get_close_matches(got, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {what}: got {got!r}.{hint} Known: {', '.join(names)}."
