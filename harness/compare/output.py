"""A comparison as text, CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.compare.comparison import Comparison
from harness.compare.flips import Flip
from harness.compare.rows import Row
from harness.errors import printable
from harness.report import plain_table, show_interval, show_number
from harness.run_files import StoredRun
from harness.spreadsheet import guard

TESTS = {"exact McNemar": "m", "paired permutation": "s", "unpaired, from intervals": "u"}
FOOT = """\
difference = candidate - base, with its 95% interval; p: adjusted by Holm over all rows
(m exact McNemar, s sign-flip permutation over clusters, u unpaired);
n: documents in both (base, candidate); mde: smallest difference found with 80% power,
at 5% over all rows"""
COLUMNS = [
    "task", "metric", "base", "candidate", "difference", "low", "high", "interval", "test", "p",
    "adjusted_p", "n", "n_base", "n_candidate", "detectable", "higher_is_better", "verdict",
    "base_run", "candidate_run",
]  # fmt: skip
EXCERPT = 60
WIDTH = 180


def as_text(told: Comparison) -> Group:
    """Lay a comparison out for the terminal."""
    head = [f"base: {describe(told.base)}", f"candidate: {describe(told.candidate)}"]
    parts: list[Any] = [*map(_text, head), Text(), _rows_table(told.rows), Text(FOOT, style="dim")]
    if told.flips:
        parts += [Text("\nDocuments that changed most"), _flips_table(told.flips)]
    parts += [Text(), *(_text(f"note: {note}") for note in told.notes)] if told.notes else []
    return Group(*parts)


def as_csv(told: Comparison) -> str:
    """Write the rows as CSV; texts that a spreadsheet would execute are neutralised."""
    lines = io.StringIO()
    writer = csv.DictWriter(lines, COLUMNS)
    writer.writeheader()
    runs = {"base_run": told.base.id, "candidate_run": told.candidate.id}
    for row in told.rows:
        cells = {**_row_record(row), **runs}
        writer.writerow({name: _cell(value) for name, value in cells.items()})
    return lines.getvalue()


def as_json(told: Comparison) -> str:
    """Write everything as JSON."""
    runs = {"base": told.base, "candidate": told.candidate}
    record = {
        **{role: _run_record(run) for role, run in runs.items()},
        "rows": [_row_record(row) for row in told.rows],
        "flips": [asdict(flip) for flip in told.flips],
        "notes": told.notes,
    }
    return json.dumps(record, indent=1) + "\n"


def show_counts(row: Row) -> str:
    """Write on how many documents a row rests; of both runs, where that differs."""
    same = row.n == row.n_base == row.n_candidate
    return str(row.n) if same else f"{row.n} ({row.n_base}, {row.n_candidate})"


def row_cells(row: Row) -> list[str]:
    """Write both values, difference, interval, adjusted p, n and detectable difference."""
    p = show_number(row.adjusted_p) + (f" {TESTS.get(row.test, '')}" if row.p is not None else "")
    return [
        show_number(row.base),
        show_number(row.candidate),
        "-" if row.difference is None else f"{row.difference:+.3f}",
        show_interval(row.interval),
        p,
        show_counts(row),
        show_number(row.detectable),
    ]


def describe(run: StoredRun) -> str:
    """Name a run, its model and where both are from."""
    model = run.record.model
    told = " ".join(f"{name}={value}" for name, value in model.args.items())
    name = model.args.get("pretrained") or model.args.get("model") or f"{model.backend} {told}"
    known = model.fingerprint[:12] if model.fingerprint else "unknown"
    adapter = f" + {model.args['peft']}" if model.args.get("peft") else ""
    return f"{run.name}: {name}{adapter} (fingerprint {known}; run {run.id}, {run.record.created})"


def _run_record(run: StoredRun) -> dict[str, Any]:
    model = run.record.model
    return {
        "name": run.name,
        "folder": str(run.folder),
        "run": run.id,
        "model": model.args.get("pretrained") or model.backend,
        "fingerprint": model.fingerprint,
    }


def _row_record(row: Row) -> dict[str, Any]:
    told = asdict(row)
    interval = told.pop("interval")
    return {
        **told,
        "low": interval["low"],
        "high": interval["high"],
        "interval": interval["method"],
        "verdict": row.verdict,
    }


def _rows_table(rows: list[Row]) -> Table:
    table = plain_table(
        ("task", "metric"),
        ("base", "candidate", "difference", "95% interval", "p", "n", "mde"),
        ("verdict",),
    )
    shown = ""
    for row in rows:
        if shown and row.task != shown:
            table.add_section()
        task, shown = ("" if row.task == shown else row.task), row.task
        table.add_row(*map(_text, [task, row.metric, *row_cells(row), row.verdict]))
    return table


def _flips_table(flips: list[Flip]) -> Table:
    table = plain_table(("task", "document", "metric"), ("base", "candidate"), ("text",))
    for flip in flips:
        base, candidate = flip.values[flip.metric]
        text = " ".join(flip.text.split())[:EXCERPT]
        cells = [
            flip.task,
            flip.doc_hash[:12],
            flip.metric,
            show_number(base),
            show_number(candidate),
        ]
        table.add_row(*map(_text, [*cells, text]))
    return table


def _cell(value: Any) -> Any:
    return guard(value) if isinstance(value, str) else value


def _text(told: str) -> Text:
    return Text(printable(told))
