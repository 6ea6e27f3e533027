from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from harness.base_task import Usage
from harness.cluster.store import PLAN, open_store, parts_folder
from harness.errors import ConfigError, ModelError, RecordError
from harness.parts import Document, Part, Scored, TaskPart, gather
from harness.runs import Model, Settings, TaskRun

PLANNED = {"model": "m", "documents": "d"}


def document(place, value=0.5):
    scored = Scored(
        place, f"story {place // 2}", {"acc": value, "size": None}, Usage(None, 0, 3, 4), {"yes": 2}
    )
    return Document(scored, {"doc_id": place, "text": f"said \ud800 é {place}\n", "n": [1.5, None]})


def part(tasks, fingerprint="f" * 64, failed=None, version=1):
    model = Model(
        backend="hf", args={"api_key": "hidden"}, fingerprint=fingerprint, device="cpu",
        dtype="float32", batch_size=16,
    )  # fmt: skip
    head = TaskRun(
        version=version, source="here", variant={}, variant_of="a", data={"fingerprint": "x"},
        conditions={}, headline="acc", documents=0, prompts_cut=None, answers_cut=None,
        tokens_in=None, tokens_out=None,
    )  # fmt: skip
    told = {
        name: TaskPart(head, [document(place) for place in places], (failed or {}).get(name))
        for name, places in tasks.items()
    }
    return Part(model, Settings(tasks=["a"], metadata={"simulator_args": "key=hidden"}), told)


@pytest.fixture
def folder(tmp_path):
    return parts_folder(tmp_path / "run")


def assert_gathered(store, parts):
    told, wanted = store.gathered(), gather(parts)
    assert told.keys() == wanted.keys()
    for name, task in wanted.items():
        assert told[name].head == task.head
        assert list(told[name].scored) == list(task.scored)
        assert list(told[name].samples) == list(task.samples)
        assert list(told[name].samples[1:]) == list(task.samples[1:])


def test_parts_are_gathered_in_the_order_of_the_split(folder):
    parts = [part({"a": [4, 5], "b": [2]}), part({"a": [0, 1]}), part({"a": [2, 3], "b": [0]})]
    store = open_store(folder, PLANNED)
    for each in parts:
        store.add(each)
    assert_gathered(store, parts)
    assert store.done == {"a": {0, 1, 2, 3, 4, 5}, "b": {0, 2}}
    assert store.count == 8


def test_parts_of_a_killed_process_are_taken_and_more_are_added(folder):
    parts = [part({"a": [0, 1], "b": [0]}), part({"a": [2, 3]}), part({"a": [4], "b": [1]})]
    first = open_store(folder, PLANNED)
    for each in parts[:2]:
        first.add(each)
    second = open_store(folder, PLANNED)
    assert second.done == {"a": {0, 1, 2, 3}, "b": {0}}
    second.add(parts[2])
    assert_gathered(second, parts)
    assert_gathered(open_store(folder, PLANNED), parts)


def test_part_that_failed_or_whose_model_is_unknown_is_done_again(folder):
    store = open_store(folder, PLANNED)
    store.add(part({"a": [0]}, failed={"a": "document 0: no"}))
    store.add(part({"a": [1]}))
    assert store.gathered()["a"].failed == "document 0: no"
    again = open_store(folder, PLANNED)
    assert again.done == {"a": {1}}
    assert again.gathered()["a"].failed is None
    again.remove()
    unknown = open_store(folder, PLANNED)
    unknown.add(part({"a": [0]}, fingerprint=None))
    unknown.add(part({"a": [1]}, fingerprint=None))
    assert open_store(folder, PLANNED).done == {}


def test_of_many_failures_the_first_in_the_split_is_told(folder):
    store = open_store(folder, PLANNED)
    store.add(part({"a": [6, 7]}, failed={"a": "document 7"}))
    store.add(part({"a": [2, 3]}, failed={"a": "document 3"}))
    store.add(part({"a": [8]}, failed={"a": "document 8"}))
    assert store.gathered()["a"].failed == "document 3"


def test_parts_of_another_plan_are_refused_and_it_says_what_to_remove(folder):
    open_store(folder, PLANNED).add(part({"a": [0]}))
    with pytest.raises(ConfigError, match=r"\.run\.parts: .* with other documents; .*remove"):
        open_store(folder, {**PLANNED, "documents": "others"})


def test_part_of_another_model_is_refused(folder):
    store = open_store(folder, PLANNED)
    store.add(part({"a": [0]}))
    with pytest.raises(ModelError, match="different models"):
        store.add(part({"a": [1]}, fingerprint="e" * 64))


def test_model_that_is_not_that_of_older_parts_is_refused(folder):
    open_store(folder, PLANNED).add(part({"a": [0]}))
    store = open_store(folder, PLANNED)
    store.require("f" * 64)
    for other in ("e" * 64, None):
        with pytest.raises(ConfigError, match=r"\.run\.parts: holds .* of another model.*remove"):
            store.require(other)


def test_parts_of_other_task_files_or_data_are_refused(folder):
    store = open_store(folder, PLANNED)
    store.add(part({"a": [0]}))
    with pytest.raises(ModelError, match="a: parts of the run differ in version"):
        store.add(part({"a": [1]}, version=2))


@pytest.mark.parametrize("cut", [3, 5])
def test_damaged_part_is_named(folder, cut):
    open_store(folder, PLANNED).add(part({"a": [0, 1, 2]}))
    file = folder / "000000.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:cut]))
    with pytest.raises(RecordError, match=r"000000\.jsonl: is damaged: .*remove it"):
        open_store(folder, PLANNED)


def test_damaged_plan_is_named(folder):
    open_store(folder, PLANNED)
    (folder / PLAN).write_text("[]")
    with pytest.raises(RecordError, match=r"plan\.json: is damaged"):
        open_store(folder, PLANNED)


def test_no_secret_is_written(folder):
    store = open_store(folder, PLANNED)
    store.add(part({"a": [0]}))
    assert all("hidden" not in file.read_text() for file in folder.iterdir())
    assert json.loads((folder / "000000.jsonl").read_text().splitlines()[0])["counts"] == {"a": 1}


def test_samples_are_read_as_often_as_they_are_asked_for(folder):
    store = open_store(folder, PLANNED)
    told = part({"a": [0, 1]})
    store.add(told)
    samples = store.gathered()["a"].samples
    assert list(samples) == list(samples) == [document(0).sample, document(1).sample]
    assert samples[-1] == document(1).sample
    assert replace(told.model, args={}) == store.first.model
