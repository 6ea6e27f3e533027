"""A gate's checks as lines for a CI log, and as JUnit XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Group
from rich.text import Text

from harness.compare.output import show_counts
from harness.errors import ConfigError, printable
from harness.gate.checks import Check, Status, Verdict
from harness.report import plain_table, show_interval, show_number
from harness.whole_files import write_text

WIDTH = 140
HEAD = "<?xml version='1.0' encoding='utf-8'?>\n"
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


def as_text(verdict: Verdict) -> Group:
    """Lay checks out: a line each, the reasons that the line does not show, notes, the sum."""
    table = plain_table(
        ("task", "metric"),
        ("base", "candidate", "change", "margin", "n (base, candidate)", "would settle"),
        ("status",),
    )
    for check in verdict.checks:
        cells = [Text(printable(cell)) for cell in _cells(check)]
        table.add_row(*cells, Text(check.status, STYLES[check.status]))
    lines = [*_reasons(verdict.checks), *(f"note: {note}" for note in verdict.notes)]
    last = Text(summary(verdict), style=STYLES[verdict.status])
    return Group(table, *(Text(printable(line)) for line in lines), last)


def _cells(check: Check) -> list[str]:
    row, names = check.row, [check.task, check.metric]
    sign = {"higher": "-", "lower": "+", None: ""}[check.margin.better]
    margin = f"{sign}{check.margin.margin:g}" if sign else ""
    if row is None:
        return [*names, "-", "-", "-", margin, "-", ""]
    settle = f"{check.settle:,}" if check.settle else ""
    values = [show_number(row.base), show_number(row.candidate), show_interval(row.interval)]
    return [*names, *values, margin, show_counts(row), settle]


def _reasons(checks: Sequence[Check]) -> list[str]:
    """Give the reasons of what did not pass and has no interval or number to show for it."""
    lost: dict[str, list[str]] = {}
    for check in checks:
        told = check.row is not None and check.row.interval.low is not None
        if check.status != "pass" and not (told and (check.settle or check.status == "fail")):
            lost.setdefault(f"{check.task}: {check.reason}", []).append(check.metric)
    return [f"{reason} ({', '.join(names)})" for reason, names in lost.items()]


def summary(verdict: Verdict) -> str:
    """Sum checks up in a line."""
    counts = Counter(check.status for check in verdict.checks)
    told = ", ".join(f"{counts[status]} {status}" for status in STYLES if counts[status])
    return f"gate: {verdict.status.upper()} ({told})"


def write_junit(verdict: Verdict, file: Path) -> None:
    """Write JUnit XML: inconclusive is skipped, not comparable an error.

    Raises:
        ConfigError: the file cannot be written.
    """
    checks = verdict.checks
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
    ElementTree.SubElement(suite, "system-out").text = printable("\n".join(verdict.notes))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    try:
        write_text(file, HEAD + ElementTree.tostring(root, encoding="unicode"))
    except OSError as err:
        raise ConfigError(f"--junit {file}: cannot be written: {err.strerror}") from err
