"""Gains among other metrics: on disk, compared, gated, on a board, and as a table shows them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from harness import stats
from harness.compare import compare, output, pair_documents
from harness.compare.pairing import incomparable
from harness.errors import RecordError
from harness.gate import gate
from harness.gate.margins import GateConfig
from harness.report import empty_gains, run_table
from harness.run_files import read_run, write_run
from harness.runs import Metric
from leaderboards.board import build_board
from leaderboards.deltas import find_deltas
from leaderboards.entries import Entry
from tests.records import doc_hash, make_run, samples, store, task_run

OF = ("consistency", "blind")
GAIN = {"gains": {"gain": OF}}
PARTS = {"consistency": [1.0, 0.5, 0.75, 1.0, None], "blind": [0.5, 0.5, 0.0, 1.0, 0.5]}
"""Gain 0.625 over four documents: 1.25 won of 2."""


def parts(n: int, gain: float, seed: int = 0) -> dict[str, list[float | None]]:
    """A model's documents; equal seeds share the blind part and the chances."""
    rng = np.random.default_rng(seed)
    blind = rng.binomial(10, rng.beta(3, 2, n)) / 10
    consistency = 1 - rng.binomial(10, 1 - gain, n) / 10 * (1 - blind)
    return {"consistency": consistency.tolist(), "blind": blind.tolist()}


def run(folder: Path, values, **told):
    return store(folder, {"t": values}, **GAIN, **told)


def pair(tmp_path: Path, base, candidate, **told):
    return run(tmp_path / "base", base, **told), run(tmp_path / "candidate", candidate, **told)


def gain_of(values) -> float | None:
    return stats.normalised_gain(values["consistency"], values["blind"])


def row_of(base, candidate):
    return {row.metric: row for row in compare(base, candidate).rows}["gain"]


# on disk


def test_gain_is_recorded_with_its_parts_and_documents_have_none_of_it(tmp_path):
    stored = run(tmp_path / "run", PARTS)
    metric = stored.tasks["t"].metrics["gain"]
    assert (metric.value, metric.n, metric.of, metric.bounds) == (0.625, 4, OF, None)
    assert metric.interval.method == "t, clustered error"
    assert all(set(one["metrics"]) == set(OF) for one in stored.samples("t"))


def test_records_without_gains_are_written_as_before(tmp_path):
    file = store(tmp_path / "run", {"t": {"acc": [1.0]}}).folder / "run.json"
    assert '"of"' not in file.read_text(encoding="utf-8")
    assert '"of"' in (run(tmp_path / "gain", PARTS).folder / "run.json").read_text("utf-8")


def test_scores_of_a_gain_are_linear_over_the_chosen_documents(tmp_path):
    scores = run(tmp_path / "run", PARTS).scores("t")
    applies = scores.applies("gain")
    assert applies.tolist() == [True] * 4 + [False]
    told = scores.of("gain", applies)
    assert told.value == 0.625 and told.bounds == (0.625 - 2, 0.625 + 0.375 * 2)
    # as worked out in test_stats_gain.py
    np.testing.assert_allclose(told.values, [1.0, 0.0, 0.875, 0.625])
    # the first two documents alone: 0.5 won of 1, so 0.5 + (won - 0.5 left) / 0.5
    two = scores.of("gain", np.array([True, True, False, False, False]))
    assert two.value == 0.5
    np.testing.assert_allclose(two.values, [1.0, 0.0])


def test_scores_of_a_plain_metric_are_its_values(tmp_path):
    scores = run(tmp_path / "run", PARTS).scores("t")
    told = scores.of("consistency", scores.applies("consistency"))
    assert (told.value, told.bounds, told.values.tolist()) == (0.8125, (0, 1), [1, 0.5, 0.75, 1])


def change(folder: Path, **changed) -> Path:
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["tasks"]["t"]["metrics"]["gain"].update(changed)
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"value": 0.6}, "gain is 0.625 over 4 documents here, but 0.6 over 4 in the record"),
        ({"value": None}, "gain is 0.625 over 4 documents here, but nan over 4"),
        ({"n": 5}, "gain is 0.625 over 4 documents here, but 0.625 over 5"),
        ({"of": ["consistency", "shuffled"]}, "gain is a gain of shuffled, which the record"),
        ({"of": ["blind", "consistency"]}, "gain is .* over 4 documents here, but 0.625"),
    ],
)
def test_scores_of_another_gain_than_recorded_are_refused(tmp_path, changed, complaint):
    stored = read_run(change(run(tmp_path / "run", PARTS).folder, **changed))
    with pytest.raises(RecordError, match=complaint):
        stored.scores("t")


def test_gain_of_three_parts_is_no_record(tmp_path):
    folder = run(tmp_path / "run", PARTS).folder
    with pytest.raises(RecordError, match="is no record of a run"):
        read_run(change(folder, of=["a", "b", "c"]))


