"""Are the finished members of a sweep made from what the others will be made from?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from finetune.inputs import inputs_of
from finetune.scoring import evaluated_splits, evaluated_tasks
from finetune.sweeps.finished import Finished
from finetune.sweeps.members import Member
from harness.data import load_split
from harness.errors import ConfigError


def check_inputs(members: Sequence[Member], finished: Mapping[str, Finished], folder: Path) -> None:
    """Refuse to go on with a sweep whose finished members were made from something else.

    Args:
        finished: by name.
        folder: of the sweep, for messages.

    Raises:
        ConfigError: so it is; names the members, and what differs.
        DataError, MissingDataError: their data is not there, or not as it must be.
    """
    changed = find_changed(members, finished)
    if changed:
        told = "\n".join(f"  {name}: {why}" for name, why in changed.items())
        raise ConfigError(
            f"--output {folder}: members would not be comparable; give another folder, or bring "
            f"back what was there:\n{told}"
        )


def find_changed(members: Sequence[Member], finished: Mapping[str, Finished]) -> dict[str, str]:
    """Name the finished members whose inputs have changed since: name -> what differs.

    Raises:
        DataError, MissingDataError: data is not there, or not as it must be.
    """
    done = [member for member in members if member.name in finished]
    if not done:
        return {}
    evaluated = evaluated_splits(evaluated_tasks(done[0].recipe))  # `score` is never swept
    changed = {}
    for member in done:
        there = finished[member.name].inputs
        here = inputs_of(member.recipe, load_split(member.recipe.data.ref), evaluated)
        names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
        if names:
            changed[member.name] = f"made from other inputs than there are now: {', '.join(names)}"
    return changed
