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
from harness.errors import ConfigError, misspelt
from harness.loading import check_backend, load, require_chat_template
from harness.models import share_weights
from harness.questions import SELF

log = logging.getLogger(__name__)

MODEL_KEY, ARGS_KEY, TEMPLATE_KEY = "simulator_model", "simulator_args", "simulator_chat_template"
UNIDENTIFIED = "unidentified "
KEYS = (MODEL_KEY, ARGS_KEY, TEMPLATE_KEY)
"""Keys of lm-eval's `--metadata` that name the simulator."""


class Simulator:
    """Who answers the questions to "simulator".

    Args:
        model: lm-eval's name of a backend; None: the model under test itself.
        args: the backend's arguments.
        chat_template: whether it is asked through its chat template; of the model itself that is
            the run's setting, known once it has met it.

    Attributes:
        is_self: whether it is the model under test, by default or by its weights; known once it
            has met it.
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

    def meet(self, model: Backend, cache: ResponseCache | None, templated: bool) -> Backend:
        """Give the simulator's backend, loaded on first use.

        Args:
            model: the model under test.
            cache: where the simulator's answers are kept.
            templated: whether the model under test is asked through its chat template.

        Raises:
            ModelError: it cannot be loaded, or has no chat template.
        """
        if self.model is None:
            self.chat_template = templated
            self._identity = model.fingerprint or _unidentified()
            return model
        backend = self.load(cache)
        known = backend.fingerprint
        same = known is not None and known == model.fingerprint
        self.is_self = same or share_weights(backend.bare, model.bare)
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
        self._identity = backend.fingerprint or self._identity or _unidentified()
        return backend


def read_simulator(told: Mapping[str, Any]) -> Simulator:
    """Read from a task's metadata who simulates; equal metadata give the same simulator.

    Args:
        told: may hold `simulator_model`, `simulator_args` ("key=value,..." or a mapping) and
            `simulator_chat_template` (by default on for chat APIs, off for others).

    Raises:
        ConfigError: there is no such backend, or a key is misspelt, or of no use.
    """
    misspelt("key of metadata", map(str, told), KEYS)
    model, args, template = (told.get(key) for key in KEYS)
    if model is None:
        if args is not None or template is not None:
            given = ARGS_KEY if args is not None else TEMPLATE_KEY
            raise ConfigError(f"metadata: {given} without {MODEL_KEY}: no simulator is named")
        return Simulator()
    if template not in (None, True, False):
        raise ConfigError(f"metadata: {TEMPLATE_KEY} must be true or false, got {template!r}")
    try:
        check_backend(str(model))
        plain = json.dumps(_as_mapping(args), sort_keys=True)
    except ConfigError as err:
        raise ConfigError(f"metadata: {MODEL_KEY}: {err}") from err
    except TypeError as err:
        raise ConfigError(f"metadata: {ARGS_KEY}: {err}; give text, numbers, true, false") from err
    chat = "chat" in str(model) if template is None else bool(template)
    return _shared(str(model), plain, chat)


def _unidentified() -> str:
    return f"{UNIDENTIFIED}{uuid4().hex}"


@lru_cache(maxsize=8)
def _shared(model: str, args: str, chat_template: bool) -> Simulator:
    return Simulator(model, json.loads(args), chat_template)


def _as_mapping(args: object) -> Mapping[str, Any]:
    from lm_eval.utils import simple_parse_args_string

    if args is None or isinstance(args, str):
        args = simple_parse_args_string(args)
    if not isinstance(args, Mapping):
        got = type(args).__name__  # not the value: it may be a key
        raise ConfigError(f"{ARGS_KEY} must be 'key=value,...' or a mapping, got a {got}")
    return args
