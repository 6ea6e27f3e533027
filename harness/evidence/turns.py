"""The dialogue of a sample, turn by turn."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.evidence.pieces import Piece, compare_words
from harness.evidence.texts import as_json, as_text, listed, mapping
from harness.evidence.verdicts import is_unreadable

FIRST, EXPLAINED = "predict", "explain"
CHANGED = ("verify", "control")
"""Stages that ask the first question again, about a changed text."""
NOT_ASKED = "not asked"
CUTS = (
    ("prompt_cut", "the prompt lost its start"),
    ("answer_cut", "the answer reached its limit"),
)


@dataclass(frozen=True)
class Turn:
    """A question and its answer.

    Attributes:
        stage: what it was for ("predict", "simulate 3").
        to: who was asked.
        prompt: all that was sent; what changed since the stage `against`.
        against: the stage whose prompt it is compared with; None: with none, and the prompt is one
            piece that is as it was.
        answer: the raw answer.
        read: what was read from it; None: nothing, or the record does not tell.
        fault: why it could not be read, or the change that it describes not be used.
        notes: what else happened to it; "not asked" alone in a turn without prompt and answer.
        tokens_in, tokens_out: how many tokens prompt and answer are; None: unknown.
    """

    stage: str
    to: Literal["model", "simulator"]
    prompt: tuple[Piece, ...]
    against: str | None
    answer: str
    read: str | None
    fault: str | None
    notes: tuple[str, ...]
    tokens_in: int | None = None
    tokens_out: int | None = None

    @property
    def not_asked(self) -> bool:
        """Whether the check had no reason to ask this."""
        return self.notes == (NOT_ASKED,)


def read_turns(
    sample: Mapping[str, Any],
    read: Mapping[str, Any],
    metrics: Mapping[str, float | None],
    masks: Collection[str],
) -> tuple[Turn, ...]:
    """Read the dialogue; to a faithfulness check, stages that were not asked are added.

    Args:
        read: stage -> what was read.
        metrics: of the document.
        masks: what stands for a masked word.
    """
    stages = [stage for stage in listed(sample.get("stages")) if isinstance(stage, Mapping)]
    names = [_text(stage.get("stage")) for stage in stages]
    prompts = {name: _text(told.get("prompt")) for name, told in zip(names, stages, strict=True)}
    first = prompts.get(FIRST)
    turns = [
        _turn(stage, read, first if name in CHANGED else None, masks)
        for stage, name in zip(stages, names, strict=True)
    ]
    if stages and "faithfulness" in metrics:
        lacking = [name for name in (FIRST, EXPLAINED, *CHANGED) if name not in names]
        turns += [Turn(name, "model", (), None, "", None, None, (NOT_ASKED,)) for name in lacking]
    return tuple(turns)


def _turn(
    stage: Mapping[str, Any], read: Mapping[str, Any], first: str | None, masks: Collection[str]
) -> Turn:
    name, prompt = _text(stage.get("stage")), _text(stage.get("prompt"))
    told = read.get(name)
    unreadable = is_unreadable(told)
    return Turn(
        stage=name,
        to="simulator" if stage.get("to") == "simulator" else "model",
        prompt=(Piece("", prompt),) if first is None else compare_words(first, prompt, masks),
        against=None if first is None else FIRST,
        answer=_text(stage.get("answer")),
        read=None if told is None or unreadable else as_text(told),
        fault=as_text(mapping(told)["unreadable"]) if unreadable else _fault(name, read),
        notes=tuple(note for key, note in CUTS if _count(stage.get(key))),
        tokens_in=_count(stage.get("tokens_in")),
        tokens_out=_count(stage.get("tokens_out")),
    )


def _fault(stage: str, read: Mapping[str, Any]) -> str | None:
    """Say why the change that the explanation describes could not be used."""
    fault = mapping(read.get("intervention")).get("fault") if stage == EXPLAINED else None
    return None if fault is None else as_text(fault)


def _text(value: object) -> str:
    return "" if value is None else as_json(value)


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int) and value >= 0 else None
