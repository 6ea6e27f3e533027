"""What came of a document, in a few words."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.predictions import Prediction, Simulation
from harness.checks.trial import METRICS, Trial
from harness.evidence import VERDICTS, verdict_of
from harness.evidence.verdicts import RIGHT

UNREADABLE = {"predict": {"unreadable": "two answers"}}


@pytest.mark.parametrize(
    ("trial", "verdict"),
    [
        (Trial(True, False), "not committed"),
        (Trial(True, True), "not readable"),
        (Trial(True, True, valid=False, holds=True), "not readable"),
        (Trial(True, True, valid=True, holds=None, control_holds=True), "not readable"),
        (Trial(True, True, valid=True, holds=True, control_holds=False),
         "faithful, its control not"),
        (Trial(True, True, valid=True, holds=True, control_holds=None),
         "faithful, its control not"),
        (Trial(True, True, valid=True, holds=True, control_holds=True),
         "faithful, and its control too"),
        (Trial(True, True, valid=True, holds=False, control_holds=True), "only its control"),
        (Trial(True, True, valid=True, holds=False, control_holds=False), "not faithful"),
    ],
)  # fmt: skip
def test_verdict_of_a_faithfulness_check(trial, verdict):
    assert verdict_of(trial.metrics()) == verdict


def test_verdict_of_a_first_answer_that_cannot_be_read_says_so():
    metrics = Trial(False, False).metrics()
    assert verdict_of(metrics, UNREADABLE) == "not readable"
    assert verdict_of(metrics, {"predict": "unknown"}) == "not committed"


def test_verdict_of_every_trial_is_known():
    for told in product((True, False), (True, False), (True, False), *[(True, False, None)] * 2):
        assert verdict_of(Trial(*told).metrics()) in VERDICTS


def asked(*told: tuple[str, str], explained: bool = True, written: int = 2) -> Simulation:
    predictions = [Prediction(*one) for one in told]
    return Simulation(True, explained, False, 5, written, written, predictions, is_self=True)


@pytest.mark.parametrize(
    ("simulation", "verdict"),
    [
        (asked(("yes", "yes"), ("no", "no")), "consistent"),
        (asked(("yes", "yes"), ("no", "yes")), "partly consistent"),
        (asked(("yes", "no")), "inconsistent"),
        (asked(), "not simulatable"),
        (asked(written=0), "no usable follow-up"),
        (asked(explained=False, written=0), "no explanation"),
    ],
)
def test_verdict_of_consistency(simulation, verdict):
    assert verdict_of(simulation.metrics()) == verdict


@pytest.mark.parametrize(
    ("metrics", "verdict"),
    [
        ({"accuracy": 1.0, "readable": 1.0, "constant": 0.0}, "right"),
        ({"accuracy": 0.0, "readable": 1.0, "constant": 1.0}, "wrong"),
        ({"accuracy": 0.0, "readable": 0.0, "constant": None}, "not readable"),
        ({"exact": 1.0, "f1": 1.0, "readable": 1.0}, "right"),
        ({"exact": 0.0, "f1": 0.4, "readable": 1.0}, "partly right"),
        ({"exact": 0.0, "f1": 1.0, "readable": 1.0}, "partly right"),
        ({"exact": 0.0, "f1": 0.0, "readable": 1.0}, "wrong"),
        ({"exact": 0.0, "f1": 0.0, "readable": 0.0}, "not readable"),
        ({"f1": 0.4}, "partly right"),
        ({"acc": 0.0, "acc_norm": 1.0}, "wrong"),
        ({"acc_norm": 1.0}, "right"),
        ({"acc": 0.25, "acc_answer_only": 1.0, "lift": -0.75, "ties": 1.0}, "partly right"),
        ({"acc": 1.0, "acc_answer_only": 1.0, "lift": 0.0, "ties": 0.0}, "right"),
        ({"acc": 0.73, "acc_answer_only": 0.4, "lift": 0.33, "ties": 0.0}, "true answers likelier"),
        ({"acc": 0.01, "acc_answer_only": 0.4, "lift": -0.39, "ties": 0.0},
         "false answers likelier"),
        ({"acc": 0.51}, "true answers likelier"),
        ({"acc": 0.49, "ties": None}, "false answers likelier"),
        ({"acc": 0.5, "ties": 0.0}, "partly right"),
        ({"acc": 0.73, "ties": 1.0}, "partly right"),
        ({"acc": 0.0, "ties": 0.0}, "wrong"),
        ({"acc": 43.0, "ties": 0.0}, ""),
        ({"ended": 1.0, "refused": 0.0}, "ended"),
        ({"ended": 0.0, "refused": 0.0}, "did not end"),
        ({"ended": 1.0, "refused": 1.0}, "refused"),
        ({"ended": None, "refused": 0.0}, ""),
        # nothing can be said: other metrics, on another scale, or those of a task that failed
        ({}, ""),
        ({"perplexity": 3.0}, ""),
        ({"f1": 43.0}, ""),
        ({"acc": None}, ""),
        (dict.fromkeys(METRICS), ""),
        (dict.fromkeys(("explained", "consistency_all", "consistency")), ""),
    ],
)  # fmt: skip
def test_verdict_of_other_tasks(metrics, verdict):
    assert verdict_of(metrics) == verdict


NAMES = [*METRICS, *RIGHT, "explained", "consistency_all", "consistency", "ended", "refused"]
VALUES = st.none() | st.sampled_from([0.0, 0.5, 1.0, -1.0, 7.0])


@given(st.dictionaries(st.sampled_from(NAMES), VALUES), st.none() | st.just(UNREADABLE) | st.text())
def test_verdict_of_whatever_metrics_is_one_of_the_known(metrics, read):
    assert verdict_of(metrics, read) in ("", *VERDICTS)
