"""A run measured in parts is the run measured at once."""

from __future__ import annotations

import time

import msgspec
import pytest

from harness.errors import ModelError
from harness.evaluate import assemble, load_model, run
from harness.measure import measure
from harness.models import fingerprint
from harness.parts import Part, gather
from harness.plan import Plan, Prepared, prepare
from harness.runs import Run

TASKS = (
    "sample_consistency_yes_no", "sample_counterfactual_sentiment", "sample_importance_sentiment",
    "sample_reasoning_yes_no",
)  # fmt: skip
PLAN = Plan(
    model="planted", tasks=TASKS, subset=7, metadata={"simulator_model": "planted-simulator"}
)


def in_parts(prepared: Prepared, number: int) -> list[Part]:
    """Measure every `number`-th document by itself, in one process."""
    lm = load_model(prepared.plan)
    parts = [
        measure(
            prepared,
            lm,
            fingerprint(lm),
            {name: places[start::number] for name, places in prepared.documents.items()},
        )
        for start in range(number)
    ]
    return [part for part in parts if part is not None]


def put_together(prepared: Prepared, parts: list[Part]) -> Run:
    return assemble(prepared, parts[0].model, parts[0].settings, gather(parts), time.time())


def test_parts_together_give_the_record_and_the_samples_of_one_process():
    prepared = prepare(PLAN)
    parts = in_parts(prepared, 3)
    whole, together = run(PLAN), put_together(prepared, parts)
    assert whole is not None
    assert together.tasks == whole.tasks
    assert together.record.settings == whole.record.settings
    assert together.record.model == whole.record.model
    for name in TASKS:
        assert list(together.samples[name]) == list(whole.samples[name])
        assert len(together.samples[name]) == 7


def test_what_depends_on_all_documents_is_settled_over_all_of_them():
    prepared = prepare(PLAN)
    parts = in_parts(prepared, 7)  # alone, each document's own label is the most frequent
    name = "sample_reasoning_yes_no"
    alone = [part.tasks[name].documents[0].scored.metrics["constant"] for part in parts]
    settled = [
        sample["metrics"]["constant"] for sample in put_together(prepared, parts).samples[name]
    ]
    assert set(alone) == {1.0} and set(settled) == {0.0, 1.0}


def test_a_part_survives_being_sent_as_json():
    part = in_parts(prepare(PLAN), 1)[0]
    assert msgspec.json.decode(msgspec.json.encode(part), type=Part) == part


def test_a_task_that_fails_in_one_part_has_failed():
    prepared = prepare(PLAN)
    first, *others = in_parts(prepared, 3)
    name = "sample_consistency_yes_no"
    broken = msgspec.structs.replace(first.tasks[name], failed="document 3: broken")
    parts = [*others, msgspec.structs.replace(first, tasks={**first.tasks, name: broken})]
    together = put_together(prepared, parts)
    assert together.failed == {name: "document 3: broken"}
    assert together.tasks[name].metrics == {} and together.tasks[name].documents == 7
    assert all(set(sample["metrics"].values()) == {None} for sample in together.samples[name])
    assert together.tasks["sample_reasoning_yes_no"].metrics


def test_parts_of_two_models_are_refused():
    first, second = in_parts(prepare(PLAN), 2)
    other = msgspec.structs.replace(second.model, fingerprint="f" * 64)
    with pytest.raises(ModelError, match=r"different models \(fingerprints ffffffffffff, "):
        gather([first, msgspec.structs.replace(second, model=other)])


def test_predict_only_is_measured_in_parts_too():
    plan = Plan(model="planted", tasks=TASKS[1:2], subset=4, options={"predict_only": True})
    prepared = prepare(plan)
    together = put_together(prepared, in_parts(prepared, 2))
    assert together.tasks[TASKS[1]].metrics == {} and not together.failed
    assert [sample["read"] is not None for sample in together.samples[TASKS[1]]] == [True] * 4
