from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from leaderboards.board import build_board
from leaderboards.entries import Entry
from tests.unit.leaderboards.making import aggregated, in_memory, model, number, plain

UP, DOWN = [1.0] * 6 + [0.0] * 2, [0.0] * 6 + [0.0] * 2


def deltas(board):
    return {
        (line.model, line.task, line.metric): line
        for line in board.lines
        if line.delta is not None or line.test is not None
    }


def test_build_board_lines_tell_what_the_record_tells(tmp_path):
    values = {"t": {"acc": UP, "size": [0.5] * 8}}
    told = model(tmp_path, "a", values, fingerprint="weights", directions={"size": None})
    board = build_board([told])
    first, second = board.lines
    recorded = told.runs[0].tasks["t"].metrics["acc"]
    assert (first.model, first.task, first.metric, first.headline) == ("a", "t", "acc", True)
    assert (first.value, first.low, first.n) == (0.75, recorded.interval.low, 8)
    assert (first.interval_method, first.higher_is_better) == ("Wilson", True)
    assert (first.run_id, first.model_fingerprint) == (told.runs[0].id, "weights")
    assert (first.task_version, first.data_fingerprint) == ("1.0", "f" * 64)
    assert (second.metric, second.headline, second.higher_is_better) == ("size", False, None)


def test_build_board_failed_task_keeps_a_line():
    failed = aggregated("t", {}, headline="acc", failed="out of memory")
    (line,) = build_board([Entry("a", [in_memory("a", {"t": failed})])]).lines
    assert (line.metric, line.value, line.n, line.failed) == (None, None, 0, "out of memory")


def test_build_board_without_base_has_no_deltas(tmp_path):
    board = build_board([model(tmp_path, "a", {"t": {"acc": UP}})])
    assert deltas(board) == {} and board.tests == 0
    assert board.base_rule == "No base is declared: there are no deltas."


def test_build_board_delta_is_paired_and_exact(tmp_path):
    # 6 documents rise, none falls: McNemar's p = 2 / 2**6 = 0.03125; one test: adjusted alike
    entries = [
        model(tmp_path, "base", {"t": {"acc": DOWN}}),
        model(tmp_path, "a", {"t": {"acc": UP}}),
    ]
    board = build_board(entries, "base")
    ((key, line),) = deltas(board).items()
    assert key == ("a", "t", "acc")
    assert (line.delta, line.delta_n, line.p, line.adjusted_p) == (0.75, 8, 0.03125, 0.03125)
    assert line.test == "exact McNemar"


def test_build_board_documents_are_paired_by_hash_not_by_place(tmp_path):
    entries = [
        model(tmp_path, "base", {"t": {"acc": [1.0, 0.0, 1.0]}}, numbers=[0, 1, 2]),
        model(tmp_path, "a", {"t": {"acc": [1.0, 1.0, 0.0]}}, numbers=[2, 0, 1]),
    ]
    ((_, line),) = deltas(build_board(entries, "base")).items()
    assert (line.delta, line.p) == (0.0, 1.0)  # no document differs


def test_build_board_delta_is_over_documents_that_both_have(tmp_path):
    # both have documents 1 and 2: (1 - 0 + 1 - 1) / 2; the values are over 2 and 3 documents
    entries = [
        model(tmp_path, "base", {"t": {"lift": [None, 0.0, 1.0]}}),
        model(tmp_path, "a", {"t": {"lift": [0.0, 1.0, 1.0]}}),
    ]
    ((_, line),) = deltas(build_board(entries, "base")).items()
    assert (line.delta, line.delta_n, line.n) == (0.5, 2, 3)
    assert line.value == pytest.approx(2 / 3)


