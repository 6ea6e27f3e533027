"""Who simulates a model from its explanations: the model itself, or another one, loaded once."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from uuid import uuid4

from harness.backend import Backend
from harness.cache import ResponseCache
from harness.errors import ConfigError, unknown
from harness.loading import check_backend, load, require_chat_template
from harness.questions import SELF

log = logging.getLogger(__name__)

MODEL_KEY, ARGS_KEY, TEMPLATE_KEY = "simulator_model", "simulator_args", "simulator_chat_template"
KEYS = (MODEL_KEY, ARGS_KEY, TEMPLATE_KEY)
"""Keys of lm-eval's `--metadata` that name the simulator."""


class Simulator:
    """Who answers the questions to "simulator".

    Args:
        model: lm-eval's name of a backend; None: the model under test itself.
        args: the backend's arguments.
        chat_template: whether it is asked through its chat template; of the model itself that is
            the run's setting.

    Attributes:
        is_self: whether it is the model under test, by name or by fingerprint; known once it has
            met it.
    """

    def __init__(
        self, model: str | None = None, args: Mapping[str, Any] | None = None,
        chat_template: bool = False,
    ) -> None:  # fmt: skip
        self.model, self.args, self.chat_template = model, dict(args or {}), chat_template
        self.is_self = model is None
        self._lm: Any = None
        self._identity: str | None = None

    @property
    def identity(self) -> str | None:
        """What tells it from other simulators: its fingerprint; None before it is known.

        One that cannot be identified is like no other, not even itself in another run.
        """
        return self._identity

    @property
    def label(self) -> str:
        """Who it is, for people."""
        if self.is_self:
            return SELF
        name = self.args.get("pretrained") or self.args.get("model")
        return f"{self.model}: {name}" if name else str(self.model)

    def meet(self, model: Backend, cache: ResponseCache | None) -> Backend:
        """Give the simulator's backend, loaded on first use.

        Args:
            model: the model under test.
            cache: where the simulator's answers are kept.

        Raises:
            ModelError: it cannot be loaded, or has no chat template.
        """
        backend = model if self.model is None else self.load(cache)
        known = backend.fingerprint
        self.is_self = backend is model or (known is not None and known == model.fingerprint)
        self._identify(known)
        if self.is_self:
            log.info("Self-simulated: the model predicts itself from its explanations")
        return backend

    def load(self, cache: ResponseCache | None) -> Backend:
        """Load it (once), and give its backend.

        Raises:
            ModelError: it cannot be loaded, or has no chat template.
        """
        assert self.model is not None
        if self._lm is None:
            log.info("Loading the simulator: %s", self.label)
            self._lm = load(self.model, self.args, chat_template=self.chat_template)
        if self.chat_template:
            require_chat_template(self._lm.apply_chat_template)
        backend = Backend(self._lm, cache)
        self._identify(backend.fingerprint)
        return backend

    def _identify(self, fingerprint: str | None) -> None:
        self._identity = fingerprint or self._identity or f"unidentified {uuid4().hex}"


def read_simulator(told: Mapping[str, Any]) -> Simulator:
    """Read from a task's metadata who simulates; equal metadata give the same simulator.

    Args:
        told: may hold `simulator_model`, `simulator_args` ("key=value,..." or a mapping) and
            `simulator_chat_template` (by default on for chat APIs, off for others).

    Raises:
        ConfigError: there is no such backend, or a key is misspelt, or of no use.
    """
    for key in told:
        if str(key).startswith("simulator") and key not in KEYS:
            raise ConfigError(unknown("key of metadata", str(key), KEYS))
    model, args, template = (told.get(key) for key in KEYS)
    if model is None:
        if args is not None or template is not None:
            given = ARGS_KEY if args is not None else TEMPLATE_KEY
            raise ConfigError(f"metadata: {given} without {MODEL_KEY}: no simulator is named")
        return Simulator()
    if template not in (None, True, False):
        raise ConfigError(f"metadata: {TEMPLATE_KEY} must be true or false, got {template!r}")
    check_backend(str(model))
    chat = "chat" in str(model) if template is None else bool(template)
    return _shared(str(model), json.dumps(_as_mapping(args), sort_keys=True), chat)


@lru_cache(maxsize=8)
def _shared(model: str, args: str, chat_template: bool) -> Simulator:
    return Simulator(model, json.loads(args), chat_template)


def _as_mapping(args: object) -> Mapping[str, Any]:
    from lm_eval.utils import simple_parse_args_string

    if args is None or isinstance(args, str):
        args = simple_parse_args_string(args)
    if not isinstance(args, Mapping):
        got = type(args).__name__  # not the value: it may be a key
        raise ConfigError(f"metadata: {ARGS_KEY} must be 'key=value,...' or a mapping, got a {got}")
    return args
