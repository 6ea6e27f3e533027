"""Print the throughput of one process and of Ray workers, and how their documents differ.

python -m tests.benchmarks.ray_table [--documents 12] [--batch-size 1] [--tasks ...] [--workers 1 2]

The demonstration model in float32 on CPUs, a thread for each process, no answers from a cache, a
Ray of this machine alone. Times are from the plan to the run, the model's loading included; workers
have run another plan before, this process has imported everything. With more documents in a batch
than a shard has, one process has the larger batches, and is faster for it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TASKS = ("sample_importance_sentiment", "sample_truthfulness_mc1")
TOLERANCE = 1e-4


def main() -> None:
    os.environ.update(
        {"OMP_NUM_THREADS": "1", "SELFCHECK_CACHE": "off", "RAY_worker_niceness": "0"}
    )  # Ray's workers would wait for whatever else runs here
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()

    from harness.cluster.engine import Cluster, Wanted
    from harness.demo import demo_model
    from harness.plan import Plan

    plan = Plan(
        "hf",
        tuple(args.tasks),
        {"pretrained": str(demo_model()), "dtype": "float32"},
        subset=args.documents,
        batch_size=args.batch_size,
        device="cpu",
        options={"apply_chat_template": True, "fewshot_as_multiturn": True},
    )
    small = Plan("planted", TASKS[:1], subset=1)
    count = args.documents * len(args.tasks)
    with tempfile.TemporaryDirectory() as folder:
        run_alone(small)
        seconds, alone = run_alone(plan)
        print("| engine | s | documents/min | ratio | other texts | other scores | most apart |")
        print("|---|---|---|---|---|---|---|")
        print(f"| one process | {seconds:.0f} | {60 * count / seconds:.1f} | 1 | | | |", flush=True)
        for workers in args.workers:
            wanted = Wanted(workers=workers, documents_per_shard=max(count // (4 * workers), 1))
            with Cluster(wanted) as cluster:
                run_there(cluster, small, Path(folder, f"small-{workers}"))
                took, there = run_there(cluster, plan, Path(folder, f"run-{workers}"))
            told = [f"{workers} Ray workers", f"{took:.0f}", f"{60 * count / took:.1f}"]
            told += [f"{seconds / took:.2f}", *differences(alone, there)]
            print(f"| {' | '.join(told)} |", flush=True)


Samples = Mapping[str, list[Mapping[str, Any]]]


@contextmanager
def clock(told: list[float]):
    begun = time.monotonic()
    yield
    told.append(time.monotonic() - begun)


def run_alone(plan: Any) -> tuple[float, Samples]:
    from harness import evaluate

    told: list[float] = []
    with clock(told):
        run = evaluate.run(plan)
    return told[0], {name: list(samples) for name, samples in run.samples.items()}


def run_there(cluster: Any, plan: Any, folder: Path) -> tuple[float, Samples]:
    told: list[float] = []
    with clock(told), cluster.measured(plan, folder) as run:
        samples = {name: list(each) for name, each in run.samples.items()}
    return told[0], samples


def differences(one: Samples, other: Samples) -> tuple[str, str, str]:
    """Count the documents with another text, and with a score further off than float rounding."""
    assert one.keys() == other.keys()
    texts, scores, largest, count = 0, 0, 0.0, 0
    for name, samples in one.items():
        for ours, theirs in zip(samples, other[name], strict=True):
            assert ours["doc_hash"] == theirs["doc_hash"]
            count += 1
            texts += said(ours) != said(theirs)
            apart = [
                0.0 if a == b else 1.0 if None in (a, b) else abs(a - b)
                for a, b in (
                    (value, theirs["metrics"][key]) for key, value in ours["metrics"].items()
                )
            ]
            largest = max([largest, *apart])
            scores += max(apart) > TOLERANCE
    return f"{texts} of {count}", f"{scores} of {count}", f"{largest:.1e}"


def said(sample: Mapping[str, Any]) -> list[Any]:
    return [(stage.get("prompt"), stage.get("answer")) for stage in sample.get("stages", [])]


if __name__ == "__main__":
    main()
