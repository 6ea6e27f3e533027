"""What a sweep has come to, as files for spreadsheets: sweep.csv and members.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune.beside import BASE
from finetune.reading import strict_yaml
from finetune.reports.over_seeds import Number, Spread
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
    spread = ("mean", "sd", "lowest", "highest")
    head = [
        "setting", *places, "checkpoint", "task", "metric", "headline", "higher_is_better",
        "seeds", *spread, "documents_low", "documents_high",
        *(f"to_base_{name}" for name in spread),
        "baseline", *(f"to_baseline_{name}" for name in spread),
    ]  # fmt: skip
    rows = [
        [
            row.setting, *_setting_cells(settings[row.setting], places),
            row.stage, row.task, row.metric, row.headline, row.rises,
            row.value.seeds if row.value else 0, *_ends(row.value),
            row.value and row.value.low, row.value and row.value.high,
            *_ends(row.to_base), row.baseline, *_ends(row.to_baseline),
        ]
        for row in report.settings
    ]  # fmt: skip
    return _csv(head, rows)


def members_csv(report: SweepReport) -> str:
    """Write a row per member, checkpoint, task and metric, with intervals over documents."""
    places = _places(report.members)
    settings = {member.name: member.setting for member in report.members}
    head = [
        "member", "setting", *places, "seed", "checkpoint", "task", "metric", "value", "low",
        "high", "interval", "n", "to_base", "to_base_low", "to_base_high", "baseline",
        "to_baseline", "to_baseline_low", "to_baseline_high",
    ]  # fmt: skip
    return _csv(head, [*_base_rows(report, places), *_member_rows(report, settings, places)])


def _member_rows(
    report: SweepReport, settings: Mapping[str, Mapping[str, Any]], places: Sequence[str]
) -> Iterator[list[Any]]:
    for one in report.scored:
        yield [
            one.member, one.setting, *_setting_cells(settings[one.member], places), one.seed,
            one.stage, one.task, one.metric, *_number_cells(one.value), one.value.interval.method,
            one.n, *_number_cells(one.to_base), one.baseline, *_number_cells(one.to_baseline),
        ]  # fmt: skip


def _base_rows(report: SweepReport, places: Sequence[str]) -> Iterator[list[Any]]:
    for label, run in report.bases.items():
        for task, told in run.tasks.items():
            for metric, value in told.metrics.items():
                number = Number(value.value, value.interval)
                yield [
                    label, None, *(None for _ in places), None, BASE, task, metric,
                    *_number_cells(number), value.interval.method, value.n, *[None] * 7,
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
