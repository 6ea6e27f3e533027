"""Two runs in pairs."""

from __future__ import annotations

import csv
import io
import json

import pytest

from harness.compare import compare, output
from harness.errors import ComparisonError
from harness.report import print_all
from tests.records import LIFT, doc_hash, store

HOSTILE = "=cmd|'/c calc'!A0\x1b[2J"


def pair(tmp_path, base, candidate, **told):
    other = {name.removeprefix("c_"): value for name, value in told.items() if name[:2] == "c_"}
    ours = {name: value for name, value in told.items() if name[:2] != "c_"}
    return store(tmp_path / "base", {"t": base}, **ours), store(
        tmp_path / "candidate", {"t": candidate}, **{**ours, **other}
    )


def test_binary_metric_is_tested_by_mcnemar(tmp_path):
    # 20 documents: 9 right became wrong, 1 wrong became right: p = 2 * (1 + 10) / 2**10
    base = [1.0] * 14 + [0.0] * 6
    candidate = [0.0] * 9 + [1.0] * 5 + [1.0] + [0.0] * 5
    told = compare(*pair(tmp_path, {"acc": base}, {"acc": candidate}))
    (row,) = told.rows
    assert (row.base, row.candidate, row.n) == (14 / 20, 6 / 20, 20)
    assert row.difference == pytest.approx(-0.4)
    assert row.test == "exact McNemar" and row.p == pytest.approx(22 / 1024)
    assert row.interval.low < -0.4 < row.interval.high < 0
    assert row.verdict == "worse"


def test_a_difference_that_is_not_shown_has_its_detectable_effect(tmp_path):
    values = [1.0, 0.0] * 20
    told = compare(*pair(tmp_path, {"acc": values}, {"acc": [0.0, *values[1:]]}))
    assert told.rows[0].verdict == "no difference shown"
    assert 0 < told.rows[0].detectable < 1


def test_p_is_adjusted_by_holm_over_tasks_and_metrics(tmp_path):
    # 6 and 7 documents all one way: p = 2/64 and 2/128; a third without change: p = 1
    ups = {name: [1.0] * count + [0.0] * (12 - count) for name, count in (("a", 6), ("b", 7))}
    base = store(tmp_path / "base", {"t": dict.fromkeys("ab", [0.0] * 12), "u": {"c": [0.0] * 12}})
    candidate = store(tmp_path / "candidate", {"t": ups, "u": {"c": [0.0] * 12}})
    told = {row.metric: row for row in compare(base, candidate).rows}
    assert told["b"].adjusted_p == pytest.approx(3 * 2 / 128)
    assert told["a"].adjusted_p == pytest.approx(2 * 2 / 64)
    assert told["c"].adjusted_p == 1.0
    assert (told["b"].verdict, told["a"].verdict) == ("better", "no difference shown")


@pytest.mark.parametrize(("up", "verdict"), [(True, "better"), (False, "worse"), (None, "higher")])
def test_verdict_depends_on_the_direction(tmp_path, up, verdict):
    told = pair(tmp_path, {"m": [0.0] * 30}, {"m": [1.0] * 30}, directions={"m": up})
    assert compare(*told).rows[0].verdict == verdict


def test_documents_are_paired_by_hash_whatever_their_order(tmp_path):
    values = [1.0, 0.0, 0.0, 1.0, 1.0]
    base = store(tmp_path / "base", {"t": {"acc": values}})
    back = store(tmp_path / "back", {"t": {"acc": values[::-1]}}, numbers=[4, 3, 2, 1, 0])
    told = compare(base, back)
    assert told.rows[0].difference == 0 and told.rows[0].p == 1.0
    assert told.flips == []


def test_other_subsets_are_compared_on_what_they_have_in_common(tmp_path):
    base = store(tmp_path / "base", {"t": {"acc": [0.0] * 6}}, numbers=[0, 1, 2, 3, 4, 5])
    other = store(tmp_path / "other", {"t": {"acc": [1.0] * 6}}, numbers=[4, 5, 6, 7, 8, 9])
    told = compare(base, other)
    assert (told.rows[0].n, told.rows[0].base, told.rows[0].candidate) == (2, 0.0, 1.0)
    assert any("2 documents in common (6 and 6)" in note for note in told.notes)


