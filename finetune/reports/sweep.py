"""What a sweep has come to: tables of its members, and over the seeds of each setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from finetune.beside import BASE, headline_of
from finetune.reports.over_seeds import Number, OverSeeds, Scored, Spread, over_seeds
from finetune.stages import Stage
from finetune.sweeps.finished import Finished
from finetune.sweeps.members import Member
from finetune.sweeps.sweep import Swept
from harness.compare import compare
from harness.errors import ComparisonError, printable
from harness.report import plain_table, show_interval, show_number
from harness.run_files import StoredRun
from harness.stats import Interval

UNSWEPT = "the recipe's own"
TRAINING = "training"
"""What facts of a training are told under, in place of a task."""
FOOT = """\
mean, sd (sample standard deviation), range: over the seeds of a setting; documents: the members'
own 95% intervals over documents, their ends averaged. The one tells what another seed would do, the
other what other documents would; neither holds the other, and they are not pooled. to base, to its
baselines: differences seed by seed over the same documents, mean (sd over seeds). Headline metrics
only; all are in sweep.csv and members.csv."""
CHOICE = (
    "the best of several settings is the best on these documents, partly by chance: score it on "
    "others before you say how good it is"
)
AMOUNTS = ("rows", "steps")
"""Facts of a training that tell how much was trained."""
_NONE = Interval(None, None, "does not apply")


@dataclass(frozen=True)
class SweepReport:
    """What a sweep has come to.

    Attributes:
        members: all, in order.
        bases: what a base is called -> its run.
        results: name of a member -> the run of its result.
        scored: every metric of every checkpoint of the finished members.
        settings: the same over seeds.
        notes: what the reader should know.
        failures: name of a member that is not at its end -> why.
    """

    members: Sequence[Member]
    bases: Mapping[str, StoredRun]
    results: Mapping[str, StoredRun]
    scored: Sequence[Scored]
    settings: Sequence[OverSeeds]
    notes: Sequence[str]
    failures: Mapping[str, str]

    @property
    def runs(self) -> dict[str, StoredRun]:
        """What makes a board, the bases first."""
        return {**self.bases, **self.results}


def build_sweep_report(swept: Swept) -> SweepReport:
    """Compare every checkpoint with its base and its baselines, and put seeds together.

    Raises:
        RecordError: samples are damaged.
    """
    notes: list[str] = []
    scored: list[Scored] = []
    members = [member for group in swept.groups for member in group]
    for member in members:
        if member.name in swept.finished:
            scored += _scored(member, swept.finished[member.name], notes)
    results = {
        member.name: told.runs[told.stages[-1].name]
        for member in members
        if (told := swept.finished.get(member.name)) is not None and told.runs
    }
    settings = over_seeds(scored)
    notes += _amount_notes(settings)
    if len({one.setting for one in settings}) > 1 and results:
        notes.append(CHOICE)
    return SweepReport(
        members,
        _bases(swept),
        results,
        scored,
        settings,
        list(dict.fromkeys(notes)),
        swept.failures,
    )


def show_sweep(report: SweepReport, folder: Path) -> Group:
    """Lay a sweep out for the terminal."""
    parts: list[Text | Table | Group] = []
    shown = [row for row in report.settings if row.headline]
    if shown:
        parts += [sweep_table(shown, report), Text(FOOT, style="dim"), Text()]
    parts += [Text(printable(f"note: {note}")) for note in report.notes]
    parts += [
        Text(printable(f"{name} failed: {why}"), style="bold red")
        for name, why in report.failures.items()
    ]
    done = len(report.members) - len(report.failures)
    return Group(*parts, Text(f"\n{done} of {len(report.members)} members finished\n{folder}"))


def sweep_table(rows: Sequence[OverSeeds], report: SweepReport) -> Table:
    """Lay out a row per setting, checkpoint and metric."""
    table = plain_table(
        ("setting", "checkpoint", "task", "metric"),
        ("seeds", "mean", "sd", "range", "documents", "to base", "to its baselines"),
    )
    for label, run in report.bases.items():
        for task, metric in dict.fromkeys((row.task, row.metric) for row in rows):
            told = run.tasks[task].metrics.get(metric) if task in run.tasks else None
            if told is not None:
                value, reach = show_number(told.value), show_interval(told.interval)
                cells = [label, "", task, metric, "", value, "", "", reach, "", ""]
                table.add_row(*(Text(printable(cell)) for cell in cells))
    table.add_section()
    shown: str | None = None
    for row in rows:
        setting, shown = ("" if row.setting == shown else row.setting or UNSWEPT), row.setting
        cells = [setting, row.stage, row.task, row.metric, *_value_cells(row.value)]
        cells += [_change(row.to_base), _changes_of(row.to_baselines)]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _amount_notes(settings: Sequence[OverSeeds]) -> list[str]:
    """Say where settings differ in how much was trained, beside in what is swept."""
    amounts: dict[str, dict[str, set[tuple[float, float]]]] = {}
    for one in settings:
        if one.task == TRAINING and one.metric in AMOUNTS and one.value is not None:
            ends = (one.value.lowest, one.value.highest)
            amounts.setdefault(one.stage, {}).setdefault(one.metric, set()).add(ends)
    told = []
    for stage, named in amounts.items():
        apart = " and ".join(name for name, ends in named.items() if len(ends) > 1)
        if apart:
            told.append(
                f"settings differ in {apart} of {stage}: its differences between them are of that, "
                "too"
            )
    return told


def _bases(swept: Swept) -> dict[str, StoredRun]:
    """Name the bases: one is "base", of several each is that of its first member."""
    found = {}
    for group in swept.groups:
        told = (swept.finished.get(member.name) for member in group)
        runs = next((one.runs for one in told if one is not None and one.runs), None)
        if runs is not None:
            label = BASE if len(swept.groups) == 1 else f"{BASE} of {group[0].name}"
            found[label] = runs[BASE]
    return found


def _scored(member: Member, finished: Finished, notes: list[str]) -> Iterator[Scored]:
    """Give every number of a member; what cannot be compared is noted."""
    for stage in finished.stages:
        names = (member.name, member.setting_name, member.recipe.seed, stage.name)
        for fact, value in stage.facts.items():
            yield Scored(*names, TRAINING, fact, Number(value, _NONE), None)
        if finished.runs:
            yield from _metrics(names, stage, finished.runs, notes)


def _metrics(
    names: tuple[str, str, int, str],
    stage: Stage,
    runs: Mapping[str, StoredRun],
    notes: list[str],
) -> Iterator[Scored]:
    base, run = runs[BASE], runs[stage.name]
    to_base = _changes(base, run, notes)
    beside = {name: _changes(runs[name], run, notes) for name in stage.baselines if name in runs}
    for task, told in run.tasks.items():
        headline = headline_of([told, base.tasks[task]] if task in base.tasks else [told])
        for metric, one in told.metrics.items():
            yield Scored(
                *names,
                task,
                metric,
                Number(one.value, one.interval),
                one.n,
                headline=metric == headline,
                rises=one.higher_is_better,
                to_base=to_base.get((task, metric)),
                to_baselines={
                    name: told[task, metric]
                    for name, told in beside.items()
                    if (task, metric) in told
                },
            )


def _changes(against: StoredRun, arm: StoredRun, notes: list[str]) -> dict[tuple[str, str], Number]:
    try:
        told = compare(against, arm, flips=0)
    except ComparisonError as err:
        notes.append(str(err))
        return {}
    return {(row.task, row.metric): Number(row.difference, row.interval) for row in told.rows}


def _value_cells(told: Spread | None) -> list[str]:
    if told is None:
        return ["0", "-", "-", "-", "-"]
    spread = f"[{told.lowest:.3f}, {told.highest:.3f}]"
    reach = show_interval(Interval(told.low, told.high, ""))
    numbers = [show_number(told.mean), show_number(told.deviation)]
    return [str(told.seeds), *numbers, spread if told.seeds > 1 else "-", reach]


def _changes_of(told: Mapping[str, Spread]) -> str:
    return "\n".join(f"{_change(one)} {name}" for name, one in told.items()) or "-"


def _change(told: Spread | None) -> str:
    if told is None:
        return "-"
    deviation = "" if told.deviation is None else f" ({told.deviation:.3f})"
    return f"{told.mean:+.3f}{deviation}"
