"""Subcommands about the tasks: tasks, link."""

from __future__ import annotations

import argparse
from typing import Any

from harness.commands.options import add_command, add_option
from harness.errors import SelfcheckError

TASKS_EPILOG = """\
example:
  selfcheck tasks
  lm_eval --include_path "$(selfcheck tasks --path)" --tasks selfcheck-sample ..."""
LINK_EPILOG = (
    "example:\n  selfcheck link && lm_eval --tasks 'selfcheck_*' ...\n  selfcheck link --remove"
)


def register(subparsers: Any) -> None:
    """Add the subcommands."""
    add_command(subparsers, "tasks", tasks, "list the tasks", TASKS_EPILOG, _tasks_options)
    add_command(
        subparsers, "link", link, "let plain lm_eval find the tasks", LINK_EPILOG, _link_options
    )


def _tasks_options(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "path", action="store_true", help="print the folder of the task files")
    add_option(
        parser, "check", action="store_true", help="build every task; exit status 1 on a fault"
    )


def _link_options(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "remove", action="store_true", help="undo")


def tasks(args: argparse.Namespace, rest: list[str]) -> int:
    """List the tasks, print their folder, or check them."""
    from harness.data import tasks_path

    if args.path:
        print(tasks_path())
        return 0
    from harness.selection import build_manager

    manager, faults = build_manager(), 0
    for name in manager.all_subtasks:
        entry = manager.task_index[name]
        line = f"{name:40} {', '.join(sorted(entry.tags))}"
        if args.check:
            try:
                line = f"{name:40} ok, version {manager.load(name)['tasks'][name].VERSION}"
            except SelfcheckError as err:
                line, faults = f"{name:40} {err}", faults + 1
        print(line)
    if args.check:
        faults += _check_files(manager)
    return int(faults > 0)


def link(args: argparse.Namespace, rest: list[str]) -> int:
    """Copy the task files into the imported lm-eval, or remove them."""
    from harness import linking

    if args.remove:
        print("removed" if linking.unlink() else "there was nothing to remove")
    else:
        print(linking.link())
    return 0


def _check_files(manager: Any) -> int:
    """Find task files that lm-eval's index left out without a word, and a stale link."""
    from harness import linking
    from harness.data import tasks_path

    known = {entry.yaml_path for entry in manager.task_index.values()}
    lost = [
        path
        for path in linking.task_files(tasks_path())
        if not path.name.startswith("_") and tasks_path() / path not in known
    ]
    for path in lost:
        print(f"{tasks_path() / path}: does not parse as a task file")
    if linking.is_stale():
        print(f"{linking.link_folder()} is from another version; run `selfcheck link` again")
    return len(lost) + linking.is_stale()
