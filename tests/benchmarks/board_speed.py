"""Print what a board of many runs takes, time and memory, as Markdown.

OMP_NUM_THREADS=1 python -m tests.benchmarks.board_speed [--runs 200] [--help]

The runs are made up, with evidence as long as that of real samples, and written to a temporary
folder; making them is not measured. Each board is built and written by a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from harness.run_files import write_run
from tests.records import LIFT, doc_hash, make_run, task_run

KINDS = {
    "lift_all": (-1.0, 0.0, 1.0),
    "lift": (-1.0, 0.0, 1.0),
    "accuracy": (0.0, 1.0),
    "committed": (0.0, 1.0),
    "faithfulness": (0.0, 1.0),
    "readable": (0.0, 1.0),
    "size": None,
}
"""Metric -> the values that a document can have; None: any in [0, 1]."""
PROGRAM = """
import json, resource, sys, time
from pathlib import Path
start = time.perf_counter()
from leaderboards.board import build_board
from leaderboards.entries import read_entries
from leaderboards.folder import write_board
board = build_board(read_entries(sys.argv[3:]), sys.argv[2] or None)
write_board(board, Path(sys.argv[1]))
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([len(board.lines), board.tests, seconds, time.process_time(), peak / 1024]))
"""


def make(folder: Path, told: argparse.Namespace, number: int) -> Path:
    """Write one run."""
    rng = np.random.default_rng(number)
    tasks, rows = {}, {}
    for task in range(told.tasks):
        values = {
            name: (rng.random if kind is None else lambda n, kind=kind: rng.choice(kind, n))(
                told.documents
            ).tolist()
            for name, kind in list(KINDS.items())[: told.metrics]
        }
        name = f"task_{task:02}"
        bounds = dict.fromkeys(("lift", "lift_all"), LIFT)
        tasks[name] = task_run(values, bounds=bounds, variant_of=name)
        rows[name] = [
            {
                "doc_hash": doc_hash(place),
                "cluster": doc_hash(place),
                "stages": [{"prompt": "x" * (told.evidence // 2), "answer": "y"}] * 2,
                "metrics": {metric: column[place] for metric, column in values.items()},
            }
            for place in range(told.documents)
        ]
    return write_run(make_run(tasks, rows, fingerprint=f"model {number}"), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=14)
    parser.add_argument("--metrics", type=int, default=len(KINDS), help=f"at most {len(KINDS)}")
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--evidence", type=int, default=4000, help="characters a document")
    told = parser.parse_args()
    print(
        f"{told.tasks} tasks, {told.metrics} metrics, {told.documents} documents a task, "
        f"{told.evidence} characters of evidence a document\n"
    )
    print("| runs | base | rows | tests | seconds | of the processor | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folders = [
            make(Path(place) / f"run_{number:03}", told, number) for number in range(told.runs)
        ]
        for runs, base in ((told.runs // 10, True), (told.runs, False), (told.runs, True)):
            chosen = [str(folder) for folder in folders[: max(1, runs)]]
            name = folders[0].name if base else ""
            output = str(Path(place) / "board")
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM, output, name, *chosen],
                check=True,
                capture_output=True,
                text=True,
            )
            rows, tests, seconds, used, peak = json.loads(done.stdout)
            declared = "declared" if base else "none"
            cells = [len(chosen), declared, rows, tests, f"{seconds:.1f}", f"{used:.1f}"]
            print(f"| {' | '.join(map(str, cells))} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
