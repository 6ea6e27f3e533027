"""The `trainer:` block, checked against the trainer's own config class before a model is loaded.

Each key is held to the annotation of the class's field, and to what TRL and transformers would
otherwise refuse only when the model is loaded and the training set is made. They are imported on
first use: that takes seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from enum import Enum
from functools import reduce
from operator import or_
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from finetune.methods import Config, Method
from finetune.reading.trainer_rules import (
    CHOICES,
    LIMITS,
    NO_LENGTH,
    RENAMED,
    dpo_contradictions,
    refusals,
)
from finetune.strict import Fault, Place, Reader
from harness.errors import unknown

_NOT_BUILT = frozenset({"tf32", "torch_compile", "torch_compile_backend", "torch_compile_mode"})
"""Keys that switch something on in this process as soon as a config is built."""

_MANY = 1_000_000
"""Training steps: more than any warm-up."""


@dataclass(frozen=True)
class _Block:
    """What takes a `trainer:` block.

    Attributes:
        method: that it is for.
        name: of the config class.
        config: the class.
    """

    method: Method
    name: Config
    config: Any

    @property
    def arguments(self) -> str:
        """Name the class for people."""
        return f"{self.config.__module__.split('.')[0]}.{self.name}"


def trainer_faults(method: Method, name: Config, given: Mapping[str, Any]) -> list[Fault]:
    """Say what is wrong with a `trainer:` block.

    Args:
        method: that it is for.
        name: of the config class that takes it.
        given: the block, as the YAML says it.

    Returns:
        Faults of single keys; only if there are none, those that several keys make together.
    """
    if not given:
        return []
    block = _Block(method, name, _config_class(name))
    faults = [fault for key, value in given.items() for fault in _key_faults(block, key, value)]
    return faults or _joint_faults(block, given)


def _config_class(name: Config) -> Any:
    if name == "Seq2SeqTrainingArguments":
        from transformers import Seq2SeqTrainingArguments

        return Seq2SeqTrainingArguments
    import trl

    return getattr(trl, name)


def _key_faults(block: _Block, key: str, value: Any) -> Iterator[Fault]:
    place: Place = ("trainer", str(key))
    known = {each.name for each in fields(block.config) if each.init}
    refused = refusals(block.method, block.name)
    if key in refused:
        yield Fault(place, f"is not taken here; {refused[key]}")
    elif key in known:
        yield from _value_faults(block, key, value)
    else:
        yield Fault(place, f"unknown key: got {key!r}.{_hint_at(block, key, known)}")


def _hint_at(block: _Block, key: str, known: Collection[str]) -> str:
    """Say what to give instead of an unknown key."""
    meant = RENAMED.get(key, key)
    if block.name == "Seq2SeqTrainingArguments" and meant == "max_length":
        return f" {NO_LENGTH}"
    near = [meant] if meant in known else get_close_matches(str(key), known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{hint} Known: the arguments of {block.arguments}."


def _value_faults(block: _Block, key: str, value: Any) -> Iterator[Fault]:
    reader = Reader()
    reader.value(_hint(block, key), value, ("trainer", key))
    yield from reader.faults
    if key == "report_to" and not reader.faults:
        yield from _integration_faults(value)


def _hint(block: _Block, key: str) -> Any:
    """Give the class's annotation, without the text that it takes from command lines.

    An enumeration, or a mapping written as JSON, may be any text by annotation.
    """
    hint = get_type_hints(block.config)[key]
    field = next(each for each in fields(block.config) if each.name == key)
    if key in CHOICES[block.name]:
        hint = CHOICES[block.name][key]
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


def _joint_faults(block: _Block, given: Mapping[str, Any]) -> list[Fault]:
    faults = list(dpo_contradictions(given)) if block.name == "DPOConfig" else []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            args = _build(block, given)
        except (ValueError, TypeError, NotImplementedError, ImportError) as err:
            return [*faults, Fault(("trainer",), f"{block.arguments} refuses it: {err}")]
        faults += _optimiser_faults(args)
    given_up = {
        str(warning.message)
        for warning in warned
        if issubclass(warning.category, FutureWarning | DeprecationWarning)
    }
    return faults + [Fault(("trainer",), f"{block.arguments}: {told}") for told in sorted(given_up)]


def _build(block: _Block, given: Mapping[str, Any]) -> Any:
    """Build the config for its own checks, without what it does to the process.

    `TrainingArguments` would set up the device: it resets accelerate's state, and under
    `accelerate launch` it starts the process group, which here would be the wrong one.
    """
    import torch

    def stay_on_cpu(self: Any) -> Any:
        return torch.device("cpu")

    checked = type(block.name, (block.config,), {"device": property(stay_on_cpu)})
    own = {
        "output_dir": "unused",
        "use_cpu": True,
        "bf16": False,
        "fp16": False,
        "report_to": "none",
        "eval_strategy": "epoch" if block.method.chooses_rate else "no",
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