def test_no_document_in_common_is_refused(tmp_path):
    base = store(tmp_path / "base", {"t": {"acc": [0.0] * 3}})
    other = store(tmp_path / "other", {"t": {"acc": [1.0] * 3}}, numbers=[7, 8, 9])
    with pytest.raises(ComparisonError, match=r"no document in common \(3 and 3 documents\)"):
        compare(base, other)


def test_one_document_has_a_defined_answer(tmp_path):
    (row,) = compare(*pair(tmp_path, {"acc": [0.0]}, {"acc": [1.0]})).rows
    assert (row.difference, row.p, row.verdict) == (1.0, None, "cannot be told")
    assert row.interval.low < 0 and row.detectable is None


def test_metrics_that_apply_to_some_documents_are_compared_where_both_apply(tmp_path):
    told = pair(
        tmp_path,
        {"lift": [1.0, 0.0, None, None, 1.0]},
        {"lift": [None, 1.0, 1.0, None, 1.0]},
        bounds={"lift": LIFT},
    )
    (row,) = compare(*told).rows
    assert (row.n, row.n_base, row.n_candidate) == (2, 3, 3)
    assert (row.base, row.candidate) == (0.5, 1.0)


def test_a_metric_that_applies_nowhere_cannot_be_told(tmp_path):
    (row,) = compare(*pair(tmp_path, {"lift": [None, None]}, {"lift": [1.0, None]})).rows
    assert (row.n, row.difference, row.p, row.verdict) == (0, None, None, "cannot be told")


def test_clusters_are_what_is_independent(tmp_path):
    # ten copies of four documents that all change: 2**-3 is the smallest p of four signs
    clusters = [str(number // 10) for number in range(40)]
    told = pair(tmp_path, {"acc": [0.0] * 40}, {"acc": [1.0] * 40}, clusters=clusters)
    (row,) = compare(*told).rows
    assert row.p == pytest.approx(2 * 0.5**4)
    assert row.test == "paired permutation"


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"version": 2.0}, "other task version: '1.0' and '2.0'"),
        ({"data": {"fingerprint": "e" * 64}}, r"other data \(fingerprint of the split\)"),
        (
            {"data": {"fingerprint": "f" * 64, "fewshot": {"fingerprint": "e"}}},
            r"other few-shot examples",
        ),
        ({"conditions": {"generation": {"do_sample": True}}}, "other generation: .*do_sample"),
        ({"data": {"fingerprint": "f" * 64, "cluster": "story"}}, "other cluster"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(tmp_path, changed, complaint):
    told = {
        "data": {"fingerprint": "f" * 64, "cluster": "doc", "fewshot": {"fingerprint": "d"}},
        "conditions": {"generation": {"do_sample": False}},
    }
    base = store(tmp_path / "base", {"t": {"acc": [0.0]}, "u": {"acc": [0.0]}}, **told)
    candidate = store(tmp_path / "candidate", {"t": {"acc": [0.0]}}, **{**told, **changed})
    with pytest.raises(ComparisonError, match=f"t: {complaint}"):
        compare(base, candidate)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"simulator": "a"}, {"simulator": "b"}),
        ({"simulator": "a", "simulator_chat_template": True},
         {"simulator": "a", "simulator_chat_template": False}),
    ],
)  # fmt: skip
def test_what_others_simulated_is_left_out_and_refused_where_nothing_else_is(
    tmp_path, ours, theirs
):
    base = store(tmp_path / "base", {"t": {"acc": [0.0]}}, conditions=ours)
    candidate = store(tmp_path / "candidate", {"t": {"acc": [0.0]}}, conditions=theirs)
    with pytest.raises(ComparisonError, match="simulators differ: t; score both with one"):
        compare(base, candidate)


def test_what_one_run_does_not_tell_is_a_note_and_no_difference(tmp_path):
    told = pair(tmp_path, {"acc": [0.0]}, {"acc": [0.0]}, c_data={}, c_version=None)
    notes = compare(*told).notes
    assert "t: told by one of the runs only: task version, data (fingerprint of the split)" in notes


