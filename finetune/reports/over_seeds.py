"""What members of a sweep scored, over the seeds of each setting.

Two uncertainties, kept apart: how far a number moves with the seed of training (its spread over
seeds), and how far a member's own number is known from the documents it was scored on (that
member's 95% interval). Neither holds the other: more documents do not make the first smaller,
nor more seeds the second, since all seeds are scored on the same documents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev

from harness.stats import Interval


@dataclass(frozen=True)
class Number:
    """A number of one member; None: not to be had.

    Attributes:
        interval: 95%, over documents.
    """

    value: float | None
    interval: Interval


@dataclass(frozen=True)
class Scored:
    """A metric of a checkpoint of a member.

    Attributes:
        member, setting, seed: whose.
        stage: name of the checkpoint.
        metric: of the task; what a training is told by has the task "training".
        value: its own.
        n: documents that the value is over; None: of a training.
        headline: whether a board ranks by it.
        rises: whether higher is better; None: it has no direction.
        to_base: value - base's, over documents in pairs; None: of a training.
        to_baselines: another stage that it is compared with -> value - that one's, likewise.
    """

    member: str
    setting: str
    seed: int
    stage: str
    task: str
    metric: str
    value: Number
    n: int | None
    headline: bool = False
    rises: bool | None = None
    to_base: Number | None = None
    to_baselines: Mapping[str, Number] = field(default_factory=dict)


@dataclass(frozen=True)
class Spread:
    """A number over seeds.

    Attributes:
        seeds: how many have it.
        mean: their mean.
        deviation: their sample standard deviation (n - 1); None: there is one seed only.
        lowest, highest: the ends of their range.
        low, high: means of the ends of the members' own 95% intervals over documents: about how
            far one member's number is known, not how far the mean is; None: a member has none.
    """

    seeds: int
    mean: float
    deviation: float | None
    lowest: float
    highest: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class OverSeeds:
    """A metric of a checkpoint of one setting; attributes as of `Scored`, each over the seeds.

    Attributes:
        value, to_base: None: no seed has it.
        to_baselines: without those that no seed has.
    """

    setting: str
    stage: str
    task: str
    metric: str
    headline: bool
    rises: bool | None
    value: Spread | None
    to_base: Spread | None
    to_baselines: Mapping[str, Spread]


def over_seeds(scored: Sequence[Scored]) -> list[OverSeeds]:
    """Put members that differ in nothing but the seed together, in order of first appearance."""
    groups: dict[tuple[str, str, str, str], list[Scored]] = {}
    for one in scored:
        groups.setdefault((one.setting, one.stage, one.task, one.metric), []).append(one)
    return [
        OverSeeds(
            *names,
            headline=any(one.headline for one in group),
            rises=group[0].rises,
            value=spread([one.value for one in group]),
            to_base=spread([one.to_base for one in group]),
            to_baselines=_to_baselines(group),
        )
        for names, group in groups.items()
    ]


def _to_baselines(group: Sequence[Scored]) -> dict[str, Spread]:
    names = dict.fromkeys(name for one in group for name in one.to_baselines)
    told = {name: spread([one.to_baselines.get(name) for one in group]) for name in names}
    return {name: change for name, change in told.items() if change is not None}


def spread(numbers: Sequence[Number | None]) -> Spread | None:
    """Give the spread of a number over seeds; None: no seed has it.

    Args:
        numbers: one a seed; those that are not to be had do not count.

    >>> told = spread([Number(0.25, Interval(0.0, 0.5, "t")), Number(0.75, Interval(0.5, 1, "t"))])
    >>> told.mean, round(told.deviation, 4), told.low, told.high
    (0.5, 0.3536, 0.25, 0.75)
    """
    known = [one for one in numbers if one is not None and one.value is not None]
    values = [one.value for one in known if one.value is not None]
    if not values:
        return None
    return Spread(
        seeds=len(values),
        mean=fmean(values),
        deviation=_deviation(values),
        lowest=min(values),
        highest=max(values),
        low=_mean_end([one.interval.low for one in known]),
        high=_mean_end([one.interval.high for one in known]),
    )


def _deviation(values: Sequence[float]) -> float | None:
    """Sample standard deviation; equal values have exactly 0."""
    if len(values) < 2:
        return None
    return stdev(values) if all(map(math.isfinite, values)) else None


def _mean_end(ends: Sequence[float | None]) -> float | None:
    known = [end for end in ends if end is not None]
    return fmean(known) if len(known) == len(ends) else None