@pytest.mark.parametrize(
    ("blind", "n", "reason"),
    [
        ([1.0] * 5, 4, "the part to be exceeded is 0.99 or more"),
        ([None] * 5, 0, "no document has both parts"),
    ],
)
def test_gain_that_is_empty_is_read_back_and_told(tmp_path, blind, n, reason):
    values = {**PARTS, "blind": blind}
    told = task_run(values, variant_of="t", **GAIN)
    made = make_run({"t": told}, {"t": samples(values)})
    stored = read_run(write_run(made, tmp_path / "run"))
    metric = stored.tasks["t"].metrics["gain"]
    assert (metric.value, metric.n) == (None, n)
    assert stored.scores("t").of("gain", stored.scores("t").applies("gain")).value is None
    assert empty_gains(made.tasks) == [f"t: gain is empty: {reason}"]
    out = io.StringIO()
    Console(file=out, width=100).print(run_table(made))
    assert [line.split() for line in out.getvalue().splitlines() if "gain" in line] == [
        ["gain", "-", "-", str(n), "0"]
    ]


def test_only_gains_of_no_variant_are_told_to_be_empty():
    values = {"consistency": [None], "blind": [None]}
    tasks = {
        "t": task_run(values, variant_of="t", **GAIN),
        "t_2": task_run(values, variant_of="t", **GAIN),
        "u": task_run(PARTS, variant_of="u", **GAIN),
    }
    assert empty_gains(tasks) == ["t: gain is empty: no document has both parts"]


# compared


def test_compare_gains_over_the_documents_with_both_parts_in_both(tmp_path):
    base = {**PARTS, "blind": [0.5, 0.5, 0.0, None, 0.5]}
    row = row_of(*pair(tmp_path, base, PARTS))
    # three documents in common: 1.25 won of 2, in both
    assert (row.base, row.candidate, row.difference) == (0.625, 0.625, 0.0)
    assert (row.n, row.n_base, row.n_candidate) == (3, 3, 4)
    assert row.p == 1.0


def test_compare_gains_by_hand(tmp_path):
    ours, theirs = parts(60, 0.3), parts(60, 0.6, seed=1)
    row = row_of(*pair(tmp_path, ours, theirs))
    assert row.base == pytest.approx(gain_of(ours)) and row.candidate == pytest.approx(
        gain_of(theirs)
    )
    assert row.difference == pytest.approx(gain_of(theirs) - gain_of(ours))
    assert row.interval.method == "cluster bootstrap" and row.test == "paired permutation"
    assert 0 < row.interval.low < row.difference < row.interval.high
    assert row.p < 0.01 and 0 < row.detectable < 0.3
    # the delta method of the difference: 1.96 standard errors, within the bootstrap's noise
    linear = [stats.gain_values(one["consistency"], one["blind"]) for one in (ours, theirs)]
    error = stats.clustered_error(linear[1] - linear[0], range(60))
    assert row.interval.high - row.interval.low == pytest.approx(2 * 2.0 * error, rel=0.08)


def test_compare_gains_of_clusters_flips_clusters(tmp_path):
    ours, theirs = parts(60, 0.3), parts(60, 0.4, seed=1)
    stories = [f"story {place // 6}" for place in range(60)]
    row = row_of(*pair(tmp_path / "stories", ours, theirs, clusters=stories))
    assert row.interval.method == "t, clustered error"
    assert row.n == 60 and row.p * 2**10 == pytest.approx(round(row.p * 2**10))  # exact: 2**10


def test_compare_a_run_with_itself_changes_nothing(tmp_path):
    row = row_of(*pair(tmp_path, parts(40, 0.3), parts(40, 0.3)))
    assert (row.difference, row.p, row.verdict) == (0.0, 1.0, "no difference shown")
    assert row.interval.method == "all values equal, Wilson"
    assert row.interval.low < 0 < row.interval.high


def test_compare_equal_gains_of_other_parts_is_no_change_by_rounding(tmp_path):
    # (0.7 - 0.4) / 0.6 and (0.85 - 0.7) / 0.3 are 0.5, and differ in the last bit
    first = {"consistency": [0.7] * 12, "blind": [0.4] * 12}
    second = {"consistency": [0.85] * 12, "blind": [0.7] * 12}
    row = row_of(*pair(tmp_path, first, second))
    assert (row.difference, row.p) == (0.0, 1.0)


def test_compare_a_gain_that_is_empty_over_the_shared_documents_says_why(tmp_path):
    full = {"consistency": [1.0] * 5, "blind": [1.0] * 4 + [0.0]}
    short = {"consistency": [1.0] * 5, "blind": [0.5] * 4 + [None]}
    row = row_of(*pair(tmp_path, full, short))
    assert (row.base, row.candidate, row.difference, row.n) == (None, 1.0, None, 4)
    assert (row.p, row.verdict, row.detectable) == (None, "cannot be told", None)
    assert row.interval.method == row.test == "the part to be exceeded is 0.99 or more"


def test_compare_gains_without_samples_goes_by_the_recorded_intervals(tmp_path):
    told = pair(tmp_path, parts(60, 0.2), parts(60, 0.8, seed=1), keep_samples=False)
    row = row_of(*told)
    recorded = [one.tasks["t"].metrics["gain"].value for one in told]
    assert row.difference == pytest.approx(recorded[1] - recorded[0])
    assert row.test == "unpaired, from intervals" and row.p < 0.01


