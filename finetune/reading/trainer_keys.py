"""The `trainer:` block, checked against TRL's own config class before any model is loaded.

Each key is held to the annotation of TRL's field, and to what TRL and transformers would otherwise
refuse only when the model is loaded and the training set is made. TRL is imported on first use:
that takes seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from enum import Enum
from functools import reduce
from operator import or_
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from finetune.methods import Method
from finetune.reading.trainer_rules import CHOICES, LIMITS, RENAMED, dpo_contradictions, refusals
from finetune.strict import Fault, Place, Reader
from harness.errors import unknown

_NOT_BUILT = frozenset({"tf32", "torch_compile", "torch_compile_backend", "torch_compile_mode"})
"""Keys that switch something on in this process as soon as a config is built."""

_MANY = 1_000_000
"""Training steps: more than any warm-up."""


def trainer_faults(method: Method, given: Mapping[str, Any]) -> list[Fault]:
    """Say what is wrong with a `trainer:` block.

    Args:
        method: that it is for.
        given: the block, as the YAML says it.

    Returns:
        Faults of single keys; only if there are none, those that several keys make together.
    """
    if not given:
        return []
    config = _config_class(method.config)
    faults = [
        fault for key, value in given.items() for fault in _key_faults(method, config, key, value)
    ]
    return faults or _joint_faults(method, config, given)


def _config_class(name: str) -> Any:
    import trl

    return getattr(trl, name)


def _key_faults(method: Method, config: Any, key: str, value: Any) -> Iterator[Fault]:
    place: Place = ("trainer", str(key))
    known = {each.name for each in fields(config) if each.init}
    refused = refusals(method)
    if key in refused:
        yield Fault(place, f"is not taken here; {refused[key]}")
    elif key in known:
        yield from _value_faults(method, config, key, value)
    else:
        near = [RENAMED[key]] if key in RENAMED else get_close_matches(str(key), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        yield Fault(
            place, f"unknown key: got {key!r}.{hint} Known: the arguments of {_name(method)}."
        )


def _value_faults(method: Method, config: Any, key: str, value: Any) -> Iterator[Fault]:
    reader = Reader()
    reader.value(_hint(method, config, key), value, ("trainer", key))
    yield from reader.faults
    if key == "report_to" and not reader.faults:
        yield from _integration_faults(value)


def _hint(method: Method, config: Any, key: str) -> Any:
    """Give TRL's annotation, without the text that it takes from command lines.

    An enumeration, or a mapping written as JSON, may be any text by annotation.
    """
    hint = get_type_hints(config)[key]
    field = next(each for each in fields(config) if each.name == key)
    if key in CHOICES[method.config]:
        hint = CHOICES[method.config][key]
    elif "choices" in field.metadata:
        choices: Any = Literal[tuple(field.metadata["choices"])]
        hint = choices | None if NoneType in get_args(hint) else choices
    elif any(_is_closed(part) for part in get_args(hint)) and get_origin(hint) is not Literal:
        hint = reduce(or_, (part for part in get_args(hint) if part is not str))
    return Annotated[hint, LIMITS[key]] if key in LIMITS else hint


def _is_closed(part: Any) -> bool:
    return part is dict or get_origin(part) is dict or _is_enum(part)


def _is_enum(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, Enum)


def _integration_faults(value: str | list[str] | None) -> Iterator[Fault]:
    from transformers.integrations import get_available_reporting_integrations

    there = {"none", "all", *get_available_reporting_integrations()}
    for name in [value] if isinstance(value, str) else value or []:
        if name not in there:
            says = unknown("or not installed integration", name, there)
            yield Fault(("trainer", "report_to"), says)


def _joint_faults(method: Method, config: Any, given: Mapping[str, Any]) -> list[Fault]:
    faults = list(dpo_contradictions(given)) if method.config == "DPOConfig" else []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            args = _build(method, config, given)
        except (ValueError, TypeError, NotImplementedError, ImportError) as err:
            return [*faults, Fault(("trainer",), f"{_name(method)} refuses it: {err}")]
        faults += _optimiser_faults(args)
    given_up = {
        str(warning.message)
        for warning in warned
        if issubclass(warning.category, FutureWarning | DeprecationWarning)
    }
    return faults + [Fault(("trainer",), f"{_name(method)}: {told}") for told in sorted(given_up)]


def _build(method: Method, config: Any, given: Mapping[str, Any]) -> Any:
    """Build the config for its own checks, without what it does to the process.

    `TrainingArguments` would set up the device: it resets accelerate's state, and under
    `accelerate launch` it starts the process group, which here would be the wrong one.
    """
    import torch

    def stay_on_cpu(self: Any) -> Any:
        return torch.device("cpu")

    checked = type(config.__name__, (config,), {"device": property(stay_on_cpu)})
    own = {
        "output_dir": "unused",
        "use_cpu": True,
        "bf16": False,
        "fp16": False,
        "report_to": "none",
        "eval_strategy": "epoch" if method.chooses_rate else "no",
        "activation_checkpointing": bool(given.get("activation_checkpointing")),
    }
    return checked(**{**{k: v for k, v in given.items() if k not in _NOT_BUILT}, **own})


def _optimiser_faults(args: Any) -> Iterator[Fault]:
    """Try the optimiser and the schedule on one weight; TRL would make them after the data."""
    import torch
    from transformers import Trainer, get_scheduler

    weight = torch.nn.Parameter(torch.zeros(1))
    if args.optim_target_modules is None:  # else it looks for them in the model
        try:
            Trainer.get_optimizer_cls_and_kwargs(args)
        except (ValueError, TypeError, ImportError, NotImplementedError, RuntimeError) as err:
            yield Fault(("trainer", "optim"), f"{args.optim.value} cannot be had: {err}")
    try:
        get_scheduler(
            args.lr_scheduler_type,
            torch.optim.SGD([weight], lr=1.0),
            num_warmup_steps=args.get_warmup_steps(_MANY),
            num_training_steps=_MANY,
            scheduler_specific_kwargs=args.lr_scheduler_kwargs,
        )
    except (ValueError, TypeError) as err:
        says = f"{args.lr_scheduler_type.value} does not take them: {err}"
        yield Fault(("trainer", "lr_scheduler_kwargs"), says)


def _name(method: Method) -> str:
    return f"trl.{method.config}"
