"""One sample, laid out for people."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from harness.errors import RecordError
from harness.evidence.choices import Choice, Choices, read_choices
from harness.evidence.pieces import MASKS
from harness.evidence.texts import as_json, as_text, excerpt, listed, mapping, named, number
from harness.evidence.turns import Turn, read_turns
from harness.evidence.verdicts import is_unreadable, verdict_of

__all__ = [
    "Account",
    "Choice",
    "Choices",
    "Summary",
    "Turn",
    "name_of",
    "read_account",
    "read_summary",
]


class Summary(NamedTuple):
    """What a list of documents shows of one.

    Attributes:
        doc_hash: tells documents apart; "" if the sample lacks it.
        excerpt: the text by which a person recognises the document (`excerpt`).
        verdict: one of `VERDICTS`, or "".
        readable: whether all that the check needs could be read; None: it does not say.
        metrics: its values; None where one does not apply.
    """

    doc_hash: str
    excerpt: str
    verdict: str
    readable: bool | None
    metrics: Mapping[str, float | None]

    @property
    def name(self) -> str:
        """The excerpt; the beginning of the hash where there is none."""
        return named(self.excerpt, self.doc_hash)


@dataclass(frozen=True)
class Account:
    """All that a sample tells.

    Attributes:
        doc_hash, excerpt, verdict, readable, metrics: as in `Summary`.
        target: the right answer; None if there is none.
        turns: the dialogue, in its order.
        choices: what was scored, where choices were.
        findings: what was read beside the turns' answers; of tasks that are not ours, what was
            asked and answered: label and text.
        doc: the document: column and text; a value that is no text as JSON.
    """

    doc_hash: str
    excerpt: str
    target: str | None
    verdict: str
    readable: bool | None
    metrics: Mapping[str, float | None]
    turns: tuple[Turn, ...]
    choices: tuple[Choices, ...]
    findings: tuple[tuple[str, str], ...]
    doc: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The excerpt; the beginning of the hash where there is none."""
        return named(self.excerpt, self.doc_hash)


def name_of(sample: Mapping[str, Any]) -> str:
    """Name a sample's document by its excerpt; one that has none by its hash.

    >>> name_of({"doc_hash": "782f44d2087f5c6e", "doc": {"ids": [1, 2]}})
    'document 782f44d2087f'
    """
    digest = sample.get("doc_hash")
    return named(excerpt(sample.get("doc")), digest if isinstance(digest, str) else "")


def read_summary(sample: Mapping[str, Any]) -> Summary:
    """Read what a list shows of a sample; faster than the whole.

    Raises:
        RecordError: it is no sample at all.
    """
    if not isinstance(sample, Mapping):
        told = as_json(sample)[:80]
        raise RecordError(f"a sample must be a mapping with doc_hash, doc and metrics, got {told}")
    metrics = {str(name): number(value) for name, value in mapping(sample.get("metrics")).items()}
    digest, read = sample.get("doc_hash"), mapping(sample.get("read"))
    return Summary(
        digest if isinstance(digest, str) else "",
        excerpt(sample.get("doc")),
        verdict_of(metrics, read),
        _readable(metrics, read),
        metrics,
    )


def read_account(sample: Mapping[str, Any], masks: Collection[str] = MASKS) -> Account:
    """Read all that a sample tells; what it lacks, or holds in an odd form, is left out.

    Args:
        sample: a line of a task's samples.
        masks: what stands for a masked word.

    Raises:
        RecordError: it is no sample at all.
    """
    head = read_summary(sample)
    read = {str(name): told for name, told in mapping(sample.get("read")).items()}
    turns = read_turns(sample, read, head.metrics, masks)
    shown = {turn.stage for turn in turns if not turn.not_asked}
    beside = [(name, as_text(told)) for name, told in read.items() if name not in shown]
    choices = read_choices(sample)
    return Account(
        doc_hash=head.doc_hash,
        excerpt=head.excerpt,
        target=_target(sample.get("target"), choices),
        verdict=head.verdict,
        readable=head.readable,
        metrics=head.metrics,
        turns=turns,
        choices=choices,
        findings=(*beside, *_foreign(sample)),
        doc=tuple(
            (str(name), as_json(value)) for name, value in mapping(sample.get("doc")).items()
        ),
    )


def _target(target: object, choices: Sequence[Choices]) -> str | None:
    """Tell the right answer; in the words of the choices, where it is but a place among them."""
    right = [row.text.strip() for row in choices[0].rows if row.right] if choices else []
    if right and isinstance(target, int):
        return "\n".join(right)
    return None if target is None or target == "" else as_json(target)


def _readable(metrics: Mapping[str, float | None], read: Mapping[Any, Any]) -> bool | None:
    """Say whether all could be read: by the metric, or where it does not apply by the answers."""
    value = metrics.get("readable")
    if value is None:
        return False if any(map(is_unreadable, read.values())) else None
    return value >= 1


def _foreign(sample: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Tell what a task of others asked (arguments of a request) and what each filter made of it."""
    told = []
    for kind in ("asked", "answers"):
        rows = listed(sample.get(kind))
        for place, row in enumerate(rows, 1):
            parts = chain(listed(row) or [row])
            label = kind if len(rows) == 1 else f"{kind} {place}"
            told.append((label, "\n".join(map(as_json, parts))))
    return told
