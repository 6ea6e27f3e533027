"""A process that holds the model and measures shards, wherever the cluster has put it.

What goes wrong comes back as a value: the caller tells errors of the user, of the model and of the
machine apart. Light to import: torch and lm-eval come after the surroundings are set.
"""

from __future__ import annotations

import gc
import logging
import os
import platform
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from harness import __version__, errors
from harness.allocator import keep_freed_memory
from harness.errors import SelfcheckError

if TYPE_CHECKING:
    from harness.parts import Part
    from harness.plan import Plan, Prepared

T = TypeVar("T")
PASSED_ON = ("SELFCHECK_", "HF_", "TRANSFORMERS_", "TOKENIZERS_", "OPENAI_", "ANTHROPIC_", "OMP_")
"""How the names of variables begin that a worker gets: where data is, threads, keys."""


@dataclass(frozen=True)
class Surroundings:
    """What a worker shares with the process that started it.

    Attributes:
        variables: of the environment. They may hold keys; as arguments of an actor they are shown
            nowhere, unlike Ray's `runtime_env`.
        folder: to work in, if the machine has it: paths may be relative to it.
        allow_pickles: as `harness.trust`.
    """

    variables: Mapping[str, str] = field(repr=False)
    folder: str
    allow_pickles: bool

    @classmethod
    def here(cls) -> Surroundings:
        """Describe this process."""
        from harness.trust import pickles_allowed

        told = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        return cls(told, str(Path.cwd()), pickles_allowed())

    def enter(self) -> None:
        """Make this process alike."""
        os.environ.update({"TOKENIZERS_PARALLELISM": "false", **self.variables})
        if Path(self.folder).is_dir():
            os.chdir(self.folder)


@dataclass(frozen=True)
class Loaded:
    """A model on a worker.

    Attributes:
        fingerprint: None: nobody can tell.
        version: selfcheck's, there.
    """

    fingerprint: str | None
    version: str


@dataclass(frozen=True)
class Fault:
    """An error, as a value.

    Attributes:
        kind: its class in `harness.errors`; None: it is none of ours.
        trace: where it came from, of those that are none of ours.
    """

    kind: str | None
    message: str
    trace: str = ""


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a worker gives back.

    Attributes:
        value: None: there is a fault.
        warnings: what it logged meanwhile, and had not before.
        node: the machine's name.
    """

    value: T | None
    fault: Fault | None
    warnings: list[str]
    node: str


class _Warnings(logging.Handler):
    """Keeps each warning once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._told: set[str] = set()
        self._new: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._told:
            self._told.add(text)
            self._new.append(text)

    def take(self) -> list[str]:
        """Give those that are new."""
        new, self._new = self._new, []
        return new


class Worker:
    """Measures shards of one plan after another."""

    def __init__(self, surroundings: Surroundings) -> None:
        surroundings.enter()
        keep_freed_memory()
        self._allow_pickles = surroundings.allow_pickles
        self._warnings = _Warnings()
        logging.basicConfig(level=logging.WARNING, handlers=[self._warnings], force=True)
        self._prepared: Prepared | None = None
        self._lm: Any = None
        self._known: str | None = None

    def load(self, plan: Plan) -> Answer[Loaded]:
        """Load a plan's tasks and its model, in place of those before."""
        return self._answer(lambda: self._load(plan))

    def measure(self, documents: Mapping[str, Sequence[int]]) -> Answer[Part]:
        """Ask the model about documents of the plan's tasks."""
        return self._answer(lambda: self._measure(documents))

    def _load(self, plan: Plan) -> Loaded:
        from harness.evaluate import load_model
        from harness.models import fingerprint
        from harness.plan import prepare
        from harness.trust import allowing_pickles

        self._forget()
        _skip_descriptions()
        with allowing_pickles(self._allow_pickles):
            self._prepared = prepare(plan)
            self._lm = load_model(plan)
        self._known = fingerprint(self._lm)
        return Loaded(self._known, __version__)

    def _forget(self) -> None:
        import torch

        self._prepared = self._lm = self._known = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _measure(self, documents: Mapping[str, Sequence[int]]) -> Part:
        from harness.measure import measure
        from harness.trust import allowing_pickles

        assert self._prepared is not None
        with allowing_pickles(self._allow_pickles):  # a simulator is loaded on first use
            part = measure(self._prepared, self._lm, self._known, documents)
        assert part is not None
        return part

    def _answer(self, act: Callable[[], T]) -> Answer[T]:
        value, fault = None, None
        try:
            value = act()
        except SelfcheckError as err:
            ours = [kind for kind in type(err).__mro__ if kind.__module__ == errors.__name__]
            fault = Fault(ours[0].__name__, str(err))
        except Exception as err:
            told = "".join(traceback.format_exception(err))
            fault = Fault(None, f"{type(err).__name__}: {err}", told)
        return Answer(value, fault, self._warnings.take(), platform.node())


def _skip_descriptions() -> None:
    """Spare each shard lm-eval's description of the machine: seconds of `pip list`, unused here."""
    from lm_eval import evaluator

    evaluator.add_env_info = lambda told: None
