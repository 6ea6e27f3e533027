"""Time and memory of comparing two large runs: `python -m tests.benchmarks.compare_speed`.

Twenty tasks of 10,000 documents each, in the proportions of the real ones: twelve faithfulness
tasks (nine metrics, one of them continuous), eight of choices (four, three of them continuous), and
3 kB of questions and answers a document.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from harness.run_files import write_run
from tests.records import LIFT, make_run, samples, task_run

FAITHFULNESS, CHOICES = 12, 8
EVIDENCE = 3000


def columns(kind: str, documents: int, rng: np.random.Generator) -> dict[str, list[float]]:
    def binary() -> list[float]:
        return rng.integers(0, 2, documents).astype(float).tolist()

    def signs() -> list[float]:
        return rng.integers(-1, 2, documents).astype(float).tolist()

    if kind == "choices":
        acc, blind = rng.random(documents), rng.random(documents)
        told = {"acc": acc, "acc_answer_only": blind, "lift": acc - blind}
        return {name: column.tolist() for name, column in told.items()} | {"ties": binary()}
    names = ("accuracy", "committed", "faithfulness", "control", "readable", "paper_faithfulness")
    told = {name: binary() for name in names} | {"lift": signs(), "lift_all": signs()}
    return {**told, "size": rng.random(documents).tolist()}


def write(folder: Path, documents: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tasks, rows = {}, {}
    for number in range(FAITHFULNESS + CHOICES):
        kind = "faithfulness" if number < FAITHFULNESS else "choices"
        values, name = columns(kind, documents, rng), f"task_{number:02}"
        tasks[name] = task_run(values, bounds={"lift": LIFT, "lift_all": LIFT}, variant_of=name)
        rows[name] = [{**one, "stages": "x" * EVIDENCE} for one in samples(values)]
    write_run(make_run(tasks, rows), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    documents = parser.parse_args().documents
    with tempfile.TemporaryDirectory() as place:
        for seed, name in enumerate(("base", "candidate")):
            write(Path(place, name), documents, seed)
        size = sum(file.stat().st_size for file in Path(place).rglob("*.jsonl"))
        line = [sys.executable, "-m", "harness.commands", "compare", f"{place}/base"]
        began = time.perf_counter()
        subprocess.run([*line, f"{place}/candidate"], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print("| tasks | documents each | samples, MB | seconds | peak memory, MB |")
    print("|---|---|---|---|---|")
    tasks = FAITHFULNESS + CHOICES
    print(f"| {tasks} | {documents:,} | {size / 1e6:,.0f} | {seconds:.1f} | {peak:,.0f} |")


if __name__ == "__main__":
    main()
