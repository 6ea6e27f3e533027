"""Changed files against all that reads files: how many are refused, how many do no harm.

    python -m tests.benchmarks.fuzz_table --cases 12000 [--seed 0] [--only compare,cache]

Prints a row a target: cases, refused (exit status not 0, the file named, no traceback), harmless
(read as it was, or as it honestly is), failed; then every case that failed. Exit status 1 if one
did.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.targets import BY_NAME, TARGETS
from tests.fuzz.trying import Target, Tried, try_target

DEAR = dict.fromkeys(
    ("checkpoint", "finetuning", "task-data", "recipe-grath", "recipe-laffi", "recipe-distill"), 0.5
)
"""Targets whose cases take long get a smaller share."""
SHOWN = 1500
HEAD = f"{'target':<18}{'cases':>7}{'refused':>9}{'harmless':>10}{'failed':>8}{'seconds':>9}"


def main() -> int:
    """Try them, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=12000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    chosen = [BY_NAME[name] for name in args.only.split(",")] if args.only else list(TARGETS)
    shares = {target.name: DEAR.get(target.name, 1.0) for target in chosen}
    each = {
        name: round(args.cases * share / sum(shares.values())) for name, share in shares.items()
    }
    print(HEAD, flush=True)
    totals: Counter[str] = Counter()
    failed: list[Tried] = []
    for target in chosen:
        tried, seconds = _try(target, args.seed, each[target.name])
        counts = Counter(one.verdict for one in tried)
        print(_row(target.name, counts, seconds), flush=True)
        totals += counts
        failed += [one for one in tried if one.verdict == "failed"]
    print(_row("all", totals, 0.0))
    for one in failed:
        print(f"\n{one.case}\n{one.told[-SHOWN:]}")
    return int(bool(failed))


def _try(target: Target, seed: int, cases: int) -> tuple[list[Tried], float]:
    tried: list[Tried] = []
    began, before = time.perf_counter(), dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="selfcheck-fuzz-") as place:
        os.environ |= {"SELFCHECK_HOME": f"{place}/home", "HF_HUB_OFFLINE": "1"}
        try_target(target, Path(place), seed, range(cases), tried.append)
    os.environ.clear()
    os.environ.update(before)
    return tried, time.perf_counter() - began


def _row(name: str, counts: Counter[str], seconds: float) -> str:
    numbers = [counts.total(), *(counts[told] for told in ("refused", "harmless", "failed"))]
    cells = "".join(
        f"{number:>{width}}" for number, width in zip(numbers, (7, 9, 10, 8), strict=True)
    )
    return f"{name:<18}{cells}{seconds:>9.0f}"


if __name__ == "__main__":
    raise SystemExit(main())
