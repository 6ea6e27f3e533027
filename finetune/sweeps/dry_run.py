"""What a sweep would do, before anything is trained: for `selfcheck finetune --sweep --dry-run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finetune.reports.plan import lines, plan
from finetune.sweeps.finished import Finished, read_finished
from finetune.sweeps.folder import check_sweep, member_folder
from finetune.sweeps.members import Member
from finetune.sweeps.same_inputs import check_inputs
from finetune.workspace import RECIPE


def plan_sweep(members: Sequence[Member], folder: Path, scored: bool) -> list[str]:
    """Say line by line what each member would do; no model's weights are loaded.

    Members that would do the same are told of together.

    Raises:
        ConfigError, DataError, ModelError: as `finetune.reports.plan.plan`, or the folder is
            another sweep's, or has members that were made from something else.
    """
    check_sweep(folder, members)
    places = {member.name: member_folder(folder, member) for member in members}
    read = {name: read_finished(place, scored) for name, place in places.items()}
    done = {name: told for name, told in read.items() if isinstance(told, Finished)}
    check_inputs(members, done, folder)
    states = {
        name: "is finished" if name in done else _begun(place) for name, place in places.items()
    }
    plans: dict[tuple[str, ...], list[str]] = {}
    for member in members:
        plans.setdefault(tuple(lines(plan(member.recipe), member.recipe)), []).append(member.name)
    width = max(map(len, states))
    return [
        f"{len(members)} members in {folder}",
        *(f"  {name:{width}}  {state}" for name, state in states.items()),
        *(line for told, names in plans.items() for line in ["", f"{', '.join(names)}:", *told]),
    ]


def _begun(folder: Path) -> str:
    return "goes on" if (folder / RECIPE).is_file() else "begins"
