"""Ranks: by the mean over tasks of each task's headline metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.questions import SELF
from harness.runs import Metric, TaskRun
from leaderboards.comparable import scored
from leaderboards.entries import Entry

TIE = 1e-9
REACH = 1.0


@dataclass(frozen=True)
class Headline:
    """What a task adds to the mean.

    Attributes:
        rises: whether higher is better; if not, it counts negatively.
        chance: what guessing gives; None if that is no fixed number.
        source: which data set; tasks on one share documents. None: unknown.
    """

    task: str
    metric: str
    rises: bool
    chance: float | None
    source: str | None


@dataclass(frozen=True)
class Place:
    """A model's place on the board.

    Attributes:
        rank: 1 is best; None: incomplete, not ranked.
        tied: whether others have the same rank.
        mean: over all ranked tasks; None: incomplete.
        low, high: its 95% interval; None: not to be had.
        tasks: how many of the ranked tasks it has a value for.
    """

    model: str
    rank: int | None
    tied: bool
    mean: float | None
    low: float | None
    high: float | None
    tasks: int

    @property
    def shown(self) -> str:
        """The rank as tables write it: `2=` if it is shared, a dash if there is none."""
        return "-" if self.rank is None else f"{self.rank}{'=' if self.tied else ''}"


def find_headlines(
    entries: Sequence[Entry], tasks: Sequence[str]
) -> tuple[list[Headline], dict[str, str]]:
    """Give the tasks to rank by, and of the others why they are not."""
    headlines, unranked = [], {}
    for task in tasks:
        runs = [entry.tasks[task] for entry in entries if task in entry.tasks]
        told = _headline(task, runs)
        if isinstance(told, Headline):
            headlines.append(told)
        else:
            unranked[task] = told
    return headlines, unranked


def rank(entries: Sequence[Entry], headlines: Sequence[Headline]) -> list[Place]:
    """Place the models: complete ones by rank, then incomplete ones; within a rank by name."""
    places = [_unranked(entry, headlines) for entry in entries]
    ordered = sorted(
        (place for place in places if place.mean is not None),
        key=lambda place: (-(place.mean or 0.0), place.model),
    )
    ranked: list[Place] = []
    while len(ranked) < len(ordered):
        ranked += _tied(ordered[len(ranked) :], len(ranked) + 1)
    return ranked + sorted(
        (place for place in places if place.mean is None), key=lambda place: place.model
    )


def has_value(entry: Entry, headline: Headline) -> bool:
    """Say whether a model has a value for what a task is ranked by."""
    metric = _metric(entry, headline)
    return metric is not None and metric.value is not None


def _headline(task: str, runs: Sequence[TaskRun]) -> Headline | str:
    """Say what a task is ranked by, or why it is not."""
    if any(run.variant_of != task for run in runs):
        return "it is a variant of another task"
    told = sorted(runs, key=lambda run: run.simulated_by != SELF)  # it has no gain: none counts
    name = next((run.headline for run in told if run.headline is not None), None)
    if name is None:
        return "it has no headline metric"
    metrics = [run.metrics[name] for run in runs if name in run.metrics]
    rises = next((m.higher_is_better for m in metrics if m.higher_is_better is not None), None)
    if metrics and rises is None:
        return f"{name} has no direction"
    if not all(map(_is_share, metrics)):
        return f"{name} is not bounded by -1 and 1, a mean with others has no meaning"
    chance = next((metric.chance for metric in metrics if metric.chance is not None), None)
    source = next((run.data["path"] for run in runs if run.data.get("path")), None)
    return Headline(task, name, rises is not False, chance, source)


def _is_share(metric: Metric) -> bool:
    """Whether it moves in [-1, 1]: by its bounds, or if they are unknown by its value.

    A gain counts as one though it is unbounded below: it is the share of what there was to gain, 0
    and 1 mean what they mean elsewhere, and below 0 it can but cost its model ranks.
    """
    if metric.of is not None:
        return True
    told = metric.bounds or (metric.value or 0.0,)
    return all(-REACH <= end <= REACH for end in told)


def _unranked(entry: Entry, headlines: Sequence[Headline]) -> Place:
    found = {
        headline: metric
        for headline in headlines
        if (metric := _metric(entry, headline)) is not None and metric.value is not None
    }
    if not headlines or len(found) < len(headlines):
        return Place(entry.name, None, False, None, None, None, len(found))
    values = [(m.value or 0.0) * (1 if told.rises else -1) for told, m in found.items()]
    mean = math.fsum(values) / len(values)
    below, above = _reach(found, upwards=False), _reach(found, upwards=True)
    low = None if below is None else mean - below
    high = None if above is None else mean + above
    return Place(entry.name, None, False, mean, low, high, len(found))


def _metric(entry: Entry, headline: Headline) -> Metric | None:
    runs = scored([entry], headline.task)
    return runs[entry.name].metrics.get(headline.metric) if runs else None


def _reach(found: Mapping[Headline, Metric], *, upwards: bool) -> float | None:
    """Give how far the end of the mean's 95% interval is from it.

    The distance to an interval's end stands for 1.96 standard errors on that side (MOVER, as in
    `harness.stats.unpaired_difference`). Standard errors of sums that depend on each other in an
    unknown way add up at most; tasks on one data set share documents, so theirs do. Those of
    independent sums add in squares. A task on unknown data may depend on every other.
    """
    unknown = any(headline.source is None for headline in found)
    sources: dict[str | None, float] = {}
    for headline, metric in found.items():
        rises = headline.rises == upwards
        end = metric.interval.high if rises else metric.interval.low
        if end is None or metric.value is None:
            return None
        distance = max(0.0, end - metric.value if rises else metric.value - end)
        source = None if unknown else headline.source
        sources[source] = sources.get(source, 0.0) + distance
    return math.hypot(*sources.values()) / len(found)


def _tied(ordered: Sequence[Place], number: int) -> list[Place]:
    """Give the first of the ordered places, and those whose mean is the same, their rank."""
    best = ordered[0].mean or 0.0
    same = [place for place in ordered if best - (place.mean or 0.0) <= TIE]
    return [
        Place(p.model, number, len(same) > 1, p.mean, p.low, p.high, p.tasks)
        for p in sorted(same, key=lambda place: place.model)
    ]
