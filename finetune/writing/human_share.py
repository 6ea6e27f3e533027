"""The feedback that people give: on which documents, and whether it is of what there is now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from finetune.recipe import LaffiData
from finetune.writing.annotations import Annotation, read_annotations
from finetune.writing.teacher_answers import one_line
from harness.domains.passages import PassageQuestion
from harness.errors import ConfigError, DataError, printable
from harness.selection import drawing_order

EXPORT = "selfcheck annotate export RECIPE --output FILE"
MOST_SHOWN = 3
"""Annotations that a message names."""


def asked_of_people(data: LaffiData, hashes: Sequence[str]) -> list[str]:
    """Draw the documents whose feedback is by people, by `data.subset_seed`.

    A larger share begins with the documents of a smaller one.

    Args:
        hashes: of all documents.

    Raises:
        DataError: a share above 0 is no document.
    """
    share = data.human_fraction
    size = round(share * len(hashes))
    if share and not size:
        raise DataError(
            f"data.human_fraction is {share:g} of {len(hashes)} documents: that is none; take a "
            "larger share, or more documents (data.subset)"
        )
    return [hashes[place] for place in drawing_order(hashes, data.subset_seed)[:size]]


def find_annotations(data: LaffiData, people: Collection[str]) -> dict[str, Annotation]:
    """Read the annotations of the documents that people were asked about: hash -> annotation.

    Raises:
        ConfigError: the recipe names no file.
        DataError: the file is faulty, or has none of them.
    """
    file = data.annotations
    if not people:
        return {}
    if file is None:
        raise ConfigError(
            f"data.annotations: null, but people give feedback on {len(people)} documents "
            f"(data.human_fraction); write these out ({EXPORT}), and give the file when it is done"
        )
    known = read_annotations(Path(file).expanduser())
    found = {digest: known[digest] for digest in people if digest in known}
    if not found:
        raise DataError(_lacking(file, len(people), len(people)))
    return found


def check_annotations(
    file: str | None,
    given: Mapping[str, Annotation],
    passages: Mapping[str, PassageQuestion],
    people: Sequence[str],
    answered: Collection[str],
) -> None:
    """Check that all answers which people were asked about have their feedback.

    It may be of other answers than the model gives now (on another machine it may say something
    else): what people judged is what is learnt.

    Args:
        file: of the annotations, for messages.
        given: hash -> annotation, of those that people were asked about.
        passages: hash -> passage, of all documents.
        people: hashes of the documents that people were asked about, in the order of drawing.
        answered: hashes of the documents that the model gives an answer to.

    Raises:
        DataError: some are missing, or are of another passage or question.
    """
    asked = [digest for digest in people if digest in answered or digest in given]
    if lacking := [digest for digest in asked if digest not in given]:
        covered = people.index(lacking[0]) / len(passages)
        raise DataError(_lacking(file, len(lacking), len(asked), covered))
    strange = [
        told for digest, row in given.items() if (told := _difference(row, passages[digest]))
    ]
    if strange:
        shown = "\n".join(f"  {told}" for told in strange[:MOST_SHOWN])
        raise DataError(
            f"{file}: {len(strange)} of {len(given)} annotations are of something else than "
            f"there is now; write out what is to be annotated again ({EXPORT}):\n{shown}"
        )


def _lacking(file: str | None, number: int, total: int, covered: float = 0) -> str:
    """Say how many are missing, and up to which share of all documents none is."""
    less = f", or take a data.human_fraction of at most {covered:g}, which lacks none"
    return (
        f"{file}: {number} of the {total} answers that people give feedback on "
        f"(data.human_fraction) have none. Write them out ({EXPORT}), let people fill them in, and "
        f"put the files together (selfcheck annotate import){less if covered else ''}"
    )


def _difference(told: Annotation, passage: PassageQuestion) -> str | None:
    """Say what an annotation is of, if it is not what there is now."""
    pairs = {
        "the question": (told.question, passage.question),
        "the passage": (told.context, passage.context),
    }
    for what, (there, here) in pairs.items():
        if one_line(there) != one_line(here):
            shown = [printable(one_line(text)[:80]) for text in (there, here)]
            return f"{told.id[:12]}: {what} is {shown[0]!r} there, and {shown[1]!r} now"
    return None