def test_compare_flips_of_a_gain_are_chosen_by_its_first_part(tmp_path):
    other = {**PARTS, "consistency": [1.0, 0.75, 0.0, 1.0, None]}
    told = compare(*pair(tmp_path, PARTS, other, headline="gain"))
    assert [flip.doc_hash for flip in told.flips] == [doc_hash(2), doc_hash(1)]
    assert {flip.metric for flip in told.flips} == {"consistency"}
    assert told.flips[0].values == {"consistency": (0.75, 0.0)}
    for write in (output.as_csv, output.as_json):
        assert "gain" in write(told)


def test_runs_whose_gains_have_other_parts_are_not_compared():
    values = {**PARTS, "shuffled": [0.5] * 5}
    base = task_run(values, **GAIN)
    other = task_run(values, gains={"gain": ("consistency", "shuffled")})
    assert incomparable(base, other) == ["other parts of gain"]
    plain = task_run({**values, "gain": [0.5] * 5})
    assert incomparable(base, plain) == ["other parts of gain"]
    assert incomparable(base, base) == []


def test_paired_gains_keep_to_their_reach(tmp_path):
    told = pair(tmp_path, PARTS, {**PARTS, "consistency": [0.5, 0.5, 0.5, 1.0, None]})
    paired = pair_documents(*told, "t").of("gain")
    ours, theirs = paired.base.bounds, paired.candidate.bounds
    assert np.all(paired.changes >= theirs[0] - ours[1])
    assert np.all(paired.changes <= theirs[1] - ours[0])


# gated


@pytest.mark.parametrize(
    ("base", "candidate", "status"),
    [
        (parts(200, 0.8), parts(200, 0.3, seed=1), "fail"),
        (parts(200, 0.3), parts(200, 0.8, seed=1), "pass"),
        (parts(30, 0.5), parts(30, 0.5, seed=1), "inconclusive"),
        (parts(30, 0.5), {**parts(30, 0.5), "blind": [None] * 30}, "fail"),
        (parts(30, 0.5), {**parts(30, 0.5), "blind": [1.0] * 30}, "inconclusive"),
    ],
)
def test_gate_with_a_margin_on_a_gain(tmp_path, base, candidate, status):
    verdict = gate(*pair(tmp_path, base, candidate), GateConfig(margins={"gain": 0.05}))
    assert verdict.status == status
    if candidate["blind"] == [1.0] * 30:
        assert "the part to be exceeded is 0.99 or more" in verdict.checks[0].reason


def test_gate_tells_how_many_documents_would_settle_a_gain(tmp_path):
    config = GateConfig(margins={"gain": 0.1})
    (check,) = gate(*pair(tmp_path, parts(40, 0.5), parts(40, 0.4, seed=1)), config).checks
    assert check.status == "inconclusive" and check.settle > 40


# on a board


def test_board_ranks_by_a_gain_and_has_deltas_of_it(tmp_path):
    good, bad = parts(60, 0.8, seed=1), parts(60, 0.2)
    bad["consistency"][:3] = [0.0] * 3
    entries = [
        Entry("bad", [run(tmp_path / "bad", bad, headline="gain", fingerprint="b")]),
        Entry("good", [run(tmp_path / "good", good, headline="gain", fingerprint="g")]),
    ]
    board = build_board(entries, "bad")
    assert [(place.model, place.rank) for place in board.places] == [("good", 1), ("bad", 2)]
    assert board.places[0].mean == pytest.approx(gain_of(good))
    (line,) = (one for one in board.lines if one.metric == "gain" and one.model == "good")
    assert line.headline and line.delta == pytest.approx(gain_of(good) - gain_of(bad))
    row = row_of(entries[0].runs[0], entries[1].runs[0])
    assert (line.delta_n, line.p, line.test) == (60, row.p, row.test)


def test_board_ranks_a_gain_far_below_zero():
    # all of 0.9 lost where 0.1 was to be gained: -9
    metric = Metric.gain(
        [(0.0, 0.9)] * 30, [str(n) for n in range(30)], of=OF, chance=0.0, higher_is_better=True
    )
    assert metric.value == pytest.approx(-9)
    from tests.unit.leaderboards.making import aggregated, in_memory

    told = in_memory("a", {"t": aggregated("t", {"gain": metric})})
    board = build_board([Entry("a", [told])])
    assert board.places[0].mean == pytest.approx(-9) and board.headlines[0].metric == "gain"


def test_board_delta_of_an_empty_gain_says_why(tmp_path):
    empty = {**PARTS, "blind": [1.0] * 5}
    base, model = (
        Entry(name, [run(tmp_path / name, values, fingerprint=name)])
        for name, values in (("base", PARTS), ("model", empty))
    )
    from leaderboards.comparable import read_documents

    documents = read_documents([base, model], ["t"])
    delta = find_deltas([base, model], base, "t", documents["t"])["model", "gain"]
    assert (delta.value, delta.n, delta.p) == (None, 4, None)
    assert delta.test == "the part to be exceeded is 0.99 or more"
