"""Who gave the feedback that a model learns, row by row: a file beside the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from harness.errors import TrainingError
from harness.whole_files import write_json_lines


class GivenFeedback(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody said of an answer.

    Attributes:
        origin: hash of the document, as of the training row.
        annotator: the person's name, "ai" (a teacher) or "templated" (rules).
        teacher: who the teacher is, for people; None: no teacher said it.
        model_answer: what was judged, and is shown in the row.
        right_answer: "" if nobody says so.
    """

    origin: str
    annotator: str
    teacher: str | None
    model_answer: str
    is_right: bool
    why: str
    right_answer: str


def write_given(file: Path, rows: Sequence[GivenFeedback]) -> None:
    """Write them: all, or no file at all.

    Raises:
        TrainingError: the file cannot be written; one that was there stays as it was.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json_lines(file, rows)
    except OSError as err:
        raise TrainingError(
            f"{file}: cannot be written: {err.strerror or err}. Make room or take another folder, "
            "and run the same again: what model and teacher answered is kept"
        ) from err
