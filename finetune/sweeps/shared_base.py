"""Members that start from one model, scored on the same tasks: it is scored once for all."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from finetune.beside import BASE
from finetune.checkpoints import identity
from finetune.scoring import evaluated_tasks, owner_of, plan_for
from finetune.sources import base_of
from finetune.sweeps.members import Member
from finetune.workspace import Workspace, open_workspace
from harness.errors import RecordError
from harness.plan import Plan
from harness.run_files import RECORD, read_run
from harness.whole_files import write_text

log = logging.getLogger(__name__)


def by_base(members: Sequence[Member]) -> list[list[Member]]:
    """Put members together whose bases are one model, loaded, asked and scored alike.

    Raises:
        ConfigError, ModelError: a model is not there.
    """
    groups: list[tuple[Plan, list[Member]]] = []
    for member in members:
        found = [group for _, group in groups if group[0].recipe.model == member.recipe.model]
        if not found:  # a plan is dear; the same model makes the same one, as the tasks are
            plan = plan_for(member.recipe, base_of(member.recipe))
            found = [group for other, group in groups if other == plan]
            if not found:
                found = [[]]
                groups.append((plan, found[0]))
        found[0].append(member)
    return [group for _, group in groups]


def lend(member: Member, folder: Path, lenders: Iterable[Path]) -> None:
    """Put the base's run of another member into a member's folder, unless it has one.

    It is linked, where the file system can, else copied; and only if it is whole, and of what base
    and data now hold.

    Args:
        folder: the member's; made if it is not there.
        lenders: folders of members with the same base.

    Raises:
        ConfigError: the folder cannot be written, or another process has it.
        DataError, MissingDataError: what is scored is not there, or not as it must be.
    """
    own = Workspace(folder).run(BASE)
    if (own / RECORD).is_file():
        return
    wanted = identity(base_of(member.recipe))
    runs = [run for lender in lenders if ((run := Workspace(lender).run(BASE)) / RECORD).is_file()]
    if not runs:
        return
    data = {name: task.split.fingerprint for name, task in evaluated_tasks(member.recipe).items()}
    found = next((run for run in runs if _is_whole(run, wanted, data)), None)
    if found is not None:
        log.info("%s: the base was scored before: %s", member.name, found)
        with open_workspace(folder, member.recipe):
            _take(found, own, wanted)


def _is_whole(run: Path, wanted: str, data: Mapping[str, str]) -> bool:
    """Say whether a run is of the wanted weights, and of the wanted documents: task -> which."""
    owner = owner_of(run)
    if not owner.is_file():
        return False
    try:
        tasks = read_run(run).tasks
    except RecordError as err:
        log.warning("%s is not used for other members: %s", run, err)
        return False
    failed = any(task.failed for task in tasks.values())
    same = {name: task.data.get("fingerprint") for name, task in tasks.items()} == data
    return not failed and same and owner.read_text(encoding="utf-8") == wanted


def _take(run: Path, own: Path, wanted: str) -> None:
    """Copy a run: all of it, or nothing; without it the base is scored again."""
    draft = own.with_name(f".{own.name}-{uuid4().hex[:12]}")
    try:
        shutil.copytree(run, draft, copy_function=_link)
        shutil.rmtree(own, ignore_errors=True)
        write_text(owner_of(own), wanted)
        draft.rename(own)
    except OSError as err:
        log.warning("%s cannot be copied, the base is scored again: %s", run, err)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)
