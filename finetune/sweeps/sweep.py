"""A sweep from its members to what they have come to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from finetune.finetuning import finetune, processes
from finetune.sweeps.finished import Finished, read_finished
from finetune.sweeps.folder import check_sweep, member_folder, open_sweep
from finetune.sweeps.members import Member
from finetune.sweeps.same_inputs import check_inputs, find_changed
from finetune.sweeps.shared_base import by_base, lend
from finetune.sweeps.together import Together
from finetune.training.device_memory import free_memory
from harness.errors import SelfcheckError, printable

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Swept:
    """What a sweep has come to.

    Attributes:
        groups: the members, put together by what they start from.
        finished: those that are at their end, by name.
        failures: name of a member that is not -> why.
    """

    groups: Sequence[Sequence[Member]]
    finished: Mapping[str, Finished]
    failures: Mapping[str, str]


def sweep(members: Sequence[Member], folder: Path, scored: bool = True) -> Swept | None:
    """Do the members one after another; what is finished is not done again.

    A member that fails is told of, and the others go on. All ranks of `accelerate launch` must
    make the same call.

    Args:
        members: checked, one or more.
        folder: new, or that of an earlier call.
        scored: whether to score at all.

    Returns:
        None on every rank but the first.

    Raises:
        ConfigError: the folder is another sweep's, or a model is not there, or members that are
            finished were made from something else than there is now.
        DataError, MissingDataError: data of such members is not there, or not as it must be.
        TrainingError: one process of several stopped alone.
    """
    check_sweep(folder, members)
    groups = by_base(members)
    state = processes(members[0].recipe)
    with ExitStack() as stack:
        if state.is_main_process:
            stack.enter_context(open_sweep(folder, members))
        together = Together(state)
        known, _ = _read(members, folder, scored)
        check_inputs(members, known, folder)
        done = together.told(list(known))
        failures = {}
        for number, member in enumerate(members, start=1):
            told = f"member {number} of {len(members)}: {member.name}"
            if member.name in done:
                log.info("%s was finished before", told)
                continue
            log.info("%s", told)
            lenders = _lenders(member, groups, folder) if scored and state.is_main_process else []
            place = member_folder(folder, member)
            failure = _do(member, place, lenders, scored, together)
            if failure is not None:
                log.error("%s failed: %s", member.name, printable(failure))
                failures[member.name] = failure
        if not state.is_main_process:
            return None
        finished, lacking = _read(members, folder, scored)
        changed = find_changed(members, finished)
        kept = {name: one for name, one in finished.items() if name not in changed}
        return Swept(groups, kept, {**lacking, **changed, **failures})


def _read(
    members: Sequence[Member], folder: Path, scored: bool
) -> tuple[dict[str, Finished], dict[str, str]]:
    """Give the members that are at their end, and what the others lack, by name."""
    told = {member.name: read_finished(member_folder(folder, member), scored) for member in members}
    finished = {name: one for name, one in told.items() if isinstance(one, Finished)}
    return finished, {name: one for name, one in told.items() if isinstance(one, str)}


def _lenders(member: Member, groups: Sequence[Sequence[Member]], folder: Path) -> list[Path]:
    """Give the folders of the others that start from the same model."""
    group = next(group for group in groups if member in group)
    return [member_folder(folder, other) for other in group if other is not member]


def _do(
    member: Member, place: Path, lenders: Sequence[Path], scored: bool, together: Together
) -> str | None:
    """Do a member; gives why it failed, in whichever process.

    Args:
        place: its folder.
        lenders: folders that may hold the base's run; none where that is for another process.
    """
    prepared = _attempt(member, lambda: lend(member, place, lenders))
    if first := together.told([prepared] if prepared else []):
        return first[0]
    failure = _attempt(member, lambda: finetune(member.recipe, place, scored))
    free_memory()
    return together.meet(failure)


def _attempt(member: Member, act: Callable[[], object]) -> str | None:
    """Do something; gives why it failed."""
    try:
        act()
    except SelfcheckError as err:
        return str(err)
    except Exception as err:  # whatever it is, it is this member's: others may do without
        log.exception("%s", member.name)
        return f"{type(err).__name__}: {err}"
    return None
