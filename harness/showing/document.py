"""One document of a run: all that was asked and answered, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.evidence import VERDICTS, Account, Choices, Turn
from harness.report import plain_table, show_number
from harness.showing.texts import STYLES, counted, indented, line, long, needs_marks, pieces

EMPTY = "(empty)"


def document_view(task: str, told: Account, full: bool) -> Group:
    """Lay a document out.

    Args:
        full: long texts are not to be shortened.
    """
    parts: list[RenderableType] = [line(f"{task}: {told.name}", "bold")]
    parts += [line(f"document {told.doc_hash}"), Text()]
    parts += [line(f"verdict: {told.verdict} ({VERDICTS[told.verdict]})")] if told.verdict else []
    if told.readable is False:
        parts.append(Text("not all of it could be read"))
    if told.target is not None:
        parts += _part("target", long(told.target, full))
    parts += [Text("\ndocument", style="bold")]
    for name, text in told.doc:
        parts += _part(name, long(text, full))
    for turn in told.turns:
        parts += _turn(turn, full)
    for choices in told.choices:
        parts += _choices(choices, full)
    if told.findings:
        parts.append(Text("\nfurther evidence", style="bold"))
        for label, text in told.findings:
            parts += _part(label, long(text, full))
    return Group(*parts, Text("\nmetrics", style="bold"), _metrics_table(told))


def _turn(turn: Turn, full: bool) -> Iterator[RenderableType]:
    yield Text()
    yield line(f"{turn.stage} (to the {turn.to})", "bold")
    if turn.not_asked:
        yield Text("  not asked")
        return
    label = f"prompt{_tokens(turn.tokens_in)}"
    if turn.against is not None:
        label += f", compared with that of {turn.against} ({_legend()})"
    yield from _part(label, pieces(turn.prompt, full))
    yield from _part(f"answer{_tokens(turn.tokens_out)}", long(turn.answer, full))
    if turn.read is not None:
        yield from _part("read", long(turn.read, full))
    if turn.fault is not None:
        yield line(f"  fault: {turn.fault}", "bold red")
    for note in turn.notes:
        yield line(f"  note: {note}", "yellow")


def _choices(told: Choices, full: bool) -> Iterator[RenderableType]:
    yield Text(f"\nchoices, {told.title}", style="bold")
    yield from _part("prompt", long(told.prompt, full))
    table = plain_table(("choice",), ("score",), ("best", "right"))
    for text, score, best, right in told.rows:
        known = {True: "right", False: "wrong", None: "-"}[right]
        cells = [show_number(score), "best" if best else "", known]
        table.add_row(long(text, full), *map(Text, cells))
    yield table


def _metrics_table(told: Account) -> Table:
    table = plain_table(("metric",), ("value",))
    for name, value in told.metrics.items():
        table.add_row(line(name), Text(show_number(value)))
    return table


def _part(label: str, told: Text) -> Iterator[RenderableType]:
    """Show a text under its label, indented."""
    yield line(f"  {label}:", "cyan")
    yield indented(told if told.plain else Text(EMPTY, style="dim"))


def _legend() -> str:
    if not needs_marks():
        return "gone is struck, new underlined, masked reversed"
    return ", ".join(
        f"{before}{kind}{after}" for kind, (_, before, after) in list(STYLES.items())[:3]
    )


def _tokens(count: int | None) -> str:
    return "" if count is None else f" ({counted(count, 'token')})"
