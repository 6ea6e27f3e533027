"""The workers as Ray's actors: started, asked, ended, and replaced."""

from __future__ import annotations

import logging
import os
import re
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from harness.cluster.worker import Answer, Surroundings, Worker
from harness.errors import ConfigError

LACKING = "--engine ray needs Ray, which is not installed: pip install 'selfcheck-harness[cluster]'"
PATIENCE = 10.0  # seconds to reach the address in
STORE = 2**28  # bytes of a local Ray's shared memory: results stay there for a moment
LONGEST_REASON = 300


def require_ray() -> None:
    """Check that Ray is installed, without importing it.

    Raises:
        ConfigError: it is not.
    """
    if find_spec("ray") is None:
        raise ConfigError(LACKING)


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Be connected to a cluster for a while.

    Args:
        address: HOST:PORT of its head, or "auto": the one on this machine; None: start one here,
            for this process alone, on the loopback interface and with a secret of its own.

    Raises:
        ConfigError: it cannot be reached, or is of another version of Ray or Python.
    """
    require_ray()
    _set_up_ray(local=address is None)
    import ray

    if address is not None:
        _check_address(address)
    told: dict[str, Any] = {"address": address or "local", "log_to_driver": False}
    if address is None:
        told |= {"include_dashboard": False, "object_store_memory": STORE}
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**told, logging_level=logging.ERROR, configure_logging=False)
    except (RuntimeError, ConnectionError, ValueError, ray.exceptions.RayError) as err:
        where = f"--address {address}" if address else "--engine ray"
        raise ConfigError(f"{where}: {_reason(err)}") from err
    if before not in (signal.SIG_DFL, None):  # Ray takes the signal for itself
        signal.signal(signal.SIGTERM, before)
    try:
        yield
    finally:
        ray.shutdown()


def _set_up_ray(local: bool) -> None:
    """Set what Ray reads once, as it is imported.

    It tells nobody that it is used. A local one listens on 127.0.0.1 alone and asks everybody for a
    token; it would listen on all interfaces, and it runs what it is sent. (The second variable is
    meant for systems on which Ray never does otherwise.)
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not local or "ray" in sys.modules:
        return
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _check_address(address: str) -> None:
    """Try an address: Ray itself waits for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not re.fullmatch(r"[^/\s]+", host) or not port.isdecimal():
        raise ConfigError(
            f"--address: got {address!r}; give HOST:PORT of the cluster's head, or auto"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except (OSError, OverflowError) as err:
        raise ConfigError(
            f"--address {address}: nothing answers there ({err}); `ray start --head` prints the "
            "address of the cluster that it starts"
        ) from err


@dataclass(frozen=True)
class Death:
    """A worker is gone, or its answer is lost."""

    reason: str


@dataclass(frozen=True)
class Room:
    """What a worker takes of a node."""

    cores: int
    gpus: int


@dataclass
class Pool:
    """Workers by name.

    Attributes:
        room: what each takes of a node.
        surroundings: theirs.
        most: how many there may be at once.
    """

    room: Room
    surroundings: Surroundings
    most: int
    _actors: dict[str, Any] = field(default_factory=dict)
    _calls: dict[Any, str] = field(default_factory=dict)
    _started: int = 0

    @property
    def names(self) -> list[str]:
        """The workers that there are."""
        return list(self._actors)

    def start(self) -> str:
        """Start a worker as soon as there is room for it; give its name."""
        import ray

        self._started += 1
        name = f"worker {self._started}"
        kind = ray.remote(Worker).options(
            num_cpus=self.room.cores,
            num_gpus=self.room.gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        self._actors[name] = kind.remote(self.surroundings)
        return name

    def refit(self) -> bool:
        """Let workers to come take fewer cores, if nodes are gone; say whether they do.

        Ray lists a dead node for a while: it may have been counted at the start, too.
        """
        cores = _cores(nodes(), self.most)
        if self.room.gpus or cores >= self.room.cores:
            return False
        self.room = Room(cores, 0)
        return True

    def ask(self, name: str, method: str, argument: Any) -> None:
        """Call a method of a worker's; `wait` gives the answer."""
        call = getattr(self._actors[name], method).remote(argument)
        self._calls[call] = name

    def wait(self, seconds: float) -> Iterator[tuple[str, Answer[Any] | Death]]:
        """Give the answers that come within some seconds; of a dead worker its death."""
        import ray

        ready, _ = ray.wait(list(self._calls), timeout=seconds)
        for call in ready:
            name = self._calls.pop(call)
            try:
                yield name, ray.get(call)
            except ray.exceptions.RayError as err:
                yield name, Death(_reason(err))

    def end(self, name: str) -> None:
        """End a worker, and forget what it was asked."""
        import ray

        self._calls = {call: other for call, other in self._calls.items() if other != name}
        ray.kill(self._actors.pop(name))

    def end_all(self) -> None:
        """End all workers."""
        for name in self.names:
            self.end(name)


def nodes() -> list[dict[str, float]]:
    """Give what each node of the cluster has: "CPU", "GPU", ..."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def fit(
    nodes: Sequence[dict[str, float]], workers: int | None, gpus: int | None, on_cpu: bool
) -> tuple[int, Room]:
    """Say how many workers there are to be, and what each takes.

    Args:
        nodes: what each has.
        workers: None: one for the GPUs that each takes, or one on each node without.
        gpus: for each worker; None: one if the cluster has some.
        on_cpu: GPUs are not wanted.

    Raises:
        ConfigError: no node has so many GPUs.
    """
    most = max((int(node.get("GPU", 0)) for node in nodes), default=0)
    each = (0 if on_cpu or not most else 1) if gpus is None else gpus
    if each > most:
        raise ConfigError(
            f"--gpus-per-worker {each}: the nodes of the cluster have {most} at most each"
        )
    if each:
        places = sum(int(node.get("GPU", 0)) // each for node in nodes)
        return workers or places, Room(1, each)
    count = workers or len(nodes)
    return count, Room(_cores(nodes, count), 0)


def _cores(nodes: Sequence[dict[str, float]], workers: int) -> int:
    """Give the most cores that each of so many workers can have.

    >>> _cores([{"CPU": 8.0}, {"CPU": 4.0}], 3)
    4
    """
    cores = [int(node.get("CPU", 0)) for node in nodes]
    each = max(cores, default=1)
    while each > 1 and sum(count // each for count in cores) < workers:
        each -= 1
    return max(each, 1)


def _reason(err: BaseException) -> str:
    """Say in a line what went wrong; Ray says it in many, the cause first or last."""
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines] or ["no reason is known"]
    told = plain[0] if len(plain) == 1 else f"{plain[0]} {plain[-1]}"
    return f"{type(err).__name__}: {told}"[:LONGEST_REASON]
