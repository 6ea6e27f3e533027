"""Which models of a board are one training at several times: told by their names alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

_UNITS = ("round", "step", "epoch", "checkpoint", "iteration")
_NAME = re.compile(
    rf"(?:(?P<of>.*)[-_ /.])?(?P<unit>{'|'.join(_UNITS)})[-_ ]?(?P<at>\d{{1,12}})",
    re.IGNORECASE | re.DOTALL,
)


class Moment(NamedTuple):
    """When in its training a model was saved.

    Attributes:
        of: what was trained; empty if the name says no more than when.
        unit: what is counted: "round", "step", ...
        at: how many of them.
    """

    of: str
    unit: str
    at: int


def moment_of(name: str) -> Moment | None:
    """Read a model's name: `tuned-checkpoint-500`, `grath round 2`, `step_100`.

    >>> moment_of("grath-round-2"), moment_of("checkpoint-500"), moment_of("smollm-135")
    (Moment(of='grath', unit='round', at=2), Moment(of='', unit='checkpoint', at=500), None)
    """
    found = _NAME.fullmatch(name)
    if not found:
        return None
    return Moment(found["of"] or "", found["unit"].lower(), int(found["at"]))


def find_series(names: Sequence[str]) -> dict[str, Moment]:
    """Give the moments of those models that are one of at least two of the same training.

    Where two names tell of the same moment, it cannot be known which is meant: there is no series.
    """
    groups: defaultdict[tuple[str, str], dict[str, Moment]] = defaultdict(dict)
    for name in names:
        moment = moment_of(name)
        if moment:
            groups[moment.of, moment.unit][name] = moment
    return {
        name: moment
        for members in groups.values()
        if 1 < len(members) == len(set(members.values()))
        for name, moment in members.items()
    }
