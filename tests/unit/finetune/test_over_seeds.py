"""Spread over seeds and intervals over documents, worked out by hand."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from finetune.recipe import GrathData, Model, Recipe, Score
from finetune.reports.over_seeds import Number, Scored, over_seeds, spread
from finetune.reports.sweep import build_sweep_report, show_sweep
from finetune.reports.sweep_csv import members_csv, sweep_csv
from finetune.stages import Stage
from finetune.sweeps.finished import Finished
from finetune.sweeps.members import Member
from finetune.sweeps.sweep import Swept
from harness.spreadsheet import unguard
from harness.stats import Interval
from tests.records import store


def number(value: float | None, low: float | None = None, high: float | None = None) -> Number:
    return Number(value, Interval(low, high, "a test"))


def scored(seed: int, value: float | None, setting: str = "a-1", **more: Any) -> Scored:
    return Scored(
        f"{setting}-seed-{seed}", setting, seed, "sft", "task", "acc", number(value), 10, **more
    )


def member(setting: str, seed: int, value: Any) -> Member:
    recipe = Recipe(
        method="grath",
        seed=seed,
        model=Model(name="x", chat_template=False),
        data=GrathData(questions="x/y"),
        score=Score(tasks=["x"]),
    )
    name = f"{setting}-seed-{seed}" if setting else f"seed-{seed}"
    return Member(name, {"data.alpha": value} if setting else {}, setting, recipe)


def column(*ones: int) -> list[float]:
    """Give ten documents of which these are right."""
    return [float(place in ones) for place in range(10)]


def test_spread_is_the_sample_deviation_and_keeps_the_documents_apart() -> None:
    told = spread([number(0.2, 0.1, 0.3), number(0.4, 0.2, 0.6), number(0.9, 0.6, 1.2)])

    assert told is not None
    assert told.mean == pytest.approx(0.5)
    # deviations -0.3, -0.1, 0.4: squares 0.09 + 0.01 + 0.16 = 0.26, over 2: 0.13
    assert told.deviation == pytest.approx(0.13**0.5)
    assert (told.seeds, told.lowest, told.highest) == (3, 0.2, 0.9)
    assert (told.low, told.high) == (pytest.approx(0.3), pytest.approx(0.7))


def test_spread_of_one_seed_has_no_deviation() -> None:
    told = spread([number(0.25, 0.0, 0.5)])

    assert told is not None
    assert (told.seeds, told.mean, told.deviation) == (1, 0.25, None)


def test_spread_seeds_without_the_number_do_not_count() -> None:
    told = spread([number(None), number(0.5), None])

    assert told is not None
    assert (told.seeds, told.mean, told.low) == (1, 0.5, None)
    assert spread([number(None), None]) is None


def test_spread_of_equal_values_is_zero() -> None:
    told = spread([number(0.1), number(0.1), number(0.1)])

    assert told is not None
    assert told.deviation == 0.0


def test_over_seeds_settings_are_kept_apart_and_seeds_put_together() -> None:
    told = over_seeds(
        [
            scored(1, 0.25, to_base=number(0.1)),
            scored(1, 0.5, "a-2"),
            scored(2, 0.75, to_base=number(-0.3)),
            scored(2, None, "a-2"),
        ]
    )

    assert [one.setting for one in told] == ["a-1", "a-2"]
    first, second = told
    assert first.value is not None
    assert (first.value.mean, first.value.seeds) == (0.5, 2)
    assert first.to_base is not None
    # differences 0.1 and -0.3: mean -0.1, deviation 0.4 / sqrt(2)
    assert first.to_base.mean == pytest.approx(-0.1)
    assert first.to_base.deviation == pytest.approx(0.4 / 2**0.5)
    assert second.value is not None
    assert (second.value.seeds, second.value.deviation) == (1, None)
    assert second.to_base is None


@pytest.fixture
def swept(tmp_path: Path) -> Swept:
    """Two seeds of one setting, an arm and its baseline each, and a member that failed."""
    base = store(tmp_path / "base", {"task": {"acc": column(0, 1), "size": column(0)}})
    right = {  # of the ten documents
        1: (column(0, 1, 2, 3), column(0, 1, 2, 3, 4, 5)),
        2: (column(0, 1, 2, 3), column(0, 1, 2, 3)),
    }
    members = [member("alpha-=1", seed, "=1") for seed in (1, 2)]
    finished = {}
    for one, (sft, laffi) in zip(members, right.values(), strict=True):
        runs = {"base": base}
        for name, values in (("sft", sft), ("laffi", laffi)):
            told = {"task": {"acc": values, "size": values}}
            runs[name] = store(tmp_path / one.name / name, told)
        stages = [
            Stage("sft", tmp_path, {"steps": 3.0}),
            Stage("laffi", tmp_path, {"steps": 4.0}, ("sft",)),
        ]
        finished[one.name] = Finished(stages, runs, {})
    lost = member("alpha-2", 1, 2)
    return Swept([[*members, lost]], finished, {lost.name: "diverged \x1b[2J"})


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_sweep_csv_has_a_row_per_setting_checkpoint_task_and_metric(swept: Swept) -> None:
    told = rows(sweep_csv(build_sweep_report(swept)))

    assert len(told) == 2 * (2 + 1)  # checkpoints, metrics and a fact
    (row,) = [one for one in told if (one["checkpoint"], one["metric"]) == ("laffi", "acc")]
    # 0.6 and 0.4: mean 0.5, deviation 0.2 / sqrt(2); base 0.2; sft 0.4 both times
    assert (row["seeds"], float(row["mean"])) == ("2", 0.5)
    assert float(row["sd"]) == pytest.approx(0.2 / 2**0.5)
    assert float(row["to_base_mean"]) == pytest.approx(0.3)
    assert (float(row["to_base_lowest"]), float(row["to_base_highest"])) == (
        pytest.approx(0.2),
        pytest.approx(0.4),
    )
    assert float(row["to_sft_mean"]) == pytest.approx(0.1)
    assert float(row["to_sft_sd"]) == pytest.approx(0.2 / 2**0.5)
    assert row["headline"] == "True"
    (fact,) = [one for one in told if (one["checkpoint"], one["task"]) == ("sft", "training")]
    assert (fact["metric"], fact["mean"], fact["sd"]) == ("steps", "3.0", "0.0")
    assert fact["to_base_mean"] == ""


def test_members_csv_has_document_intervals_of_each_and_the_base_once(swept: Swept) -> None:
    told = rows(members_csv(build_sweep_report(swept)))

    own = [one for one in told if one["metric"] == "acc" and one["checkpoint"] == "laffi"]
    assert [(one["seed"], one["value"], one["n"]) for one in own] == [
        ("1", "0.6", "10"),
        ("2", "0.4", "10"),
    ]
    assert all(float(one["low"]) < float(one["value"]) < float(one["high"]) for one in own)
    assert {one["interval"] for one in own} == {"Wilson"}
    assert [one["member"] for one in told if one["checkpoint"] == "base"] == ["base", "base"]


def test_sweep_tables_neutralise_what_a_spreadsheet_would_execute(swept: Swept) -> None:
    report = build_sweep_report(swept)

    for text in (sweep_csv(report), members_csv(report)):
        cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
        found = [one["data.alpha"] for one in rows(text) if one["data.alpha"]]
        assert {unguard(cell) for cell in found} == {"=1"}
        assert set(found) == {"'=1"}


def test_show_sweep_tells_headlines_failures_and_both_uncertainties(
    swept: Swept, tmp_path: Path
) -> None:
    said = io.StringIO()
    Console(file=said, width=200).print(show_sweep(build_sweep_report(swept), tmp_path))

    told = said.getvalue()
    lines = [line.split() for line in told.splitlines()]
    (laffi,) = [line for line in lines if "laffi" in line]
    assert laffi[:6] == ["laffi", "task", "acc", "2", "0.500", "0.141"]
    assert laffi[-3:] == ["+0.100", "(0.141)", "sft"]
    assert "size" not in told
    assert "alpha-2-seed-1 failed: diverged" in told
    assert "\x1b" not in told
    assert "they are not pooled" in told
    assert "2 of 3 members finished" in told


def with_two_baselines(swept: Swept) -> Swept:
    finished = {}
    for name, told in swept.finished.items():
        sft, laffi = told.stages
        shuffled = replace(sft, name="shuffled")
        runs = {**told.runs, "shuffled": told.runs["base"]}
        arm = replace(laffi, baselines=("sft", "shuffled"))
        finished[name] = Finished([sft, shuffled, arm], runs, {})
    return replace(swept, finished=finished)


def test_sweep_compares_an_arm_with_each_of_its_baselines(swept: Swept, tmp_path: Path) -> None:
    report = build_sweep_report(with_two_baselines(swept))

    (row,) = [
        one
        for one in rows(sweep_csv(report))
        if (one["checkpoint"], one["metric"]) == ("laffi", "acc")
    ]
    assert float(row["to_sft_mean"]) == pytest.approx(0.1)
    assert float(row["to_shuffled_mean"]) == pytest.approx(0.3)  # scored as the base: 0.2
    own = [
        one
        for one in rows(members_csv(report))
        if (one["checkpoint"], one["metric"]) == ("laffi", "acc")
    ]
    assert [float(one["to_shuffled"]) for one in own] == pytest.approx([0.4, 0.2])
    assert all(one["to_shuffled_low"] for one in own)
    said = io.StringIO()
    Console(file=said, width=200).print(show_sweep(report, tmp_path))
    assert "+0.100 (0.141) sft" in said.getvalue()
    assert "+0.300 (0.141) shuffled" in said.getvalue()


def test_sweep_settings_that_differ_in_steps_or_rows_are_noted(swept: Swept) -> None:
    first, second = list(swept.finished)
    apart = member("alpha-3", 1, 3)
    sft, laffi = swept.finished[second].stages
    longer = [replace(sft, facts={"rows": 9.0, "steps": 7.0}), laffi]
    again = {first: swept.finished[first], apart.name: Finished(longer, {}, {})}
    members = [swept.groups[0][0], apart]

    notes = build_sweep_report(Swept([members], again, {})).notes

    assert [note for note in notes if "differ" in note] == [
        "settings differ in steps of sft: its differences between them are of that, too"
    ]
    same = build_sweep_report(swept).notes
    assert not [note for note in same if "differ" in note]


def test_build_sweep_report_results_and_bases_make_a_board(swept: Swept) -> None:
    report = build_sweep_report(swept)

    assert list(report.runs) == ["base", "alpha-=1-seed-1", "alpha-=1-seed-2"]
    assert report.results["alpha-=1-seed-1"].name == "laffi"


def test_build_sweep_report_several_bases_have_names_of_their_own(swept: Swept) -> None:
    first, second, lost = swept.groups[0]
    apart = Swept([[first, lost], [second]], swept.finished, swept.failures)

    assert list(build_sweep_report(apart).bases) == [
        "base of alpha-=1-seed-1",
        "base of alpha-=1-seed-2",
    ]


def test_build_sweep_report_without_scores_tells_trainings_only(swept: Swept) -> None:
    bare = {name: Finished(told.stages, {}, {}) for name, told in swept.finished.items()}

    report = build_sweep_report(Swept(swept.groups, bare, swept.failures))

    assert report.runs == {}
    assert {one["task"] for one in rows(sweep_csv(report))} == {"training"}
