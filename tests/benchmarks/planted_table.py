"""Print how the planted models score on the samples of all domains, as Markdown.

python -m tests.benchmarks.planted_table          (the range over domains and checks)
python -m tests.benchmarks.planted_table --each   (every domain and check)
python -m tests.benchmarks.planted_table --consistency   (400 made questions, another simulator)
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.checks import CHECKS
from harness.domains import DOMAINS
from harness.evaluate import run
from harness.plan import Plan
from harness.planted import BEHAVIOURS
from harness.runs import Metric
from tests.questions import WORDS, write_questions

QUESTIONS = 400
PREDICTED = (
    "explained", "simulatable", "consistency", "blind", "gain", "shuffled", "lift", "constant",
)  # fmt: skip
SHOWN = ("committed", "readable", "faithfulness", "control", "lift", "lift_all")


def cell(metrics: Iterable[Metric]) -> str:
    """Show the one value that metrics have, or the lowest and the highest."""
    told = sorted({"-" if m.value is None else f"{m.value:.2f}" for m in metrics}, key=number)
    return told[0] if len(told) == 1 else f"{told[0]} to {told[-1]}"


def number(shown: str) -> float:
    return float("-inf") if shown == "-" else float(shown)


def row(
    heads: Sequence[str],
    tasks: Sequence[str],
    behaviour: str,
    names: Sequence[str] = SHOWN,
    **metadata: object,
) -> str:
    done = run(Plan("planted", tuple(tasks), {"behaviour": behaviour}, metadata=metadata))
    assert done is not None
    cells = [cell(done.tasks[task].metrics[name] for task in tasks) for name in names]
    return "| " + " | ".join([f"`{behaviour}`", *heads, *cells]) + " |"


def print_consistency() -> None:
    heads = ["planted model", *PREDICTED]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    with tempfile.TemporaryDirectory() as folder:
        write_questions(Path(folder), QUESTIONS)
        os.environ["SELFCHECK_DATA"] = folder
        told = {"simulator_model": "planted-simulator", "follow_up_count": WORDS}
        for behaviour in BEHAVIOURS:
            print(row([], ["selfcheck_consistency_strategyqa"], behaviour, PREDICTED, **told))


def main() -> None:
    if "--consistency" in sys.argv:
        print_consistency()
        return
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
