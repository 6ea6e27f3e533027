"""What a watch keeps on disk, so that a later one goes on where it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import ConfigError
from harness.secrets import without_secrets
from harness.whole_files import is_partial, write_text

FILE = "watch.json"
LOCK = ".watch.lock"
VERSION = 1


class State(msgspec.Struct, forbid_unknown_fields=True):
    """What is known of the checkpoints, by name.

    Attributes:
        settings: what all runs share; secrets blanked.
        scored: digest of the files that were scored (`checkpoints.digest`).
        scoring: that of the one at work.
        failed: why the others are not scored.
    """

    version: int
    settings: dict[str, Any]
    scored: dict[str, str] = msgspec.field(default_factory=dict)
    scoring: dict[str, str] = msgspec.field(default_factory=dict)
    failed: dict[str, str] = msgspec.field(default_factory=dict)


def open_state(output: Path, settings: Mapping[str, Any]) -> State:
    """Read the state of earlier watches, or begin one.

    Raises:
        ConfigError: the folder holds something else, a damaged state, or that of a watch with other
            settings; names them.
    """
    told: dict[str, Any] = json.loads(json.dumps(without_secrets(dict(settings)), default=str))
    file = output / FILE
    if not file.is_file():
        held = [path.name for path in output.iterdir() if not is_partial(path.name, FILE)]
        if any(name != LOCK for name in held):
            raise ConfigError(
                f"--output {output}: holds something else; give a new or an empty folder, or that "
                "of an earlier watch, which then goes on"
            )
        return State(VERSION, told)
    try:
        state = msgspec.json.decode(file.read_bytes(), type=State)
    except (OSError, ValueError, RecursionError) as err:
        raise ConfigError(f"{file}: cannot be read as the state of a watch: {err}") from err
    differ = [
        name for name in {**state.settings, **told} if state.settings.get(name) != told.get(name)
    ]
    if state.version != VERSION or differ:
        listed = "".join(
            f"\n  {name}: {state.settings.get(name)!r} there, {told.get(name)!r} here"
            for name in differ
        )
        raise ConfigError(
            f"--output {output}: holds a watch with other settings; give the same, or another "
            f"folder:{listed or f' (version {state.version})'}"
        )
    return state


def save(state: State, output: Path) -> None:
    """Write the state: the whole of it, or nothing.

    Raises:
        OSError: it cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(state), indent=1).decode()
    write_text(output / FILE, text + "\n")
