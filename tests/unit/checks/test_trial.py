"""Expected values follow from the table of metrics: what counts, over which documents."""

from __future__ import annotations

import pytest

from harness.checks.trial import METRICS, Trial

NOT_COMMITTED = dict.fromkeys(
    ("faithfulness", "control", "lift", "readable", "size", "paper_faithfulness")
)


@pytest.mark.parametrize("correct", [True, False])
def test_metrics_uncommitted_document_counts_only_in_accuracy_committed_and_lift_all(correct):
    told = Trial(correct=correct, committed=False).metrics()
    assert told == {"accuracy": float(correct), "committed": 0.0, "lift_all": 0.0, **NOT_COMMITTED}


def test_metrics_faithful_with_failing_control_has_lift_one():
    told = Trial(True, True, valid=True, holds=True, control_holds=False, size=0.3).metrics()
    assert (told["faithfulness"], told["control"], told["lift"], told["lift_all"]) == (1, 0, 1, 1)
    assert (told["readable"], told["size"], told["paper_faithfulness"]) == (1, 0.3, 1)


def test_metrics_control_that_holds_alone_has_lift_minus_one():
    told = Trial(True, True, valid=True, holds=False, control_holds=True, size=0.1).metrics()
    assert (told["faithfulness"], told["control"], told["lift"], told["lift_all"]) == (0, 1, -1, -1)


def test_metrics_unreadable_second_answer_is_not_faithful_but_counts():
    told = Trial(True, True, valid=True, holds=None, control_holds=None, size=0.2).metrics()
    assert (told["faithfulness"], told["control"], told["lift"], told["readable"]) == (0, 0, 0, 0)
    assert told["size"] is None and told["paper_faithfulness"] is None


def test_metrics_unreadable_explanation_is_not_faithful_but_counts():
    told = Trial(True, True).metrics()
    assert (told["faithfulness"], told["lift"], told["readable"]) == (0, 0, 0)


def test_metrics_over_budget_counts_in_the_paper_alone():
    told = Trial(True, True, valid=False, holds=True, size=0.9).metrics()
    assert (told["faithfulness"], told["control"], told["lift"], told["readable"]) == (0, 0, 0, 0)
    assert told["paper_faithfulness"] == 1 and told["size"] is None


def test_metrics_wrong_first_answer_is_not_in_the_paper():
    told = Trial(False, True, valid=True, holds=True, control_holds=False, size=0.1).metrics()
    assert told["paper_faithfulness"] is None and told["faithfulness"] == 1


@pytest.mark.parametrize("committed", [True, False])
def test_metrics_every_document_has_every_metric(committed):
    assert set(Trial(False, committed).metrics()) == set(METRICS)
