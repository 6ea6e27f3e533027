"""Stages compared with the base and with their baselines."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from finetune.beside import BASE, headlines, wanted
from finetune.reports.report import Report, build_report, show, write_report
from finetune.stages import Stage
from finetune.workspace import Workspace
from harness.stats import detectable_effect
from tests.records import store

HALF = [0.0, 1.0] * 20
ALL = [1.0] * 40
MOST = [1.0] * 30 + [0.0, 1.0] * 5


def runs(folder: Path, **tasks: Any) -> dict[str, Any]:
    """Store runs; each is given the values of `acc` on a first and a second task."""
    return {
        name: store(
            folder / "runs" / name,
            {"first": {"acc": one, "size": one}, "second": {"acc": two, "size": two}},
        )
        for name, (one, two) in tasks.items()
    }


def stages(folder: Path) -> list[Stage]:
    return [
        Stage("sft", folder / "sft", {"steps": 3.0}),
        Stage("laffi", folder / "laffi", {"steps": 3.0}, ("sft",)),
    ]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    told = runs(tmp_path, base=(HALF, HALF), sft=(HALF, MOST), laffi=(ALL, MOST))
    return build_report(stages(tmp_path), told, ["a note"])


def table(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def text(told: Any) -> str:
    lines = io.StringIO()
    Console(file=lines, width=200).print(told)
    return lines.getvalue()


def test_wanted_is_the_result_with_the_base_and_each_stage_with_its_baselines() -> None:
    place = Path("x")
    told = [
        Stage("answer-only", place, {}),
        Stage("mt-re", place, {}, ("answer-only",)),
        Stage("mt-cot", place, {}, ("answer-only", "mt-re")),
        Stage("lost", place, {}, ("not-scored",)),
    ]
    scored: Any = dict.fromkeys((BASE, "answer-only", "mt-re", "mt-cot", "lost"))

    assert wanted(told, scored) == [
        (BASE, "lost"),
        ("answer-only", "mt-re"),
        ("answer-only", "mt-cot"),
        ("mt-re", "mt-cot"),
    ]
    assert wanted(told, {}) == []


def test_report_compares_the_base_first_then_stages_with_their_baselines(report: Report) -> None:
    assert [(told.against, told.arm) for told in report.comparisons] == [
        (BASE, "laffi"),
        ("sft", "laffi"),
    ]
    assert report.comparison is report.comparisons[0].comparison
    beside = report.others[0].comparison
    assert (beside.base.name, beside.candidate.name) == ("sft", "laffi")
    first = next(row for row in beside.rows if (row.task, row.metric) == ("first", "acc"))
    assert first.difference == 0.5  # 20 of 40 rise from 0 to 1
    assert not report.failed


def test_headlines_are_one_family_with_p_and_effect_over_all_its_rows(report: Report) -> None:
    told = headlines(report.others)

    assert [(one.arm, one.row.task, one.row.metric) for one in told] == [
        ("laffi", "first", "acc"),
        ("laffi", "second", "acc"),
    ]
    # 20 changes, all one way: exact McNemar 2 * 0.5**20; twice that of two rows
    assert told[0].row.p == pytest.approx(2 * 0.5**20)
    assert told[0].row.adjusted_p == pytest.approx(4 * 0.5**20)
    changes = [a - b for a, b in zip(ALL, HALF, strict=True)]
    assert told[0].row.detectable == pytest.approx(
        detectable_effect(changes, list(range(40)), tests=2)
    )
    # of the comparison itself, which has four rows (two metrics of two tasks)
    whole = report.others[0].comparison.rows[0]
    assert whole.adjusted_p == pytest.approx(8 * 0.5**20)
    assert whole.detectable > told[0].row.detectable


@pytest.fixture
def several(tmp_path: Path) -> Report:
    """A stage with two baselines."""
    told = runs(
        tmp_path, base=(HALF, HALF), sft=(HALF, MOST), shuffled=(HALF, HALF), laffi=(ALL, MOST)
    )
    sft, laffi = stages(tmp_path)
    shuffled = Stage("shuffled", tmp_path, {}, ("sft",))
    return build_report([sft, shuffled, replace(laffi, baselines=("sft", "shuffled"))], told, [])


def test_headlines_of_several_baselines_are_one_family(several: Report) -> None:
    told = headlines(several.others)

    assert [(one.against, one.arm) for one in told[::2]] == [
        ("sft", "shuffled"),
        ("sft", "laffi"),
        ("shuffled", "laffi"),
    ]
    found = {(one.against, one.arm, one.row.task): one.row for one in told}
    # the two smallest p of six rows are equal, 2 * 0.5**20: Holm multiplies both by six
    for against in ("sft", "shuffled"):
        row = found[against, "laffi", "first"]
        assert row.adjusted_p == pytest.approx(12 * 0.5**20)
        changes = [a - b for a, b in zip(ALL, HALF, strict=True)]
        assert row.detectable == pytest.approx(detectable_effect(changes, list(range(40)), tests=6))


def test_write_report_writes_a_comparison_with_each_baseline(
    several: Report, tmp_path: Path
) -> None:
    write_report(several, Workspace(tmp_path))

    assert {file.name for file in tmp_path.glob("comparison-*.csv")} == {
        "comparison-shuffled-with-sft.csv",
        "comparison-laffi-with-sft.csv",
        "comparison-laffi-with-shuffled.csv",
    }


def test_write_report_writes_each_comparison(report: Report, tmp_path: Path) -> None:
    write_report(report, Workspace(tmp_path))

    assert {file.name for file in tmp_path.glob("comparison*")} == {
        "comparison.csv",
        "comparison.txt",
        "comparison-laffi-with-sft.csv",
        "comparison-laffi-with-sft.txt",
    }
    rows = table(tmp_path / "comparison-laffi-with-sft.csv")
    assert len(rows) == 4
    assert rows[0]["base_run"] == report.runs["sft"].id
    (base,) = {row["base_run"] for row in table(tmp_path / "comparison.csv")}
    assert base == report.runs[BASE].id


def test_show_tells_all_rows_of_the_result_and_headlines_of_the_others(
    report: Report, tmp_path: Path
) -> None:
    told = text(show(report, tmp_path))

    head, _, beside = told.partition("arm    against")
    assert head.count("size") == 4  # progress table and comparison, two tasks each
    assert "size" not in beside
    assert "adjusted by Holm over all rows of this table" in beside
    assert "better" in beside


def test_show_without_baselines_has_no_table_of_them(tmp_path: Path) -> None:
    told = runs(tmp_path, base=(HALF, HALF), one=(ALL, MOST))
    report = build_report([Stage("one", tmp_path, {})], told, [])

    assert report.others == []
    assert "of this table" not in text(show(report, tmp_path))


def test_report_what_cannot_be_compared_is_a_note_and_a_failure(tmp_path: Path) -> None:
    told = runs(tmp_path, base=(HALF, HALF), laffi=(ALL, MOST))
    told["sft"] = store(tmp_path / "runs" / "sft", {"other": {"acc": HALF}})

    report = build_report(stages(tmp_path), told, [])

    assert [pair.against for pair in report.comparisons] == [BASE]
    assert report.notes == [
        "sft and laffi have no task in common: other; first, second",
    ]
    assert report.failures == report.notes
    assert report.failed


def test_report_nothing_scored_is_no_failure(tmp_path: Path) -> None:
    report = build_report(stages(tmp_path), {}, [])

    assert report.comparisons == []
    assert report.comparison is None
    assert not report.failed
