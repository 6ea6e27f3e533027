"""Training rows that are made once, and read where nothing that they depend on has changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from finetune.formats import Row
from finetune.recipe import Recipe
from finetune.stages import Documents
from finetune.teacher import Teacher
from finetune.workspace import Workspace
from finetune.writing.prompt_files import Prompts
from finetune.writing.row_files import Header, read_rows, write_rows
from harness.data import doc_hash
from harness.errors import TrainingError


@dataclass(frozen=True)
class Made:
    """Training rows, and what could not be used: reason -> how many.

    Attributes:
        leaked: questions that were left out because evaluated data has them.
        facts: what else is told of the rows: name -> number.
    """

    rows: Sequence[Row]
    dropped: Mapping[str, int]
    leaked: Sequence[str] = ()
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def told(self) -> dict[str, float | None]:
        """What there is to tell of them, and what was dropped, for tables."""
        dropped = {f"dropped: {reason}": number for reason, number in sorted(self.dropped.items())}
        return {**self.facts, **dropped}


def make_once(workspace: Workspace, name: str, header: Header, make: Callable[[], Made]) -> Made:
    """Read rows, or make and write them; every process of `accelerate launch` must call this.

    Args:
        name: of the rows, and of a training on them.
        header: what they are made of; `describe` gives it.
        make: makes them.

    Raises:
        DataError: the file is damaged.
        TrainingError: it cannot be written, or a model was trained on rows made of other things.
    """
    from accelerate import PartialState

    state, file = PartialState(), workspace.rows(name)
    known = read_rows(file, header.key)
    if known is None and file.exists() and workspace.facts(name).is_file():
        raise TrainingError(
            f"{file}: a model was trained on these rows, and they would now be made anew: data, "
            "prompts, settings or teacher have changed since. Give another --output"
        )
    state.wait_for_everyone()  # before one of them writes what others have not looked for
    if known is not None:
        header, rows = known
        return Made(rows, header.dropped, header.leaked_questions, header.facts)
    made = make()
    if state.is_main_process:
        told = msgspec.structs.replace(
            header,
            dropped=dict(made.dropped),
            leaked_questions=list(made.leaked),
            facts=dict(made.facts),
        )
        write_rows(file, told, made.rows)
    state.wait_for_everyone()
    return made


def describe(
    recipe: Recipe,
    name: str,
    documents: Documents,
    teacher: Teacher | None,
    prompts: Prompts,
    others: Mapping[str, Any],
) -> Header:
    """Say what rows are made of.

    Args:
        name: of the rows.
        teacher: None: nobody was asked.
        others: what else they depend on (JSON-able).
    """
    split, kept = documents.split, documents.kept
    identity = teacher.identity() if teacher else ""
    key = {
        "documents": kept.hashes,
        "evaluated": sorted(one.fingerprint for one in documents.evaluated),
        "teacher": identity,
        "prompts": prompts.digest,
        **others,
    }
    return Header(
        method=recipe.method,
        name=name,
        data=split.describe(),
        teacher=teacher.label if teacher else "none",
        teacher_identity=identity,
        prompts=prompts.digest,
        documents=len(kept.docs),
        dropped={},
        leaked=[leak.hash for leak in kept.leaked],
        key=doc_hash(key),
    )
