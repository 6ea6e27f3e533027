"""What a sweep has come to, as files for spreadsheets: sweep.csv and members.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.beside import BASE
from finetune.reading import strict_yaml
from finetune.reports.over_seeds import Number, Scored, Spread
from finetune.reports.sweep import SweepReport
from finetune.sweeps.members import Member
from harness.errors import TrainingError
from harness.spreadsheet import guard
from harness.whole_files import write_text


def write_sweep_report(report: SweepReport, folder: Path) -> None:
    """Write sweep.csv and members.csv.

    Raises:
        TrainingError: they cannot be written; what there is is kept.
    """
    try:
        write_text(folder / "sweep.csv", sweep_csv(report))
        write_text(folder / "members.csv", members_csv(report))
    except OSError as err:
        raise TrainingError(
            f"{folder}: the tables cannot be written: {err.strerror or err}; the members are kept, "
            "and the same command goes on from them"
        ) from err


def sweep_csv(report: SweepReport) -> str:
    """Write a row per setting, checkpoint, task and metric."""
    places = _places(report.members)
    settings = {member.setting_name: member.setting for member in report.members}
    baselines = list(dict.fromkeys(name for row in report.settings for name in row.to_baselines))
    spread = ("mean", "sd", "lowest", "highest")
    head = [
        "setting", *places, "checkpoint", "task", "metric", "headline", "higher_is_better",
        "seeds", *spread, "documents_low", "documents_high",
        *(f"to_{name}_{end}" for name in (BASE, *baselines) for end in spread),
    ]  # fmt: skip
    rows = [
        [
            row.setting, *_setting_cells(settings[row.setting], places),
            row.stage, row.task, row.metric, row.headline, row.rises,
            row.value.seeds if row.value else 0, *_ends(row.value),
            row.value and row.value.low, row.value and row.value.high,
            *_ends(row.to_base),
            *(cell for name in baselines for cell in _ends(row.to_baselines.get(name))),
        ]
        for row in report.settings
    ]  # fmt: skip
    return _csv(head, rows)


def members_csv(report: SweepReport) -> str:
    """Write a row per member, checkpoint, task and metric, with intervals over documents."""
    places = _places(report.members)
    settings = {member.name: member.setting for member in report.members}
    baselines = list(dict.fromkeys(name for one in report.scored for name in one.to_baselines))
    head = [
        "member", "setting", *places, "seed", "checkpoint", "task", "metric", "value", "low",
        "high", "interval", "n",
        *(f"to_{name}{end}" for name in (BASE, *baselines) for end in ("", "_low", "_high")),
    ]  # fmt: skip
    changes = 3 * (1 + len(baselines))
    members = (
        [*_member_cells(one, settings[one.member], places), *_change_cells(one, baselines)]
        for one in report.scored
    )
    return _csv(head, [*_base_rows(report, places, changes), *members])


def _member_cells(one: Scored, setting: Mapping[str, Any], places: Sequence[str]) -> list[Any]:
    return [
        one.member, one.setting, *_setting_cells(setting, places), one.seed, one.stage, one.task,
        one.metric, *_number_cells(one.value), one.value.interval.method, one.n,
    ]  # fmt: skip


def _change_cells(one: Scored, baselines: Sequence[str]) -> list[float | None]:
    changes = [one.to_base, *(one.to_baselines.get(name) for name in baselines)]
    return [cell for change in changes for cell in _number_cells(change)]


def _base_rows(report: SweepReport, places: Sequence[str], changes: int) -> Iterator[list[Any]]:
    """Give the rows of the bases; their cells of changes are empty."""
    for label, run in report.bases.items():
        for task, told in run.tasks.items():
            for metric, value in told.metrics.items():
                number = Number(value.value, value.interval)
                yield [
                    label, None, *(None for _ in places), None, BASE, task, metric,
                    *_number_cells(number), value.interval.method, value.n, *[None] * changes,
                ]  # fmt: skip


def _places(members: Sequence[Member]) -> list[str]:
    return list(dict.fromkeys(place for member in members for place in member.setting))


def _setting_cells(setting: Mapping[str, Any], places: Sequence[str]) -> list[Any]:
    """Give values as a spreadsheet takes them: numbers as they are, others as YAML."""
    return [_setting_cell(setting.get(place)) for place in places]


def _setting_cell(value: Any) -> Any:
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return strict_yaml.dump(value).removesuffix("\n").removesuffix("\n...")


def _ends(told: Spread | None) -> list[float | None]:
    if told is None:
        return [None] * 4
    return [told.mean, told.deviation, told.lowest, told.highest]


def _number_cells(told: Number | None) -> list[float | None]:
    return [None] * 3 if told is None else [told.value, told.interval.low, told.interval.high]


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write rows; texts that a spreadsheet would execute are neutralised."""
    lines = io.StringIO()
    writer = csv.writer(lines)
    for row in [head, *rows]:
        writer.writerow([guard(cell) if isinstance(cell, str) else cell for cell in row])
    return lines.getvalue()
