from __future__ import annotations

import itertools
import math

import pytest

from leaderboards.board import build_board
from leaderboards.entries import Entry
from tests.unit.leaderboards.making import aggregated, in_memory, number, plain


def shown(board):
    return [(place.shown, place.model) for place in board.places]


def entry(name, **tasks):
    return Entry(name, [in_memory(name, tasks)])


def test_rank_is_by_the_unweighted_mean_of_the_tasks():
    # a: (0.9 + 0.1) / 2 = 0.5; b: (0.4 + 0.4) / 2 = 0.4; c: (0.3 + 1.0) / 2 = 0.65
    board = build_board(
        [plain("a", t=0.9, u=0.1), plain("b", t=0.4, u=0.4), plain("c", t=0.3, u=1)]
    )
    assert shown(board) == [("1", "c"), ("2", "a"), ("3", "b")]
    assert [place.mean for place in board.places] == pytest.approx([0.65, 0.5, 0.4])
    assert "2 ranked tasks" in board.rule


def test_rank_equal_means_share_a_rank_and_the_next_is_skipped():
    entries = [plain("d", t=0.1), plain("c", t=0.5), plain("b", t=0.5 + 9e-10), plain("a", t=0.9)]
    assert shown(build_board(entries)) == [("1", "a"), ("2=", "b"), ("2=", "c"), ("4", "d")]


def test_rank_ties_do_not_chain():
    # each is within 1e-9 of the next, but not the last of the first
    entries = [plain("a", t=0.5), plain("b", t=0.5 - 8e-10), plain("c", t=0.5 - 16e-10)]
    assert shown(build_board(entries)) == [("1=", "a"), ("1=", "b"), ("3", "c")]


def test_rank_rounding_does_not_break_a_tie():
    # 0.1 + 0.2 is not 0.3 in binary
    entries = [plain("a", t=0.1 + 0.2), plain("b", t=0.3)]
    assert shown(build_board(entries)) == [("1=", "a"), ("1=", "b")]


def test_rank_incomplete_models_stand_below_without_mean_however_good():
    failed = aggregated("u", {}, headline="acc", failed="out of memory")
    entries = [
        plain("z-lacks-one", t=1.0),
        plain("worst", t=0.0, u=0.0),
        plain("has-nothing-to-score", t=1.0, u=None),
        entry("failed-one", t=aggregated("t", {"acc": number(1.0)}), u=failed),
    ]
    board = build_board(entries)
    names = ["failed-one", "has-nothing-to-score", "z-lacks-one"]
    assert shown(board) == [("1", "worst"), *(("-", name) for name in names)]
    assert [(p.mean, p.rank, p.tasks) for p in board.places[1:]] == [(None, None, 1)] * 3
    assert "u failed for failed-one: out of memory" in board.notes


def test_rank_task_that_nobody_has_a_value_for_leaves_all_unranked():
    failed = aggregated("u", {}, headline="acc", failed="no")
    told = {"t": aggregated("t", {"acc": number(1.0)}), "u": failed}
    board = build_board([entry("a", **told)])
    assert shown(board) == [("-", "a")]
    assert "no model has a value for u, so none is ranked" in board.notes


def test_rank_lower_is_better_counts_negatively_and_the_rule_says_so():
    def both(name, acc, error):
        told = number(error, error - 0.1, error + 0.2, higher_is_better=False)
        acc_run = aggregated("t", {"acc": number(acc, acc, acc)})
        return entry(name, t=acc_run, u=aggregated("u", {"error": told}))

    board = build_board([both("a", 0.5, 0.3), both("b", 0.5, 0.1)])
    assert shown(board) == [("1", "b"), ("2", "a")]
    # (0.5 - 0.1) / 2; the error's upper end is the mean's lower one: 0.2 - 0.2 / 2, 0.2 + 0.1 / 2
    assert board.places[0].mean == pytest.approx(0.2)
    assert (board.places[0].low, board.places[0].high) == pytest.approx((0.1, 0.25))
    assert "Lower is better for error of u" in board.rule


@pytest.mark.parametrize(
    ("task", "why"),
    [
        (aggregated("t", {"acc": number(0.5)}, headline=None), "no headline"),
        (aggregated("t", {"acc": number(0.5, higher_is_better=None)}), "no direction"),
        (aggregated("t", {"ppl": number(12.0, bounds=None)}), "not bounded"),
        (aggregated("t", {"acc": number(0.5)}, variant_of="u"), "a variant"),
    ],
)
def test_rank_task_that_cannot_be_averaged_is_listed_but_not_ranked(task, why):
    board = build_board([entry("a", t=task, u=aggregated("u", {"acc": number(0.25)}))])
    assert [told.task for told in board.headlines] == ["u"] and board.places[0].mean == 0.25
    assert any("t is not ranked" in note and why in note for note in board.notes)
    assert [(line.task, line.headline) for line in board.lines] == [("t", False), ("u", True)]


def test_rank_unknown_bounds_are_judged_by_the_values():
    told = aggregated("t", {"acc": number(0.5, bounds=None)})
    assert build_board([entry("a", t=told)]).places[0].mean == 0.5


def test_rank_no_task_to_rank_by_ranks_nobody():
    told = aggregated("t", {"acc": number(0.5)}, headline=None)
    board = build_board([entry("a", t=told)])
    assert shown(board) == [("-", "a")] and "no task is ranked, and so is no model" in board.notes


def test_rank_one_model_has_a_place_and_a_note():
    board = build_board([plain("a", t=0.5)])
    assert shown(board) == [("1", "a")]
    assert "there is one model: its rank says nothing" in board.notes


@pytest.mark.parametrize(
    ("paths", "reach"),
    [
        (("x", "x"), 0.2 / 2),  # one data set: 0.1 + 0.1
        (("x", "y"), math.hypot(0.1, 0.1) / 2),
        ((None, None), 0.2 / 2),  # perhaps one data set
        (("x", None), 0.2 / 2),
    ],
)
def test_rank_interval_of_the_mean_depends_on_the_data_sets(paths, reach):
    tasks = {
        name: aggregated(name, {"acc": number(0.5, 0.4, 0.6)}, data={"path": path})
        for name, path in zip("tu", paths, strict=True)
    }
    place = build_board([entry("a", **tasks)]).places[0]
    assert (place.low, place.high) == pytest.approx((0.5 - reach, 0.5 + reach))


def test_rank_mean_has_no_interval_where_a_task_has_none():
    place = build_board([plain("a", t=0.5)]).places[0]
    assert (place.mean, place.low, place.high) == (0.5, None, None)


def test_build_board_order_of_the_runs_changes_nothing():
    entries = [
        plain("b", t=0.5, u=0.5),
        plain("a", u=0.5, t=0.5),
        plain("c", t=0.9),
        plain("d", u=0.1, t=0.2),
    ]
    first, *others = [build_board(list(told), "d") for told in itertools.permutations(entries)]
    assert all(board == first for board in others)
    assert shown(first) == [("1=", "a"), ("1=", "b"), ("3", "d"), ("-", "c")]
    assert [line.task for line in first.lines] == ["t", "u", "t", "u", "t", "u", "t"]
