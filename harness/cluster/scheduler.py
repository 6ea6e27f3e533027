"""Which shard goes to which worker: deaths, and workers that are late, included.

Pure: it knows numbers and names, no processes; the caller tells what happened and when.
"""

from __future__ import annotations

import statistics
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from harness.errors import ModelError

LATE = 2.0
"""A shard is late when it takes this many times as long as the others did (their median)."""
LEAST, UNKNOWN = 5.0, 300.0
"""After so many seconds at the soonest; after so many while there are no others."""
COPIES = 3
"""How many workers may have the same shard at once."""
DEATHS = 3
"""A shard, or loading the model, that ended so many workers ends the run."""


class Outcome(Enum):
    """What a worker's result is good for."""

    FIRST = auto()
    REPEATED = auto()


@dataclass
class _Held:
    shard: int
    since: float


class Scheduler:
    """Hands out shards until there is a result of each.

    A worker that dies gives its shard back. When all are handed out, an idle worker gets the
    oldest that is late, too, and the first result counts.

    Attributes:
        left: the shards that have no result yet.
        repeated: how many times a shard was handed out again.
    """

    def __init__(self, shards: Iterable[int]) -> None:
        self._waiting = deque(shards)
        self.left = set(self._waiting)
        self._held: dict[str, _Held] = {}
        self._took: list[float] = []
        self._ended: Counter[int | None] = Counter()
        self.repeated = 0

    @property
    def is_done(self) -> bool:
        """Whether each shard has a result."""
        return not self.left

    def loaded(self) -> None:
        """Note that a worker has loaded the model: those that died of it did so by chance."""
        self._ended[None] = 0

    def hand_out(self, worker: str, now: float) -> int | None:
        """Give an idle worker a shard; None: there is nothing for it, for now.

        Args:
            worker: it has loaded the model, and holds nothing.
            now: seconds, of a clock that never goes back.
        """
        shard = self._waiting.popleft() if self._waiting else self._late(now)
        if shard is not None:
            self._held[worker] = _Held(shard, now)
        return shard

    def finished(self, worker: str, now: float) -> Outcome:
        """Note that a worker gave the result of the shard that it holds."""
        held = self._held.pop(worker)
        if held.shard not in self.left:
            return Outcome.REPEATED
        self.left.remove(held.shard)
        self._took.append(now - held.since)
        return Outcome.FIRST

    def died(self, worker: str, reason: str) -> None:
        """Note that a worker is gone; its shard is the next that is handed out.

        Args:
            worker: one with a shard, or that was loading the model.
            reason: what is known of why.

        Raises:
            ModelError: too many have died of the same.
        """
        held = self._held.pop(worker, None)
        shard = None if held is None else held.shard
        if shard is not None and shard not in self.left:
            return
        self._ended[shard] += 1
        if self._ended[shard] >= DEATHS:
            at = "loading the model" if shard is None else "the same documents"
            raise ModelError(
                f"{DEATHS} workers died of {at}: does a node's memory run out? Give fewer workers "
                f"or a smaller --batch-size. The last one: {reason}"
            )
        if shard is not None and shard not in self._in_flight():
            self._waiting.appendleft(shard)
            self.repeated += 1

    def _in_flight(self) -> Counter[int]:
        return Counter(held.shard for held in self._held.values())

    def _late(self, now: float) -> int | None:
        took = self._took
        patience = max(LATE * statistics.median(took), LEAST) if took else UNKNOWN
        copies = self._in_flight()
        latest: dict[int, float] = {}
        for held in self._held.values():
            latest[held.shard] = max(held.since, latest.get(held.shard, held.since))
        late = [
            shard
            for shard in latest
            if shard in self.left and copies[shard] < COPIES and now - latest[shard] > patience
        ]
        if not late:
            return None
        self.repeated += 1
        return min(late, key=lambda shard: (copies[shard], latest[shard]))
