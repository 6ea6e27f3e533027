"""A Ray cluster of two nodes on this machine, and tasks that show what its workers do."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import psutil

from harness.data import tasks_path

OURS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # listen on 127.0.0.1
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "ab" * 32,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # else they wait for whatever else runs here
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}
SMALL: dict[str, Any] = {"object_store_memory": 100 * 2**20}


@contextmanager
def two_nodes() -> Iterator[Any]:
    """Start them; the environment must have `OURS`."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={**SMALL, "num_cpus": 1, "include_dashboard": False}
    )
    try:
        cluster.add_node(**SMALL, num_cpus=2)
        yield cluster
    finally:
        cluster.shutdown()


def gated_tasks(folder: Path, seconds: float = 0.2) -> Path:
    """Write the task files `gated` and `failing`; give their folder."""
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("gated_task.py"), folder)
    (folder / "seconds").write_text(str(seconds))
    shipped = tasks_path() / "sentiment" / "sample_importance_sentiment.yaml"
    for name in ("gated", "failing"):
        (folder / f"{name}.yaml").write_text(
            f"include: {shipped}\ntask: {name}\ntag: []\n"
            f"class: !function gated_task.{name.capitalize()}\n"
        )
    return folder


def measured_by(folder: Path) -> list[tuple[int, str]]:
    """Give process and document of each measurement, in order."""
    file = folder / "measured.log"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(pid), told) for pid, told in (line.split() for line in lines)]


@contextmanager
def struck(folder: Path, after: int, strike: Callable[[int], bool]) -> Iterator[list[int]]:
    """Strike a worker when so many documents were measured; gives the processes that were struck.

    Args:
        strike: is given processes until it takes one.
    """
    hit: list[int] = []

    def wait() -> None:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and not hit:
            told = measured_by(folder)
            if len(told) >= after:
                hit.extend([pid for pid, _ in told[-1:] if strike(pid)])
            time.sleep(0.02)

    thread = Thread(target=wait)
    thread.start()
    try:
        yield hit
    finally:
        thread.join()


def kill(pid: int) -> bool:
    os.kill(pid, signal.SIGKILL)
    return True


def stop(pid: int) -> bool:
    os.kill(pid, signal.SIGSTOP)
    return True


def node_of(cluster: Any, pid: int) -> Any:
    """Give the node that a worker runs on."""
    raylet = psutil.Process(pid).ppid()
    return next(
        node
        for node in cluster.list_all_nodes()
        if node.all_processes["raylet"][0].process.pid == raylet
    )
