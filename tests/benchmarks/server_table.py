"""Print what a server changes about a run, as Markdown: in process, and over HTTP.

python -m tests.benchmarks.server_table [--documents 2] [--help]

The demonstration model in process (hf, float32, CPU) and under `transformers serve`, asked one by
one and four at a time; nothing is taken from the cache. A document differs if one of its answers,
what was read of it, or one of its metrics does.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.commands import main as selfcheck
from harness.demo import demo_model
from tests.real_server import options, transformers_serve
from tests.served import TASKS, told

CONCURRENT = (1, 4)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Give what the runs within log of their requests."""
    counts: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: counts.append(record.getMessage())  # type: ignore[assignment]
    log = logging.getLogger("harness.servers.limits")
    log.addHandler(handler)
    try:
        yield counts
    finally:
        log.removeHandler(handler)


def run_on(folder: Path, line: list[str], args: argparse.Namespace) -> tuple[dict[str, Any], float]:
    """Run, and give what it says of each task and its seconds."""
    line = ["run", "--tasks", *args.tasks, "--subset", str(args.documents), *line]
    started = time.monotonic()
    with redirect_stdout(sys.stderr):
        if selfcheck([*line, "--apply_chat_template", "--output", str(folder)]):
            raise SystemExit("the run failed")
    return told(folder, tuple(args.tasks)), time.monotonic() - started


def compare(here: dict[str, Any], there: dict[str, Any]) -> tuple[int, int, float]:
    """Give the documents, those that differ, and the largest difference of a metric."""
    documents = differ = 0
    largest = 0.0
    for name, (metrics, docs) in here.items():
        others, other_docs = there[name]
        documents += len(docs)
        differ += sum(one != other for one, other in zip(docs, other_docs, strict=True))
        for key, value in metrics.items():
            if (value is None) != (others[key] is None):
                raise SystemExit(f"{name}: {key} is {value} here and {others[key]} there")
            largest = max(largest, 0 if value is None else abs(value - others[key]))
    return documents, differ, largest


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=2, help="of each task")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    args = parser.parse_args()
    os.environ["SELFCHECK_CACHE"] = "off"
    model = demo_model()
    with TemporaryDirectory() as place:
        folder = Path(place)
        line = ["--model", "hf", "--model-args", f"pretrained={model},dtype=float32"]
        here, seconds = run_on(folder / "here", [*line, "--device", "cpu"], args)
        rows = [f"| in process | {compare(here, here)[0]} | | | | | {seconds:.0f} |"]
        with transformers_serve(model, folder / "log.txt") as port:
            for many in CONCURRENT:
                line = options(model, port, num_concurrent=many)
                with counted() as counts:
                    there, seconds = run_on(folder / f"there {many}", line, args)
                documents, differ, largest = compare(here, there)
                requests, retries, _ = re.findall(r"\d+", counts[-1])
                rows.append(
                    f"| server, {many} at a time | {documents} | {differ} | {largest:g} "
                    f"| {requests} | {retries} | {seconds:.0f} |"
                )
    print("| run | documents | differ | largest difference of a metric | requests | retries | s |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
