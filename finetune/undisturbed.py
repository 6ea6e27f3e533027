"""Use a model in the midst of its training as if nobody had.

Scoring draws random numbers, switches modules to evaluation, and lets lm-eval, transformers and
accelerate set what they set. Afterwards all of it is as it was, so that training goes on bit for
bit as without scoring.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from accelerate.state import AcceleratorState, GradientState, PartialState

SHARED = (PartialState, AcceleratorState, GradientState)  # one more Accelerator changes them


@contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Put back, at the end, all that using a model may have changed.

    Its modules' attributes, tables of weights, buffers and hooks (so: evaluation mode, patched
    methods, gradient checkpointing), configurations and generation settings; the random states of
    Python, numpy and torch on all devices; torch's global switches; accelerate's shared state; the
    environment. Weights and gradients are nobody's to change here: what is done inside must not
    write into tensors, nor into what a module's attributes refer to, beyond lists and mappings.
    """
    put_back = [_keep_attributes(thing) for thing in _things(model)]
    put_back += [_keep_switches(), _keep_random(), _keep_environment()]
    put_back += [_keep_mapping(kind._shared_state) for kind in SHARED]
    devices, kind = _devices()
    with torch.random.fork_rng(devices=devices, device_type=kind):
        try:
            yield
        finally:
            for restore in reversed(put_back):
                restore()


def _things(model: torch.nn.Module) -> list[Any]:
    """Give the modules of a model and their configurations, each once."""
    from transformers import GenerationConfig, PreTrainedConfig

    found: dict[int, Any] = {}
    left: list[Any] = list(model.modules())
    while left:
        thing = left.pop()
        if id(thing) in found:
            continue
        found[id(thing)] = thing
        inner = vars(thing).values()
        left += [part for part in inner if isinstance(part, (PreTrainedConfig, GenerationConfig))]
    return list(found.values())


def _keep_attributes(thing: Any) -> Callable[[], None]:
    own = vars(thing)
    inner = [_keep_inner(value) for value in own.values() if type(value) in (list, set)]
    inner += [_keep_mapping(value) for value in own.values() if isinstance(value, dict)]
    outer = _keep_mapping(own)

    def restore() -> None:
        outer()
        for one in inner:
            one()

    return restore


def _keep_mapping(told: Any) -> Callable[[], None]:
    before = dict(told)

    def restore() -> None:
        if len(told) != len(before) or any(
            key not in told or told[key] is not value for key, value in before.items()
        ):
            told.clear()
            told.update(before)

    return restore


def _keep_inner(told: Any) -> Callable[[], None]:
    before = list(told)

    def restore() -> None:
        told.clear()
        (told.update if isinstance(told, set) else told.extend)(before)

    return restore


def _keep_random() -> Callable[[], None]:
    plain, numbers = random.getstate(), np.random.get_state()

    def restore() -> None:
        random.setstate(plain)
        np.random.set_state(numbers)

    return restore


def _devices() -> tuple[range, str]:
    """Give the devices with random states of their own, and their kind."""
    kind = torch.accelerator.current_accelerator()
    if kind is None:
        return range(0), "cuda"
    return range(torch.accelerator.device_count()), kind.type


def _keep_switches() -> Callable[[], None]:
    gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    exact = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn = torch.backends.cudnn
    flags = {name: getattr(cudnn, name) for name in ("benchmark", "deterministic", "enabled")}

    def restore() -> None:
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)
        torch.use_deterministic_algorithms(exact, warn_only=warns)
        for name, value in flags.items():
            if getattr(cudnn, name) != value:
                setattr(cudnn, name, value)

    return restore


def _keep_environment() -> Callable[[], None]:
    before = dict(os.environ)

    def restore() -> None:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)

    return restore
