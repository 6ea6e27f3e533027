"""One plan on the workers: shards out, parts in, until all documents are measured."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness import __version__, errors
from harness.cluster.pool import Death, Pool
from harness.cluster.scheduler import Outcome, Scheduler
from harness.cluster.shards import Documents
from harness.cluster.store import Store
from harness.cluster.worker import Answer, Fault, Loaded
from harness.errors import CheckError, ConfigError, ModelError
from harness.parts import require_one_model
from harness.plan import Plan

log = logging.getLogger(__name__)

LOOK = 1.0  # seconds that an answer is waited for before idle workers are looked at again
PAUSE = 10.0  # seconds between two lines about progress


@dataclass
class Session:
    """One plan on the workers of a pool.

    Attributes:
        pool: its workers hold nothing; those that are busy at the end are ended.
        plan: as workers get it.
        shards: what is to be measured.
        store: gets each part once.
        workers: how many there are to be.
    """

    pool: Pool
    plan: Plan
    shards: list[Documents]
    store: Store
    workers: int
    replaced: int = 0
    _idle: set[str] = field(default_factory=set)
    _loading: set[str] = field(default_factory=set)
    _models: list[str | None] = field(default_factory=list)
    _told: set[str] = field(default_factory=set)
    _spoke: float = 0.0

    def __post_init__(self) -> None:
        self._scheduler = Scheduler(range(len(self.shards)))
        self._spoke = time.monotonic()

    def run(self, stopped: Callable[[], bool]) -> None:
        """Measure all shards.

        Args:
            stopped: whether to end before.

        Raises:
            KeyboardInterrupt: it was stopped.
            SelfcheckError: what a worker says is wrong; workers die again and again.
        """
        for name in self.pool.names[self.workers :]:
            self.pool.end(name)
        while len(self.pool.names) < self.workers:
            self.pool.start()
        for name in self.pool.names:
            self._load(name)
        try:
            while not self._scheduler.is_done:
                if stopped():
                    raise KeyboardInterrupt
                self._refit()
                self._hand_out()
                for name, answer in self.pool.wait(LOOK):
                    self._take(name, answer)
                self._tell_progress()
        finally:
            for name in set(self.pool.names) - self._idle:
                self.pool.end(name)
        self._tell_end()

    def _load(self, name: str) -> None:
        self._loading.add(name)
        self.pool.ask(name, "load", self.plan)

    def _hand_out(self) -> None:
        for name in sorted(self._idle):
            shard = self._scheduler.hand_out(name, time.monotonic())
            if shard is not None:
                self._idle.remove(name)
                self.pool.ask(name, "measure", self.shards[shard])

    def _take(self, name: str, answer: Answer[Any] | Death) -> None:
        if isinstance(answer, Death):
            self._replace(name, answer.reason)
            return
        for line in answer.warnings:
            if line not in self._told:
                self._told.add(line)
                log.warning("%s", line)
        if answer.fault is not None:
            _raise(answer.fault, answer.node)
        if isinstance(answer.value, Loaded):
            self._check(answer.value, answer.node)
            self._loading.remove(name)
            self._scheduler.loaded()
        else:
            part: Any = answer.value
            if self._scheduler.finished(name, time.monotonic()) is Outcome.FIRST:
                self.store.add(part)
        self._idle.add(name)

    def _replace(self, name: str, reason: str) -> None:
        log.warning("A worker is gone, another takes its place: %s", reason)
        self._loading.discard(name)
        self.pool.end(name)
        self._scheduler.died(name, reason)
        self.replaced += 1
        self._load(self.pool.start())

    def _refit(self) -> None:
        """Start those anew that wait for more room than the nodes that are left have."""
        if not self._loading or not self.pool.refit():
            return
        log.warning("Nodes are gone: cores of each worker from now on: %d", self.pool.room.cores)
        for name in sorted(self._loading):
            self._loading.remove(name)
            self.pool.end(name)
            self._load(self.pool.start())

    def _check(self, loaded: Loaded, node: str) -> None:
        """Refuse a worker whose numbers would be others."""
        if loaded.version != __version__:
            raise ConfigError(
                f"{node} has selfcheck {loaded.version}, this machine {__version__}: install the "
                "same on every machine"
            )
        self.store.require(loaded.fingerprint)
        if loaded.fingerprint is None and not self._models:
            log.warning(
                "Nobody can identify this kind of model: that it is the same on every machine "
                "cannot be checked, and a run that is killed starts anew"
            )
        self._models.append(loaded.fingerprint)
        try:
            require_one_model(self._models)
        except ModelError as err:
            raise ModelError(f"{node}: {err}") from err

    def _tell_progress(self) -> None:
        now = time.monotonic()
        if now - self._spoke < PAUSE:
            return
        self._spoke = now
        done, count = self.store.count, self.store.count + self._left()
        waiting = len(self._loading)
        log.info(
            "%d of %d documents; %d workers%s%s",
            done,
            count,
            len(self.pool.names) - waiting,
            f", {waiting} not ready yet (no room for them, or loading)" if waiting else "",
            self._mishaps(),
        )

    def _left(self) -> int:
        return sum(sum(map(len, self.shards[shard].values())) for shard in self._scheduler.left)

    def _tell_end(self) -> None:
        log.info("%d documents on %d workers%s", self.store.count, self.workers, self._mishaps())

    def _mishaps(self) -> str:
        repeated = self._scheduler.repeated
        told = [f"{self.replaced} replaced"] if self.replaced else []
        told += [f"{repeated} of {len(self.shards)} shards repeated"] if repeated else []
        return "".join(f", {one}" for one in told)


def _raise(fault: Fault, node: str) -> None:
    told = f"{node}: {fault.message}"
    if fault.kind is None:
        log.error("%s", fault.trace)
        raise CheckError(told)
    kind: Mapping[str, type[Exception]] = vars(errors)
    raise kind[fault.kind](told)
