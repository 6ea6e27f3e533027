"""A board: every number of every model, and the models in order. Data in, data out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness import stats
from harness.compare import LEVEL, Change, change
from harness.errors import ConfigError, unknown
from harness.run_files import StoredRun
from harness.runs import Metric, TaskRun
from harness.stats.unpaired import METHOD as UNPAIRED
from leaderboards.comparable import Documents, leave_out_simulated, read_documents
from leaderboards.deltas import Delta, find_deltas
from leaderboards.entries import Entry, check_entries, choose_tasks
from leaderboards.notes import board_notes
from leaderboards.ranking import Headline, Place, find_headlines, rank


@dataclass(frozen=True, kw_only=True)
class Line:
    """A metric of a task of a model: a row of long.csv. None: unknown, or does not apply.

    Attributes:
        metric: None: the task has no metrics, `failed` may say why.
        headline: whether the model is ranked by it.
        low, high: 95% interval of the value; `interval_method` says how it was made.
        n: documents to which the metric applies.
        delta: value - base's, over the `delta_n` documents to which it applies in both.
        p, adjusted_p: two-sided, by `test`; Benjamini-Hochberg's over the whole board.
        run_id: `StoredRun.id`.
    """

    model: str
    task: str
    metric: str | None = None
    headline: bool = False
    value: float | None = None
    low: float | None = None
    high: float | None = None
    interval_method: str | None = None
    n: int = 0
    chance: float | None = None
    higher_is_better: bool | None = None
    delta: float | None = None
    delta_n: int | None = None
    p: float | None = None
    adjusted_p: float | None = None
    test: str | None = None
    run_id: str
    model_fingerprint: str | None
    task_version: str | None
    data_fingerprint: str | None
    failed: str | None = None

    @property
    def paired(self) -> bool | None:
        """Whether delta and p are from documents in pairs; None: there is no p."""
        return None if self.p is None else self.test != UNPAIRED

    @property
    def change(self) -> Change:
        """What the paired test against the base says; an unpaired one says nothing here."""
        if not self.paired:
            return "cannot be told"
        return change(self.delta, self.adjusted_p, self.higher_is_better)


@dataclass(frozen=True)
class Board:
    """What a leaderboard says.

    Attributes:
        lines: by the models' places, then task, then metric as the task has them.
        places: the models, ranked ones first.
        headlines: the tasks that are ranked by, sorted.
        unranked: the other tasks, with the reason.
        base: the model that deltas are to; None: there are none.
        notes: what the reader should know.
    """

    lines: Sequence[Line]
    places: Sequence[Place]
    headlines: Sequence[Headline]
    unranked: Mapping[str, str]
    base: str | None
    notes: Sequence[str]

    @property
    def tests(self) -> int:
        """How many p values were adjusted together."""
        return sum(line.p is not None for line in self.lines)

    @property
    def rule(self) -> str:
        """How the models are ranked, in words."""
        number = len(self.headlines)
        tasks = "1 ranked task" if number == 1 else f"{number} ranked tasks"
        falling = [f"{told.metric} of {told.task}" for told in self.headlines if not told.rises]
        less = f" Lower is better for {', '.join(falling)}: counted negatively." if falling else ""
        return (
            f"Ranked by the mean of the headline metrics of {tasks}, each task weighing the same; "
            f"higher is better.{less} Means that differ by no more than 1e-9 share a rank (=). "
            "A model without a value for one of these tasks has no mean and no rank, and stands "
            "below the ranked ones. Intervals are 95%; the mean's takes tasks on one data set for "
            "fully dependent, those on different data for independent."
        )

    @property
    def base_rule(self) -> str:
        """What deltas and their p values are, in words."""
        if self.base is None:
            return "No base is declared: there are no deltas."
        return (
            f"Delta: model minus {self.base} (the base), over the documents to which the metric "
            f"applies in both. p is adjusted over all {self.tests} tests of the board "
            f"(Benjamini-Hochberg); *: adjusted p < {LEVEL:g}."
        )


def build_board(
    entries: Sequence[Entry], base: str | None = None, patterns: Sequence[str] = ("*",)
) -> Board:
    """Put models on a board.

    Args:
        base: the model that the others are compared with; None: no deltas.
        patterns: names of tasks, or glob patterns.

    Raises:
        ConfigError: there are no runs, a name, task or run is given twice, or a name is unknown.
        ComparisonError: the scores may not stand in one table; names every difference.
        RecordError: samples are damaged.
    """
    entries = check_entries(entries)
    known = {entry.name: entry for entry in entries}
    if base is not None and base not in known:
        raise ConfigError(unknown("model as --base", base, known))
    tasks, apart = leave_out_simulated(entries, choose_tasks(entries, patterns))
    documents = read_documents(entries, tasks)
    headlines, unranked = find_headlines(entries, tasks)
    places = rank(entries, headlines)
    lines = [
        line
        for place in places
        for task in tasks
        for line in _lines(known[place.model], task, headlines, _metrics_of(entries, task))
    ]
    if base is not None:
        lines = _with_deltas(lines, _all_deltas(entries, known[base], tasks, documents))
    notes = [*apart, *(f"{task} is not ranked: {why}" for task, why in unranked.items())]
    notes += board_notes(entries, tasks, headlines, documents, base)
    return Board(lines, places, headlines, unranked, base, notes)


def _metrics_of(entries: Iterable[Entry], task: str) -> list[str]:
    """Give the metrics of a task in one order, whoever has them."""
    found = (entry.tasks[task].metrics for entry in entries if task in entry.tasks)
    return list(dict.fromkeys(name for metrics in found for name in metrics))


def _lines(
    entry: Entry, task: str, headlines: Sequence[Headline], metrics: Sequence[str]
) -> Iterator[Line]:
    if task not in entry.tasks:
        return
    run = entry.run_of(task)
    told = run.tasks[task]
    plain = _plain_line(entry.name, task, run, told)
    if not told.metrics:
        yield plain
    chosen = {headline.metric for headline in headlines if headline.task == task}
    for name in metrics:
        if name in told.metrics:
            yield _metric_line(plain, name, told.metrics[name], name in chosen)


def _plain_line(model: str, task: str, run: StoredRun, told: TaskRun) -> Line:
    return Line(
        model=model,
        task=task,
        run_id=run.id,
        model_fingerprint=run.record.model.fingerprint,
        task_version=None if told.version is None else str(told.version),
        data_fingerprint=_text(told.data.get("fingerprint")),
        failed=told.failed,
    )


def _metric_line(plain: Line, name: str, metric: Metric, headline: bool) -> Line:
    return replace(
        plain,
        metric=name,
        headline=headline,
        value=metric.value,
        low=metric.interval.low,
        high=metric.interval.high,
        interval_method=metric.interval.method,
        n=metric.n,
        chance=metric.chance,
        higher_is_better=metric.higher_is_better,
    )


def _all_deltas(
    entries: Sequence[Entry],
    base: Entry,
    tasks: Sequence[str],
    documents: Mapping[str, Documents],
) -> dict[tuple[str, str, str], Delta]:
    return {
        (model, task, metric): delta
        for task in tasks
        for (model, metric), delta in find_deltas(entries, base, task, documents[task]).items()
    }


def _with_deltas(lines: Sequence[Line], deltas: Mapping[tuple[str, str, str], Delta]) -> list[Line]:
    found = [deltas.get((line.model, line.task, line.metric or "")) for line in lines]
    adjusted = stats.benjamini_hochberg([delta.p if delta else None for delta in found])
    return [
        replace(
            line, delta=told.value, delta_n=told.n, p=told.p, adjusted_p=adjusted_p, test=told.test
        )
        if told
        else line
        for line, told, adjusted_p in zip(lines, found, adjusted, strict=True)
    ]


def _text(told: object) -> str | None:
    return None if told is None else str(told)
