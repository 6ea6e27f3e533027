"""What several people wrote of the same answers, put together: one annotation of a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from finetune.writing.annotations import GIVEN, Annotation, OpenAnnotation, Row, Sheet
from finetune.writing.feedback import said_of
from harness.errors import ConfigError, unknown

ByPerson = Mapping[str, Annotation]
"""Annotations of one document by annotator, in the order of the files."""


@dataclass(frozen=True)
class Conflict:
    """A document that people do not agree on.

    One calls its answer right and another wrong, or all call it wrong and name different right
    answers (by SQuAD's rules: case, punctuation and articles make no difference).

    Attributes:
        id: hash of the document.
        said: by all who annotated it.
    """

    id: str
    said: ByPerson


@dataclass(frozen=True)
class Agreement:
    """How far two people agree on whether answers are right.

    Attributes:
        documents: that both annotated.
        agreed: those on which they agree.
        kappa: Cohen's; None if both gave all documents the same verdict: chance would, too.
    """

    annotators: tuple[str, str]
    documents: int
    agreed: int
    kappa: float | None


@dataclass(frozen=True)
class Merged:
    """Files put together.

    Attributes:
        annotations: of documents that have one and no conflict is left on, in the exported order:
            that of the first file that has one, or of who is preferred where people disagree.
        strange, changed, duplicates: rows that fit nothing: where, and what is wrong. They are not
            among the annotations.
        missing: hashes of exported documents that nobody annotated.
        conflicts: those left.
        settled: those in which the preferred annotator decided.
        agreements: of every two people who annotated documents in common.
    """

    annotations: Sequence[Annotation]
    strange: Sequence[str]
    changed: Sequence[str]
    duplicates: Sequence[str]
    missing: Sequence[str]
    conflicts: Sequence[Conflict]
    settled: Sequence[Conflict]
    agreements: Sequence[Agreement]


def merge(
    exported: Mapping[str, OpenAnnotation], sheets: Sequence[Sheet], prefer: str | None = None
) -> Merged:
    """Put people's files together.

    Args:
        exported: hash of a document -> the row as people were given it.
        sheets: their files; rows may be open, and the order decides whose annotation is taken.
        prefer: the annotator who decides where people disagree.

    Raises:
        ConfigError: `prefer` annotated nothing.
    """
    rows = _sort(exported, sheets)
    found, names = rows.found, _names(sheets)
    if prefer is not None and prefer not in names:
        raise ConfigError(f"--prefer: {unknown('annotator', prefer, names)}")
    conflicts = {
        digest: conflict for digest, by in found.items() if (conflict := _split(digest, by))
    }
    taken = {digest: _taken(by, digest in conflicts, prefer) for digest, by in found.items()}
    return Merged(
        annotations=[one for one in taken.values() if one],
        strange=rows.strange,
        changed=rows.changed,
        duplicates=rows.duplicates,
        missing=[digest for digest, by in found.items() if not by],
        conflicts=[conflict for digest, conflict in conflicts.items() if not taken[digest]],
        settled=[conflict for digest, conflict in conflicts.items() if taken[digest]],
        agreements=list(_agreements(list(found.values()), names)),
    )


class _Sorted(NamedTuple):
    """Rows of all files: those that fit by document and annotator, and where others are."""

    found: dict[str, dict[str, Annotation]]
    strange: list[str]
    changed: list[str]
    duplicates: list[str]


def _sort(exported: Mapping[str, OpenAnnotation], sheets: Sequence[Sheet]) -> _Sorted:
    rows = _Sorted({digest: {} for digest in exported}, [], [], [])
    for sheet in sheets:
        first: dict[str, int] = {}
        for number, row in sheet.rows.items():
            place = f"{sheet.file}, line {number}: document {row.id[:12]}"
            if row.id not in exported:
                rows.strange.append(f"{place} was not exported: is it of another export?")
            elif keys := _edited(row, exported[row.id]):
                rows.changed.append(f"{place}: not as exported, put it back: {', '.join(keys)}")
            elif row.id in first:
                rows.duplicates.append(f"{place} is there twice, first in line {first[row.id]}")
            elif isinstance(row, Annotation):
                if row.annotator in rows.found[row.id]:
                    fault = f"{row.annotator} annotated it in another file, too"
                    rows.duplicates.append(f"{place}: {fault}")
                rows.found[row.id].setdefault(row.annotator, row)
            first.setdefault(row.id, number)
    return rows


def _names(sheets: Sequence[Sheet]) -> list[str]:
    rows = (row for sheet in sheets for row in sheet.rows.values())
    return list(dict.fromkeys(row.annotator for row in rows if isinstance(row, Annotation)))


def _edited(row: Row, exported: OpenAnnotation) -> list[str]:
    return [key for key in GIVEN if getattr(row, key) != getattr(exported, key)]


def _split(digest: str, by: ByPerson) -> Conflict | None:
    told = {None if row.is_right else said_of(row.right_answer) for row in by.values()}
    return Conflict(digest, by) if len(told) > 1 else None


def _taken(by: ByPerson, disagree: bool, prefer: str | None) -> Annotation | None:
    if disagree:
        return by.get(prefer) if prefer is not None else None
    return next(iter(by.values()), None)


def _agreements(documents: Sequence[ByPerson], names: Sequence[str]) -> Iterator[Agreement]:
    for one, other in combinations(names, 2):
        pairs = [
            (by[one].is_right, by[other].is_right) for by in documents if one in by and other in by
        ]
        if pairs:
            agreed = sum(a == b for a, b in pairs)
            yield Agreement((one, other), len(pairs), agreed, cohens_kappa(pairs))


def cohens_kappa(verdicts: Sequence[tuple[bool, bool]]) -> float | None:
    """Measure agreement beyond chance.

    Args:
        verdicts: of two people on each document, one or more.

    Returns:
        At most 1; 0: as by chance; None if it is not defined: both gave one verdict throughout.

    Source: Cohen 1960, by statsmodels.

    >>> cohens_kappa([(True, True), (True, True), (False, False), (False, True)])
    0.5
    """
    if len(set(verdicts)) == 1 and verdicts[0][0] == verdicts[0][1]:
        return None
    from statsmodels.stats.inter_rater import cohens_kappa as kappa

    table = [[verdicts.count((a, b)) for b in (True, False)] for a in (True, False)]
    return float(kappa(table, return_results=False))
