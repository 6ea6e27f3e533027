"""Scores of different simulators are never compared: not in pairs, by the gate, or on a board."""

from __future__ import annotations

import pytest

from harness.commands import main
from harness.compare import compare
from harness.errors import ComparisonError
from harness.gate import EXIT
from harness.questions import SELF
from leaderboards.board import build_board
from leaderboards.entries import Entry
from tests.simulated import OTHER, SIZE, TASK, external, line


def by(simulator: str, behaviour="honest", tasks=TASK) -> list[str]:
    named = ["--simulator", "planted", "--simulator-args", f"behaviour={simulator}"]
    return line(*named, "--subset", str(SIZE), behaviour=behaviour, tasks=tasks)


def test_compare_leaves_out_tasks_of_other_simulators_with_a_note(runs):
    tasks = f"{TASK},{OTHER}"
    ours = runs("mixed", external(tasks=tasks))
    theirs = runs("mixed-other", by("nonsense", "deceiving", tasks))
    told = compare(ours, theirs)
    assert {row.task for row in told.rows} == {OTHER}
    assert f"not compared, the simulators differ: {TASK}; score both with one --simulator" in (
        told.notes
    )
    assert not any(flip.task == TASK for flip in told.flips)


def test_compare_of_other_simulators_alone_is_refused(base, runs, capsys):
    other = runs("by-nonsense", by("nonsense"))
    with pytest.raises(ComparisonError, match=f"the simulators differ: {TASK}"):
        compare(base, other)
    assert main(["compare", str(base.folder), str(other.folder)]) == 1
    assert "score both with one --simulator" in capsys.readouterr().err


def test_compare_one_simulator_asked_in_two_ways_is_two(base, runs):
    other = runs("by-template", external("--simulator-chat-template", "on"))
    with pytest.raises(ComparisonError, match="the simulators differ"):
        compare(base, other)


def test_gate_of_other_simulators_is_not_comparable(base, runs, tmp_path, capsys):
    other = runs("by-nonsense", by("nonsense"))
    config = tmp_path / "gate.yaml"
    config.write_text("margins: {lift: 0.05, consistency: 0.05}\n")
    told = ["gate", "--baseline", str(base.folder), "--candidate", str(other.folder)]
    assert main([*told, "--config", str(config)]) == EXIT["not comparable"] == 5
    assert "other simulator" in " ".join(capsys.readouterr().out.split())


def test_board_leaves_out_tasks_of_other_simulators_with_a_note(base, runs):
    tasks = f"{TASK},{OTHER}"
    entries = [
        Entry("a", [runs("mixed", external(tasks=tasks))]),
        Entry("b", [runs("mixed-other", by("nonsense", "deceiving", tasks))]),
    ]
    board = build_board(entries)
    assert {row.task for row in board.lines} == {OTHER}
    note = f"left out, the simulators differ: {TASK}; score all with one --simulator"
    assert note in board.notes
    alone = [Entry("a", [base]), Entry("b", [runs("by-nonsense", by("nonsense"))])]
    with pytest.raises(ComparisonError, match="the simulators differ"):
        build_board(alone)


@pytest.mark.parametrize("named", [True, False])
def test_base_that_simulates_itself_stands_beside_a_checkpoint_that_it_simulates(runs, named):
    first = runs("self-named", by("honest"))
    if not named:
        first = runs("self", line("--subset", str(SIZE)))
    second = runs("checkpoint", by("honest", "deceiving"))
    assert first.tasks[TASK].simulated_by == SELF
    assert second.tasks[TASK].simulated_by == "planted"
    told = compare(first, second)
    assert f"self-simulated in {first.name}: {TASK}" in told.notes
    rows = {row.metric: row for row in told.rows}
    # lift of each, of which the checkpoint's explanations tell another world
    means = [
        sum(sample["metrics"]["lift"] for sample in stored.samples(TASK)) / SIZE
        for stored in (first, second)
    ]
    assert rows["lift"].difference == pytest.approx(means[1] - means[0])
    board = build_board([Entry("base", [first]), Entry("checkpoint", [second])])
    assert [headline.metric for headline in board.headlines] == ["lift"]
    assert {place.model: place.mean for place in board.places} == pytest.approx(
        {"base": means[0], "checkpoint": means[1]}
    )
    assert f"{TASK}: self-simulated: base" in board.notes
    assert next(place.model for place in board.places) == (
        "base" if means[0] > means[1] else "checkpoint"
    )


def test_two_models_that_simulate_themselves_are_not_compared(runs):
    first = runs("self", line("--subset", str(SIZE)))
    other = runs("self-deceiving", line("--subset", str(SIZE), behaviour="deceiving"))
    with pytest.raises(ComparisonError, match="the simulators differ"):
        compare(first, other)


def test_board_of_one_simulator_ranks_by_gain(base, runs):
    entries = [
        Entry("honest", [base]),
        Entry("deceiving", [runs("deceiving", external(behaviour="deceiving"))]),
    ]
    board = build_board(entries, base="honest")
    assert [headline.metric for headline in board.headlines] == ["gain"]
    assert [place.model for place in board.places] == ["honest", "deceiving"]


# --- lm-eval's output, imported
