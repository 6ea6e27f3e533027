from __future__ import annotations

import pytest

from leaderboards.page.series import Moment, find_series, moment_of


@pytest.mark.parametrize(
    "name, moment",
    [
        ("round-2", Moment("", "round", 2)),
        ("grath-round-2", Moment("grath", "round", 2)),
        ("my model step_0100", Moment("my model", "step", 100)),
        ("Tuned/Checkpoint 500", Moment("Tuned", "checkpoint", 500)),
        ("tuned epoch3", Moment("tuned", "epoch", 3)),
        ("smollm-135", None),
        ("ground-2", None),
        ("round-2b", None),
        ("round", None),
        ("round-" + "9" * 5000, None),
        ("", None),
    ],
)
def test_moment_of_reads_a_unit_and_a_number_at_the_end(name, moment):
    assert moment_of(name) == moment


def test_find_series_leaves_out_what_stands_alone():
    names = ["base", "a-round-1", "a-round-2", "b-round-1", "a-step-1"]
    assert set(find_series(names)) == {"a-round-1", "a-round-2"}


def test_find_series_one_moment_under_two_names_is_no_series():
    assert find_series(["r-step-1", "r_step_1", "r step 2", "s-step-1", "s-step-2"]).keys() == {
        "s-step-1",
        "s-step-2",
    }
