"""Who writes training sets: any lm-eval model, asked through the dialogue scheduler."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from finetune.recipe import Asked
from harness import failures
from harness.backend import Backend
from harness.cache import ResponseCache
from harness.data import doc_hash
from harness.dialogue import REQUEST, DialogueInstance, Talk, converse
from harness.errors import CheckError, ModelError
from harness.loading import load, require_chat_template
from harness.models import folder_digest, resolve_model_args
from harness.questions import MODEL, Dialogue, Outcome
from harness.secrets import without_secrets

log = logging.getLogger(__name__)

Read = Mapping[str, object]
"""What a dialogue found out (`Outcome.read`)."""
TASK = "training set"


@dataclass(frozen=True)
class Teacher:
    """A model that writes a training set.

    Attributes:
        model: lm-eval's name of its backend.
        args: the backend's arguments.
        chat_template: whether it is asked through its chat template.
        label: who it is, for people.
    """

    model: str
    args: Mapping[str, Any]
    chat_template: bool
    label: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.label:
            name = self.args.get("pretrained") or self.args.get("model")
            object.__setattr__(self, "label", f"{self.model}: {name}" if name else self.model)

    @classmethod
    def of(cls, asked: Asked) -> Teacher:
        """Make the teacher that a recipe names."""
        return cls(asked.model, dict(asked.args), asked.chat_template)

    def identity(self) -> str:
        """Tell it from other teachers without loading it.

        By backend, arguments (secrets blanked) and chat template; a local folder by what it holds,
        wherever it lies, an adapter with its base. A name on the hub stands for itself.

        Raises:
            ConfigError, ModelError: its folder is an adapter's whose base is not told.
            OSError: a file of a local folder cannot be read.
        """
        given = resolve_model_args(self.model, self.args)
        inside = str(given.get("subfolder") or "")
        folders = {
            name: folder_digest(Path(value), inside)
            for name, value in given.items()
            if isinstance(value, (str, Path)) and Path(value).is_dir()
        }
        args = {**without_secrets(given), **folders}
        told = {"model": self.model, "args": args, "chat_template": self.chat_template}
        return doc_hash(told)


def hold(teacher: Teacher, dialogues: Mapping[str, Callable[[], Dialogue]]) -> dict[str, Read]:
    """Hold dialogues with a teacher: greedily, all together; then let it go.

    Of several processes (`accelerate launch`) each holds its share, and all get all outcomes.

    Args:
        teacher: who is asked.
        dialogues: key (hash of a document) -> begins its dialogue.

    Returns:
        Key -> what its dialogue found out, in the order of the keys.

    Raises:
        ConfigError, ModelError: the teacher cannot be loaded, has no chat template, or fails.
        CheckError: a dialogue failed: a bug; names the document.
    """
    if not dialogues:
        return {}
    import harness.planted  # noqa: F401  (registers the planted models)

    try:
        told = dict(_hold_share(teacher, dialogues))
    finally:
        _free()
    return {key: told[key] for key in dialogues}


FEWEST = 8
"""Rows, or documents, of which a training set may be made at the least."""


def require_rows(number: int, dropped: Mapping[str, int], what: str) -> None:
    """Check that enough is left of what a teacher wrote.

    Args:
        number: what is left.
        dropped: reason -> how many.
        what: what it was to write, as in "pairs of answers".

    Raises:
        ModelError: fewer than `FEWEST` are left.
    """
    if number >= FEWEST:
        return
    counts = sorted(dropped.items(), key=lambda told: -told[1])
    told = ", ".join(f"{count} {reason}" for reason, count in counts) or "it wrote none"
    raise ModelError(
        f"too little to train on: {number} {what} of the teacher are left, at least {FEWEST} are "
        f"needed; dropped: {told}. Take a teacher that follows instructions (`teacher`), ask it "
        "with or without its chat template (`chat_template`), or take more or other questions "
        "(`data`)"
    )


def _hold_share(
    teacher: Teacher, dialogues: Mapping[str, Callable[[], Dialogue]]
) -> list[tuple[str, Read]]:
    """Hold this process's share of the dialogues; give the outcomes of all processes."""
    log.info("Loading the teacher: %s", teacher.label)
    lm = load(teacher.model, teacher.args, chat_template=teacher.chat_template)
    if teacher.chat_template:
        require_chat_template(lm.apply_chat_template)
    rank, world = _place()
    keys = list(dialogues)[rank::world]
    log.info("The teacher is asked about %d of %d documents", len(keys), len(dialogues))
    return _gathered(_converse(teacher, lm, keys, dialogues), world)


def _converse(
    teacher: Teacher, lm: Any, keys: Sequence[str], dialogues: Mapping[str, Callable[[], Dialogue]]
) -> list[tuple[str, Read]]:
    broken: list[tuple[str, Exception]] = []
    settings = {"apply_chat_template": teacher.chat_template}
    talks = [
        _talk(number, partial(_watched, key, dialogues[key], broken), settings)
        for number, key in enumerate(keys)
    ] or [_talk(0, _silence, settings)]
    with failures.collected() as failed, ResponseCache.default() as cache:
        converse(talks, {MODEL: Backend(lm, cache)})
    for key, err in broken:
        told = f"document {key[:12]}: {type(err).__name__}: {err} (a bug; please report)"
        raise CheckError(f"{TASK}: {told}") from err
    if failed:
        raise CheckError(f"{TASK}: {failed[TASK]}")
    cut = sum(bool(stage["prompt_cut"]) for talk in talks for stage in talk.stages)
    if cut:
        log.warning("%d prompts were longer than the teacher's context and lost their start", cut)
    return [
        (key, talk.outcome.read) for key, talk in zip(keys, talks, strict=False) if talk.outcome
    ]


def _place() -> tuple[int, int]:
    """Give which process this is, and of how many.

    Asks torch: accelerate counts one where processes without GPUs have not asked it for CPUs.
    """
    from accelerate import PartialState
    from torch import distributed

    PartialState()  # joins the processes of `accelerate launch`, unless the model has done so
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def _gathered(mine: list[tuple[str, Read]], world: int) -> list[tuple[str, Read]]:
    """Give what all processes hold."""
    from torch import distributed

    if world == 1:
        return mine
    parts: list[list[tuple[str, Read]]] = [[] for _ in range(world)]
    distributed.all_gather_object(parts, mine)
    return [one for part in parts for one in part]


def _talk(number: int, start: Callable[[], Dialogue], settings: Mapping[str, Any]) -> Talk:
    return Talk(
        DialogueInstance(
            request_type=REQUEST,
            doc={},
            arguments=("", dict(settings)),
            idx=0,
            metadata=(TASK, number, 1),
            start=start,
        )
    )


def _watched(
    key: str, start: Callable[[], Dialogue], broken: list[tuple[str, Exception]]
) -> Dialogue:
    """Hold a dialogue; note the document of one that fails."""
    try:
        return (yield from start())
    except Exception as err:
        broken.append((key, err))
        raise


def _silence() -> Dialogue:
    """Say nothing: a process without a document takes part in the rounds of the others."""
    yield from ()
    return Outcome({})


def _free() -> None:
    """Give back the memory of a model that nobody holds any more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