def test_build_board_clusters_are_told_apart_by_the_base(tmp_path):
    # two clusters of four: flips of two signs: p = 2 / 4, not McNemar's
    values = [{"t": {"acc": [0.0] * 8}}, {"t": {"acc": [1.0] * 8}}]
    entries = [
        model(tmp_path, name, told, clusters=list("xxxxyyyy"))
        for name, told in zip(("base", "a"), values, strict=True)
    ]
    ((_, line),) = deltas(build_board(entries, "base")).items()
    assert (line.p, line.test) == (0.5, "paired permutation")


def test_build_board_p_is_adjusted_over_all_models_tasks_and_metrics(tmp_path):
    # risen documents 6, 5, 4, 3 of 8: p = 2/64, 2/32, 2/16, 2/8 (McNemar)
    # times 4/1, 4/2, 4/3, 4/4: 0.125, 0.125, 1/6, 0.25
    def values(*risen):
        columns = [[1.0] * count + [0.0] * (8 - count) for count in risen]
        return {
            "t": {"acc": columns[0], "f1": columns[1]},
        }

    entries = [
        model(tmp_path, "base", values(0, 0)),
        model(tmp_path, "a", values(6, 5)),
        model(tmp_path, "b", values(4, 3)),
    ]
    board = build_board(entries, "base")
    found = {key: (line.p, line.adjusted_p) for key, line in deltas(board).items()}
    assert board.tests == 4 and "all 4 tests" in board.base_rule
    assert found["a", "t", "acc"] == pytest.approx((0.03125, 0.125))
    assert found["a", "t", "f1"] == pytest.approx((0.0625, 0.125))
    assert found["b", "t", "acc"] == pytest.approx((0.125, 1 / 6))
    assert found["b", "t", "f1"] == pytest.approx((0.25, 0.25))


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=6, unique=True))
def test_build_board_adjusted_p_agrees_with_statsmodels(values):
    entries = [
        Entry(
            f"m{place}",
            [in_memory(f"m{place}", {"t": aggregated("t", {"acc": number(v, v - 0.1, v + 0.1)})})],
        )
        for place, v in enumerate(values)
    ]
    lines = [line for line in build_board(entries, "m0").lines if line.p is not None]
    expected = multipletests([line.p for line in lines], method="fdr_bh")[1]
    assert [line.adjusted_p for line in lines] == pytest.approx(expected.tolist())


def test_build_board_run_without_samples_is_compared_from_intervals(tmp_path):
    bare = {"t": aggregated("t", {"acc": number(0.9, 0.8, 1.0)}, documents=8)}
    entries = [model(tmp_path, "base", {"t": {"acc": UP}}), Entry("a", [in_memory("a", bare)])]
    board = build_board(entries, "base")
    ((_, line),) = deltas(board).items()
    assert line.test == "unpaired, from intervals"
    assert line.delta == pytest.approx(0.9 - 0.75) and line.delta_n == 8
    assert any("aggregated numbers only of a" in note for note in board.notes)


def test_build_board_base_without_a_task_gives_no_delta_there():
    board = build_board([plain("base", t=0.5), plain("a", t=0.6, u=0.7)], "base")
    assert [key[1] for key in deltas(board)] == ["t"]
    assert "no deltas, the base has no scores of them: u" in board.notes


def test_build_board_delta_without_a_test_says_why(tmp_path):
    values = {"t": {"acc": [1.0, 1.0]}}
    entries = [model(tmp_path, name, values, clusters=["x", "x"]) for name in ("base", "a")]
    ((_, line),) = deltas(build_board(entries, "base")).items()
    assert (line.delta, line.p, line.adjusted_p, line.test) == (0.0, None, None, "one cluster")


def test_build_board_notes_models_and_settings_that_the_reader_should_know(tmp_path):
    values = {"t": {"acc": UP}}
    entries = [
        model(tmp_path, "a", values, fingerprint="same", settings={"apply_chat_template": True}),
        model(tmp_path, "b", values, fingerprint="same", settings={"apply_chat_template": False}),
    ]
    notes = build_board(entries).notes
    assert "the same model under 2 names (equal fingerprints): a, b" in notes
    assert "other apply_chat_template: False: b; True: a" in notes
