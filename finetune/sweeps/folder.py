"""The folder of a sweep; the same command goes on where an earlier one ended.

sweep.yaml               the members, with what is swept
members/NAME/            a finetuning each (`finetune.workspace`)
sweep.csv, members.csv, board/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from finetune.reading import strict_yaml
from finetune.sweeps.members import Member
from finetune.workspace import LOCK, Workspace, check_free
from harness.errors import ConfigError
from harness.whole_files import is_partial, write_text

SWEEP = "sweep.yaml"
MEMBERS = "members"
_HEAD = "# A sweep of selfcheck: each member is a finetuning in members/NAME.\n"


def member_folder(folder: Path, member: Member) -> Path:
    """Give the folder of a member."""
    return folder / MEMBERS / member.name


def check_sweep(folder: Path, members: Sequence[Member]) -> None:
    """Refuse a folder that holds anything but an earlier run of the same sweep.

    Raises:
        ConfigError: so it is, and says what differs; or it cannot be read.
    """
    try:
        held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        held = {name for name in held if name != LOCK and not is_partial(name, SWEEP)}
        if not folder.exists() or (folder.is_dir() and not held):
            return
        if SWEEP not in held:
            raise ConfigError(
                f"--output {folder}: holds something else than a sweep; give a new or an empty "
                "folder, or that of an earlier run of this sweep, which then goes on"
            )
        text = (folder / SWEEP).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError(f"--output {folder}: cannot be read: {err}") from err
    there, here = strict_yaml.load(text, str(folder / SWEEP))[0], _told(members)
    if there != here:
        raise ConfigError(
            f"--output {folder}: holds another sweep; give another folder. {_differ(there, here)}"
        )
    for member in members:
        check_free(member_folder(folder, member), member.recipe)


@contextmanager
def open_sweep(folder: Path, members: Sequence[Member]) -> Iterator[None]:
    """Make the folder, or go on in it, for this process alone.

    Raises:
        ConfigError: as `check_sweep`, or it cannot be written, or another process has it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = Workspace(folder).lock()
    except OSError as err:
        raise ConfigError(f"--output {folder}: cannot be written: {err.strerror}") from err
    try:
        check_sweep(folder, members)
        try:
            write_text(folder / SWEEP, _HEAD + strict_yaml.dump(_told(members)))
            (folder / MEMBERS).mkdir(exist_ok=True)
        except OSError as err:
            raise ConfigError(f"--output {folder}: cannot be written: {err.strerror}") from err
        yield
    finally:
        lock.release()


def _told(members: Sequence[Member]) -> dict[str, Any]:
    return {
        "members": {
            member.name: {**member.setting, "seed": member.recipe.seed} for member in members
        }
    }


def _differ(there: Any, here: dict[str, Any]) -> str:
    known = there.get("members") if isinstance(there, dict) else None
    if not isinstance(known, dict):
        return f"{SWEEP} tells of no members"
    ours = here["members"]
    more = [name for name in known if name not in ours]
    fewer = [name for name in ours if name not in known]
    if more or fewer:
        return (
            f"Only there: {', '.join(map(str, more)) or 'none'}; "
            f"only here: {', '.join(fewer) or 'none'}"
        )
    return f"Other values of {', '.join(name for name in ours if ours[name] != known[name])}"
