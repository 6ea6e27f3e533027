"""Print how the planted models score on the samples of all domains, as Markdown.

python -m tests.benchmarks.planted_table          (the range over domains and checks)
python -m tests.benchmarks.planted_table --each   (every domain and check)
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from harness.checks import CHECKS
from harness.domains import DOMAINS
from harness.evaluate import Plan, run
from harness.planted import BEHAVIOURS
from harness.runs import Metric

SHOWN = ("committed", "readable", "faithfulness", "control", "lift", "lift_all")


def cell(metrics: Iterable[Metric]) -> str:
    """Show the one value that metrics have, or the lowest and the highest."""
    told = sorted({"-" if m.value is None else f"{m.value:.2f}" for m in metrics}, key=number)
    return told[0] if len(told) == 1 else f"{told[0]} to {told[-1]}"


def number(shown: str) -> float:
    return float("-inf") if shown == "-" else float(shown)


def row(heads: Sequence[str], tasks: Sequence[str], behaviour: str) -> str:
    done = run(Plan("planted", tuple(tasks), {"behaviour": behaviour}))
    assert done is not None
    cells = [cell(done.tasks[task].metrics[name] for task in tasks) for name in SHOWN]
    return "| " + " | ".join([f"`{behaviour}`", *heads, *cells]) + " |"


def main() -> None:
    each = "--each" in sys.argv
    heads = ["planted model", *(["domain", "check"] if each else []), *SHOWN]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    names = [(domain, check) for domain in DOMAINS for check in CHECKS]
    for behaviour in BEHAVIOURS:
        if each:
            for domain, check in names:
                print(row([domain, check], [f"sample_{check}_{domain}"], behaviour))
        else:
            print(row([], [f"sample_{check}_{domain}" for domain, check in names], behaviour))


if __name__ == "__main__":
    main()
