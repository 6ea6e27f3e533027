"""Rows for tests of annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from finetune.writing.annotations import Annotation, OpenAnnotation
from tests.records import doc_hash


def open_row(number: int, **changed: Any) -> OpenAnnotation:
    told = {
        "id": doc_hash(number),
        "context": f"River {number} is {number} km long.\nIt is the longest.",
        "question": f"How long is river {number}?",
        "model_answer": f"{number} miles",
    }
    return OpenAnnotation(**{**told, **changed})


def filled(row: OpenAnnotation, annotator: str = "maria", is_right: bool = False) -> Annotation:
    told = {
        "is_right": is_right,
        "why": "The passage says kilometres.",
        "right_answer": f"it is {row.model_answer.split()[0]} km",
        "annotator": annotator,
    }
    return Annotation(**{**msgspec.to_builtins(row), **told})


def as_line(row: Any, **changed: Any) -> str:
    """Write a row as an editor of JSON would, some values changed; `...` leaves a key out."""
    told = {**msgspec.to_builtins(row), **changed}
    return json.dumps({key: value for key, value in told.items() if value is not ...})


def write_lines(file: Path, *lines: str) -> Path:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file