def test_runs_without_common_tasks_are_refused_and_patterns_choose(tmp_path):
    base = store(tmp_path / "base", {"t": {"acc": [0.0]}, "u": {"acc": [0.0]}})
    candidate = store(tmp_path / "candidate", {"u": {"acc": [0.0]}, "v": {"acc": [0.0]}})
    told = compare(base, candidate)
    assert {row.task for row in told.rows} == {"u"}
    assert {"only in base: t", "only in candidate: v"} <= set(told.notes)
    with pytest.raises(ComparisonError, match="no task in common"):
        compare(base, candidate, ["t"])
    with pytest.raises(ComparisonError, match="unknown task: got 'w'"):
        compare(base, candidate, ["w"])


def test_a_failed_task_is_told_and_not_compared(tmp_path):
    base = store(tmp_path / "base", {"t": {"acc": [0.0]}, "u": {"acc": [0.0]}})
    bad = store(tmp_path / "bad", {"t": {}, "u": {}}, failed="NaN in document 3", documents=0)
    told = compare(base, bad)
    assert told.rows == []
    assert "t failed in bad, and is not compared: NaN in document 3" in told.notes


def test_aggregated_numbers_are_compared_unpaired_and_say_so(tmp_path):
    told = {"acc": [0.0] * 40}, {"acc": [1.0] * 30 + [0.0] * 10}
    base, candidate = pair(tmp_path, *told, keep_samples=False)
    told = compare(base, candidate)
    (row,) = told.rows
    assert row.test == "unpaired, from intervals" and row.verdict == "better"
    assert any("unpaired" in note for note in told.notes) and told.flips == []


def test_flips_are_those_that_changed_most(tmp_path):
    base, candidate = {"acc": [1.0, 0.2, 0.0]}, {"acc": [0.0, 0.4, 0.0]}
    told = compare(*pair(tmp_path, base, candidate), flips=5)
    assert [flip.doc_hash for flip in told.flips] == [doc_hash(0), doc_hash(1)]
    assert told.flips[0].values == {"acc": (1.0, 0.0)}
    assert told.flips[0].text == "document 0"
    assert compare(told.base, told.candidate, flips=1).flips == told.flips[:1]


def test_flips_show_the_question_and_no_identifier(tmp_path):
    base, candidate = pair(tmp_path, {"acc": [1.0]}, {"acc": [0.0]})
    file = base.folder / "samples_t.jsonl"
    sample = json.loads(file.read_text())
    sample["doc"] = {"id": "56ddde6b9a695914005b9628", "context": "A b.", "question": " Who\n?"}
    file.write_text(json.dumps(sample) + "\n")
    (flip,) = compare(base, candidate).flips
    assert flip.text == "Who ?"


def test_notes_tell_of_prompting_that_differs_and_of_the_same_model(tmp_path):
    values = {"t": {"acc": [0.0]}}
    base = store(tmp_path / "a", values, settings={"apply_chat_template": True}, fingerprint="f")
    other = store(tmp_path / "b", values, settings={"apply_chat_template": False}, fingerprint="f")
    notes = compare(base, other).notes
    assert "other apply_chat_template: True and False" in notes
    assert "the same model: equal fingerprints" in notes


def test_csv_is_read_back_and_executes_nothing(tmp_path):
    base = store(tmp_path / "base", {"t": {HOSTILE.replace("/", ""): [0.0] * 9}})
    other = store(tmp_path / "other", {"t": {HOSTILE.replace("/", ""): [1.0] * 9}})
    written = output.as_csv(compare(base, other))
    (row,) = csv.DictReader(io.StringIO(written))
    assert row["metric"].startswith("'=cmd") and "\x1b" not in written
    assert float(row["difference"]) == 1.0 and float(row["p"]) == 2 / 2**9
    assert row["verdict"] == "better"


def test_json_holds_everything(tmp_path):
    told = compare(*pair(tmp_path, {"acc": [0.0] * 9}, {"acc": [1.0] * 9}))
    read = json.loads(output.as_json(told))
    assert read["base"]["run"] == told.base.id
    assert read["rows"][0]["adjusted_p"] == told.rows[0].adjusted_p
    assert read["flips"][0]["doc_hash"] == told.flips[0].doc_hash


def test_text_prints_hostile_names_as_data(tmp_path, capsys):
    values = {"t": {"acc[red]\x1b": [0.0] * 3}}
    base = store(tmp_path / "base", values)
    print_all(output.as_text(compare(base, base)), output.WIDTH)
    shown = capsys.readouterr().out
    assert "acc[red]\\x1b" in shown and "\x1b" not in shown
