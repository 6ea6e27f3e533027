"""Our task files next to lm-eval's own: plain `lm_eval --tasks 'selfcheck_*'` then finds them."""

from __future__ import annotations

import filecmp
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

from harness.data import tasks_path
from harness.errors import ConfigError

NAME = "selfcheck"


def link_folder() -> Path:
    """Give the folder in the *imported* lm-eval (which may be an editable one).

    Raises:
        ConfigError: lm-eval cannot be imported from here.
    """
    spec = find_spec("lm_eval")
    if spec is None or not spec.origin:
        raise ConfigError("lm_eval cannot be imported here: pip install lm-eval")
    return Path(spec.origin).parent / "tasks" / NAME


def link() -> Path:
    """Copy the task files, in place of what an earlier version left; give the folder.

    Raises:
        ConfigError: lm-eval is not there, or its folder cannot be written.
    """
    target = link_folder()
    try:
        draft = Path(tempfile.mkdtemp(prefix=f".{NAME}-", dir=target.parent))
    except OSError as err:
        raise ConfigError(
            f"{target.parent} cannot be written ({err.strerror}): use lm_eval --include_path "
            '"$(selfcheck tasks --path)"'
        ) from err
    for name in task_files(tasks_path()):
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tasks_path() / name, draft / name)
    draft.chmod(0o755)
    unlink()
    return draft.rename(target)


def unlink() -> bool:
    """Remove the copied task files; say whether there were any."""
    target = link_folder()
    if not target.exists():
        return False
    shutil.rmtree(target)
    return True


def is_stale() -> bool:
    """Say whether there is a copy that differs from the installed task files."""
    target = link_folder()
    if not target.exists():
        return False
    ours, theirs = task_files(tasks_path()), task_files(target)
    return ours != theirs or any(
        not filecmp.cmp(tasks_path() / name, target / name, shallow=False) for name in ours
    )


def task_files(folder: Path) -> list[Path]:
    """List the task files under a folder, relative to it."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*.yaml"))
