"""Print what the driver of a run on Ray holds in memory and on disk, as Markdown.

python -m tests.benchmarks.driver_memory [--samples 20000 100000 200000] [--runs 20]

Parts are made of a planted model's real samples, repeated under other numbers, scores and clusters,
and go through the real store, assembly and writing. Every line is a process of its own; memory is
what is added to that of the process with everything imported and the tasks loaded. Linux only.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.cluster.store import open_store, parts_folder
from harness.evaluate import assemble, load_model
from harness.measure import measure
from harness.parts import Document, Part
from harness.plan import Plan, Prepared, prepare
from harness.run_files import write_run

TASK = "sample_importance_sentiment"
SHARD = 512
MEGA = 10**6


def status(name: str) -> int:
    """Give a figure of this process, in bytes."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    told = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s*(\d+) kB", told)[1]) * 1024


def parts(first: Part, count: int) -> Iterator[Part]:
    """Make parts of so many samples."""
    task = first.tasks[TASK]
    for start in range(0, count, SHARD):
        places = range(start, min(start + SHARD, count))
        made = [renumbered(task.documents[place % len(task.documents)], place) for place in places]
        told = msgspec.structs.replace(task, documents=made)
        yield msgspec.structs.replace(first, tasks={TASK: told})


def renumbered(document: Document, place: int) -> Document:
    scored = document.scored
    metrics = {
        name: None if value is None else (value + place) % 2
        for name, value in scored.metrics.items()
    }
    cluster = f"{scored.cluster}-{place}"
    told = msgspec.structs.replace(scored, doc_id=place, cluster=cluster, metrics=metrics)
    return Document(told, {**document.sample, "doc_id": place, "cluster": cluster})


def bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def run(prepared: Prepared, first: Part, count: int, output: Path) -> dict[str, float]:
    """Take parts, put them together, write the run; give what was held."""
    before = status("VmRSS")
    started = time.time()
    store = open_store(parts_folder(output), {"plan": "made up"})
    for part in parts(first, count):
        store.add(part)
    held, disk = status("VmRSS"), bytes_in(store.folder)
    added = time.time()
    Path("/proc/self/clear_refs").write_text("5")
    write_run(assemble(prepared, first.model, first.settings, store.gathered(), 0.0), output)
    peak = status("VmHWM")
    store.remove()
    del store
    return {
        "disk": disk, "run": bytes_in(output), "held": held - before, "peak": peak - before,
        "left": status("VmRSS") - before, "adding": added - started,
        "writing": time.time() - added,
    }  # fmt: skip


def measure_here(count: int, runs: int) -> None:
    plan = Plan("planted", (TASK,))
    prepared = prepare(plan)
    first = measure(prepared, load_model(plan), "made up")
    with tempfile.TemporaryDirectory() as folder:
        run(prepared, first, SHARD, Path(folder, "first"))  # imports what only the numbers need
        told = [run(prepared, first, count, Path(folder, f"run-{k}")) for k in range(runs)]
    last = {**told[0], "left": sum(each["left"] for each in told)}
    print(json.dumps(last))


def in_process_of_its_own(count: int, runs: int = 1) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.driver_memory"]
    command += ["--here", str(count), "--runs", str(runs)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(told.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, nargs="+", default=[20_000, 100_000, 200_000])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--here", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        measure_here(args.here, args.runs)
        return
    print(
        "| samples | parts on disk, MB | run, MB | driver with all parts, MB | most, written, MB "
        "| after, MB | per million: disk, GB | driver, GB | most, GB | s to keep | s to write |"
    )
    print("|" + "---|" * 11)
    for count in args.samples:
        told = in_process_of_its_own(count)
        mega = {name: told[name] / MEGA for name in ("disk", "run", "held", "peak", "left")}
        giga = [1000 * mega[name] / count for name in ("disk", "held", "peak")]
        cells = [f"{count:,}", *(f"{value:.1f}" for value in mega.values())]
        cells += [*(f"{value:.2f}" for value in giga)]
        print(f"| {' | '.join(cells)} | {told['adding']:.0f} | {told['writing']:.0f} |", flush=True)
    told = in_process_of_its_own(2_000, args.runs)
    print(
        f"\n{args.runs} runs of 2,000 samples, one after another: {told['left'] / MEGA:.1f} MB more"
    )


if __name__ == "__main__":
    main()
