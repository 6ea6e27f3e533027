from __future__ import annotations

import math
from dataclasses import fields, replace

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from harness.errors import RecordError
from leaderboards.board import Board, Line, build_board
from leaderboards.ranking import Headline, Place
from leaderboards.tables import (
    LONG,
    long_frame,
    read_long,
    read_wide,
    wide_frame,
    write_csv,
)
from tests.unit.leaderboards.making import HOSTILE, plain

TEXT = st.text(st.characters(exclude_categories=[])) | st.sampled_from(HOSTILE)
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
COUNT = st.integers(0, 2**53)
VALUES = {"text": TEXT, "number": FLOAT, "count": COUNT, "flag": st.booleans()}
LINE = st.builds(
    Line,
    **{
        name: VALUES[kind]
        if name in ("model", "task", "headline", "n", "run_id")
        else st.none() | VALUES[kind]
        for name, kind in LONG.items()
    },
)
QUICK = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_long_has_a_column_for_every_attribute_of_a_line():
    assert list(LONG) == [field.name for field in fields(Line)]


@QUICK
@given(st.lists(LINE, max_size=4))
def test_read_long_gives_what_was_written(tmp_path, lines):
    frame, file = long_frame(lines), tmp_path / "long.csv"
    write_csv(frame, file)
    assert_frame_equal(read_long(file), frame, check_exact=True)


@QUICK
@given(st.lists(LINE, min_size=1, max_size=4))
def test_long_plain_pandas_reads_equal_numbers(tmp_path, lines):
    file = tmp_path / "long.csv"
    write_csv(long_frame(lines), file)
    told = pd.read_csv(file)
    assert len(told) == len(lines) and list(told.columns) == list(LONG)
    for name in (name for name, kind in LONG.items() if kind in ("number", "count")):
        for cell, line in zip(told[name], lines, strict=True):
            expected = getattr(line, name)
            assert math.isnan(cell) if expected is None else cell == expected


def make_board(names, task, metric):
    headlines = [
        Headline(task, metric, True, None, None),
        Headline(f"{task}2", metric, True, None, None),
    ]
    lines = [
        Line(
            model=name,
            task=headline.task,
            metric=metric,
            headline=True,
            value=0.1 * place,
            low=-0.1,
            high=0.2 + place,
            n=3,
            delta=-0.1 if place else None,
            adjusted_p=0.5 if place else None,
            run_id="id",
            model_fingerprint=None,
            task_version=None,
            data_fingerprint=None,
        )
        for place, name in enumerate(names)
        for headline in headlines[: 2 - place % 2]
    ]
    places = [
        Place(
            name, None if place % 2 else place + 1, False, None if place % 2 else 0.1, None, 1e-9, 2
        )
        for place, name in enumerate(names)
    ]
    return Board(lines, places, headlines, {}, None, [])


@QUICK
@given(
    st.lists(TEXT, min_size=1, max_size=3, unique=True), TEXT.filter(lambda t: "/" not in t), TEXT
)
def test_read_wide_gives_what_was_written(tmp_path, names, task, metric):
    frame, file = wide_frame(make_board(names, task, metric)), tmp_path / "wide.csv"
    write_csv(frame, file)
    assert_frame_equal(read_wide(file), frame, check_exact=True)


def test_wide_is_a_row_per_model_in_the_boards_order():
    board = build_board([plain("worse", t=0.2), plain("better", t=0.4), plain("less", u=1.0)])
    frame = wide_frame(replace(board, headlines=board.headlines[:1]))
    assert list(frame["model"]) == [place.model for place in board.places]
    only_t = build_board([plain("worse", t=0.2), plain("better", t=0.4)])
    frame = wide_frame(only_t)
    assert list(frame["model"]) == ["better", "worse"] and list(frame["rank"]) == [1, 2]
    assert list(frame["t/acc/value"]) == [0.4, 0.2] and list(frame["t/acc/n"]) == [10, 10]
    assert list(frame["tasks"]) == [1, 1] and list(frame["ranked_tasks"]) == [1, 1]


def test_wide_columns_of_tasks_whose_names_run_into_each_other_stay_apart():
    # "a b" + "c" and "a" + "b c" would be one name if joined by spaces
    frame = wide_frame(make_board(["m"], "a b", "c"))
    assert frame.columns.is_unique


@pytest.mark.parametrize("name", [name for name in HOSTILE if name])
def test_long_no_cell_of_a_name_is_executed(tmp_path, name):
    lines = build_board([plain(name, **{name.replace("/", ""): 0.5})]).lines
    write_csv(long_frame(lines), tmp_path / "long.csv")
    told = pd.read_csv(tmp_path / "long.csv", dtype=str, keep_default_na=False)
    starts = tuple("=+-@＝＋－＠\t\r\n")
    for column in ("model", "task"):
        assert not told[column][0].lstrip(" ").startswith(starts)
    assert len((tmp_path / "long.csv").read_bytes().splitlines()) == 2
    assert read_long(tmp_path / "long.csv")["model"][0] == name


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda told: told[:-1], "line 2: is damaged"),  # truncated within the last cell
        (lambda told: told[:-30], "line 2: is damaged"),
        (lambda told: told + "m,t\n", "line 3: is damaged"),
        (lambda told: told.replace("0.5", "half", 1), "damaged"),
        (lambda told: told.replace("True", "yes", 1), "damaged"),
        (lambda told: told.replace("model,", "name,", 1), "no long.csv of a board"),
        (lambda told: "", "cannot be read"),
        (lambda told: told + ",x" * 40 + "\n", "line 3: is damaged"),
        (lambda told: told + '"', "cannot be read"),
    ],
)
def test_read_long_damaged_file_is_refused(tmp_path, change, fault):
    file = tmp_path / "long.csv"
    write_csv(long_frame(build_board([plain("m", t=0.5)]).lines), file)
    file.write_text(change(file.read_text()))
    with pytest.raises(RecordError, match=fault):
        read_long(file)


def test_read_long_and_wide_refuse_each_others_files(tmp_path):
    board = build_board([plain("m", t=0.5)])
    write_csv(long_frame(board.lines), tmp_path / "long.csv")
    write_csv(wide_frame(board), tmp_path / "wide.csv")
    with pytest.raises(RecordError):
        read_long(tmp_path / "wide.csv")
    with pytest.raises(RecordError):
        read_wide(tmp_path / "long.csv")
    with pytest.raises(RecordError, match="cannot be read"):
        read_long(tmp_path / "nothing.csv")
