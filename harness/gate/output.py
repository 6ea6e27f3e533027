"""A gate's checks as lines for a CI log, and as JUnit XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Group
from rich.text import Text

from harness.errors import ConfigError, printable
from harness.gate.checks import Check, Status, status_of
from harness.report import plain_table, show_interval, show_number

WIDTH = 140
STYLES: dict[Status, str] = {
    "pass": "green",
    "fail": "bold red",
    "inconclusive": "yellow",
    "not comparable": "bold red",
}
JUNIT: dict[Status, str | None] = {
    "pass": None,
    "fail": "failure",
    "inconclusive": "skipped",
    "not comparable": "error",
}


def as_text(checks: Sequence[Check]) -> Group:
    """Lay checks out: a line each, what kept some from being made, and the sum."""
    table = plain_table(
        ("", "task", "metric"), ("base", "candidate", "change", "margin", "n", "would settle")
    )
    for check in checks:
        cells = [Text(printable(cell)) for cell in _cells(check)]
        table.add_row(Text(check.status, STYLES[check.status]), *cells)
    lost: dict[str, list[str]] = {}
    for check in checks:
        if check.row is None:
            lost.setdefault(f"{check.task}: {check.reason}", []).append(check.metric)
    reasons = [Text(printable(f"{reason} ({', '.join(names)})")) for reason, names in lost.items()]
    return Group(table, *reasons, Text(summary(checks), style=STYLES[status_of(checks)]))


def _cells(check: Check) -> list[str]:
    row, names = check.row, [check.task, check.metric]
    sign = "-" if check.margin.better == "higher" else "+"
    margin = f"{sign}{check.margin.margin:g}"
    if row is None:
        return [*names, "-", "-", "-", margin, "-", ""]
    settle = f"{check.settle:,}" if check.settle else ""
    values = [show_number(row.base), show_number(row.candidate), show_interval(row.interval)]
    return [*names, *values, margin, str(row.n), settle]


def summary(checks: Sequence[Check]) -> str:
    """Sum checks up in a line."""
    counts = Counter(check.status for check in checks)
    told = ", ".join(f"{counts[status]} {status}" for status in STYLES if counts[status])
    return f"gate: {status_of(checks).upper()} ({told})"


def write_junit(checks: Sequence[Check], file: Path) -> None:
    """Write JUnit XML: inconclusive is skipped, not comparable an error.

    Raises:
        ConfigError: the file cannot be written.
    """
    counts = Counter(JUNIT[check.status] for check in checks)
    suite = ElementTree.Element(
        "testsuite",
        name="selfcheck gate",
        tests=str(len(checks)),
        failures=str(counts["failure"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
    )
    for check in checks:
        case = ElementTree.SubElement(
            suite, "testcase", classname=printable(check.task), name=printable(check.metric)
        )
        kind = JUNIT[check.status]
        if kind:
            ElementTree.SubElement(case, kind, message=printable(check.reason))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    try:
        ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as err:
        raise ConfigError(f"--junit {file}: cannot be written: {err.strerror}") from err
