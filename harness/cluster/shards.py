"""The documents of a run, cut into shards for workers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.errors import ConfigError

Documents = dict[str, list[int]]
"""Task -> the places of documents in its split, ascending."""
SHARDS_PER_WORKER = 8  # so that none waits long for the last, and a death repeats little
FEWEST, MOST = 16, 512  # documents in a shard: a batch on CPUs; what one message may hold


def cut(documents: Mapping[str, Sequence[int]], pieces: int) -> list[Documents]:
    """Cut the documents of all tasks into shards.

    The k-th shard has the k-th piece of every task's documents: tasks on the same documents share
    questions, and what they share is asked once, as in a run that is not cut.

    Args:
        documents: task -> places, ascending.
        pieces: how many shards at most; there are fewer if there are fewer documents.

    >>> cut({"a": [0, 1, 2, 3], "b": [5, 7]}, 2)
    [{'a': [0, 1], 'b': [5]}, {'a': [2, 3], 'b': [7]}]
    """
    longest = max(map(len, documents.values()), default=0)
    pieces = min(pieces, longest)
    shards = [
        {
            name: list(places[_edge(places, k, pieces) : _edge(places, k + 1, pieces)])
            for name, places in documents.items()
        }
        for k in range(pieces)
    ]
    return [{name: places for name, places in shard.items() if places} for shard in shards]


def _edge(places: Sequence[int], k: int, pieces: int) -> int:
    return len(places) * k // pieces


def count_shards(
    documents: Mapping[str, Sequence[int]],
    workers: int,
    batch_size: int | str = "auto",
    per_shard: int | None = None,
) -> int:
    """Say into how many shards to cut.

    Args:
        documents: task -> places.
        workers: how many there are to be.
        batch_size: as a plan has it; a shard is no smaller, unless workers would have none.
        per_shard: how many documents a shard shall have, over all tasks; None: settled here.

    Raises:
        ConfigError: `per_shard` is less than 1.
    """
    count = sum(map(len, documents.values()))
    if per_shard is not None:
        if per_shard < 1:
            raise ConfigError(f"--documents-per-shard must be at least 1, got {per_shard}")
        return math.ceil(count / per_shard)
    fewest = batch_size if isinstance(batch_size, int) else FEWEST
    size = min(max(count / (workers * SHARDS_PER_WORKER), fewest), MOST)
    return max(math.ceil(count / size), min(workers, count))


def without(documents: Mapping[str, Sequence[int]], done: Mapping[str, set[int]]) -> Documents:
    """Leave out documents that are done."""
    left = {
        name: [place for place in places if place not in done.get(name, ())]
        for name, places in documents.items()
    }
    return {name: places for name, places in left.items() if places}
