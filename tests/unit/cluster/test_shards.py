from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cluster.shards import FEWEST, MOST, count_shards, cut, without
from harness.errors import ConfigError

places = st.lists(st.integers(0, 500), unique=True, max_size=60).map(sorted)
documents = st.dictionaries(st.sampled_from("abcd"), places)


@given(documents, st.integers(1, 40))
def test_cut_every_document_is_in_one_shard_and_shards_keep_the_order(given_, pieces):
    shards = cut(given_, pieces)
    for name, told in given_.items():
        assert list(chain.from_iterable(shard.get(name, []) for shard in shards)) == told
    assert len(shards) <= pieces
    assert all(shard and all(shard.values()) for shard in shards)


@given(places, st.integers(1, 40))
def test_cut_tasks_on_the_same_documents_stay_together(told, pieces):
    for shard in cut({"a": told, "b": told, "c": told}, pieces):
        assert shard["a"] == shard["b"] == shard["c"]


@given(places, st.integers(1, 40))
def test_cut_shards_of_one_task_differ_by_one_document_at_most(told, pieces):
    sizes = [len(shard["a"]) for shard in cut({"a": told}, pieces)]
    assert not sizes or max(sizes) - min(sizes) <= 1


@given(st.integers(1, 10**6), st.integers(1, 200))
def test_count_shards_every_worker_has_work_and_no_shard_is_too_large(many, workers):
    count = count_shards({"a": range(many)}, workers)
    assert count >= min(workers, many)
    assert many / count <= MOST


def test_count_shards_small_runs_are_cut_by_batches():
    assert count_shards({"a": range(10 * FEWEST)}, 2) == 10
    assert count_shards({"a": range(64)}, 2, batch_size=32) == 2


def test_count_shards_as_many_documents_in_each_as_is_asked_for():
    assert count_shards({"a": range(10), "b": range(10)}, 2, per_shard=3) == 7
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        count_shards({"a": range(10)}, 2, per_shard=0)


def test_without_leaves_out_what_is_done():
    left = without({"a": [0, 1, 2], "b": [4], "c": [0]}, {"a": {1}, "b": {4}})
    assert left == {"a": [0, 2], "c": [0]}
