from __future__ import annotations

from harness.selection import build_manager
from leaderboards.page.meanings import CHECKS, CONTROLS, UNKNOWN, check_of, meaning_of


def ours():
    manager = build_manager()
    names = [name for name in manager.all_tasks if name in manager.all_subtasks]
    return manager.load(names)["tasks"]


def test_every_metric_of_every_task_has_a_meaning_and_every_task_a_check():
    told = {
        (name, metric): meaning_of(check_of(name), metric)
        for name, task in ours().items()
        for metric in task.file.metrics
    }
    assert len(told) > 200
    assert [key for key, meaning in told.items() if meaning == UNKNOWN] == []
    assert {check_of(name) for name, _ in told} == {*CHECKS} - {"other tasks"}


def test_a_control_is_a_metric_of_the_same_task():
    for name, task in ours().items():
        for metric in task.file.metrics:
            control = meaning_of(check_of(name), metric).control
            assert control is None or control in task.file.metrics, (name, metric)


def test_every_check_but_unknown_ones_says_what_it_is_held_against():
    assert set(CONTROLS) == {*CHECKS} - {"other tasks"}


def test_check_of_knows_no_more_than_the_name_tells():
    told = ["selfcheck_importance_sst2_persona", "selfcheck_other_x", "sample_qa", "importance_x"]
    assert [check_of(name) for name in told] == [
        "importance",
        "other tasks",
        "questions over a passage",
        "other tasks",
    ]
