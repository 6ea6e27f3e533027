"""Where a run is from: what was asked, with what, and how to ask it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import msgspec

from harness.evidence.texts import as_json

if TYPE_CHECKING:
    from harness.runs import Record


def record_facts(record: Record) -> list[tuple[str, str]]:
    """Tell what a record knows of its run, but for its tasks: label and text.

    What is unknown, or was not asked for, is left out.
    """
    model, made = record.model, record.environment
    packages = [f"{name} {version}" for name, version in made.packages.items() if version]
    told: dict[str, Any] = {
        "began": record.created,
        "took": f"{record.seconds:g} s",
        "backend": model.backend,
        "model arguments": _assigned(model.args),
        "fingerprint of the model": model.fingerprint,
        "device": model.device,
        "dtype": model.dtype,
        "batch size": model.batch_size,
        "settings": _assigned(msgspec.structs.asdict(record.settings)),
        "made from lm-eval's results": record.imported,
        "selfcheck": record.selfcheck,
        "packages": ", ".join(packages),
        "Python": made.python,
        "platform": made.platform,
    }
    return [(label, as_json(text)) for label, text in told.items() if text not in (None, "")]


def command_line(record: Record) -> str | None:
    """Write the command line of a run, its program by name, wherever that was installed.

    None: it is unknown.
    """
    words = record.environment.command
    return shlex.join([PurePath(words[0]).name, *words[1:]]) if words else None


def _assigned(told: Mapping[str, Any]) -> str:
    """Write values by name; those that hold nothing are left out.

    >>> _assigned({"pretrained": "a/b", "revision": None, "tasks": ["x", "y"]})
    'pretrained=a/b, tasks=["x", "y"]'
    """
    known = {name: value for name, value in told.items() if value not in (None, "", [], {})}
    return ", ".join(f"{name}={as_json(value)}" for name, value in known.items())
