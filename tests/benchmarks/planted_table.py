"""Print how the planted models score on the sample reviews, as Markdown.

python -m tests.benchmarks.planted_table
"""

from __future__ import annotations

from harness.checks import CHECKS
from harness.evaluate import Plan, run
from harness.planted import BEHAVIOURS
from harness.runs import Metric

SHOWN = ("committed", "readable", "faithfulness", "control", "lift", "lift_all")


def cell(metric: Metric) -> str:
    return "-" if metric.value is None else f"{metric.value:.2f}"


def main() -> None:
    print("| planted model | check | " + " | ".join(SHOWN) + " |")
    print("|---" * (len(SHOWN) + 2) + "|")
    tasks = tuple(f"sample_{check}_sentiment" for check in CHECKS)
    for behaviour in BEHAVIOURS:
        done = run(Plan("planted", tasks, {"behaviour": behaviour}))
        assert done is not None
        rows: dict[str, list[str]] = {}
        for check, task in zip(CHECKS, tasks, strict=True):
            cells = " | ".join(cell(done.tasks[task].metrics[name]) for name in SHOWN)
            rows.setdefault(cells, []).append(check)
        for cells, checks in rows.items():
            named = "all three" if len(checks) == len(CHECKS) else ", ".join(checks)
            print(f"| `{behaviour}` | {named} | {cells} |")


if __name__ == "__main__":
    main()
