"""`model.scratch`, checked against transformers' own configuration class; no weights are made.

transformers keeps unknown arguments in silence, and looks at the sizes when weights are made. It is
imported on first use: that takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from finetune.architectures import (
    OF,
    auto_class,
    config_class,
    implied,
    token_fields,
    types_of,
)
from finetune.recipe import Architecture, Scratch
from finetune.strict import Fault, Place
from harness.errors import unknown

PLACE: Place = ("model", "scratch")
TOKENS = 32
"""Size of a vocabulary to try a configuration with; the tokenizer's is not known yet."""
_SET_BY = {
    "vocab_size": "it is the tokenizer's (model.name)",
    "is_encoder_decoder": "set model.architecture",
    "is_decoder": "model.architecture says it",
    "add_cross_attention": "model.architecture says it",
}


def scratch_faults(scratch: Scratch, architecture: Architecture) -> Iterator[Fault]:
    """Say what is wrong with random weights; of several keys together only if each is right."""
    known = {name for each in OF for name in types_of(each)}
    if scratch.type not in known:
        yield Fault((*PLACE, "type"), _unknown_type(scratch.type, known))
        return
    config = config_class(scratch.type)
    if "vocab_size" not in {each.name for each in fields(config)}:
        yield Fault(
            (*PLACE, "type"),
            f"{scratch.type} is made of other models, or not of text alone: name a type of text",
        )
        return
    other = _other_architecture(scratch.type, architecture, config)
    if other:
        yield Fault((*PLACE, "type"), other)
        return
    wrong = [fault for key, value in scratch.config.items() for fault in _key(config, key, value)]
    yield from wrong or _joint(config, scratch.config, architecture)


def _unknown_type(kind: str, known: set[str]) -> str:
    near = get_close_matches(kind.lower(), known, n=3, cutoff=0.5)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return (
        f"unknown type: got {kind!r}.{hint} Known: transformers' model types of text "
        "(gpt2, llama, qwen3, t5, bart, ...)."
    )


def _other_architecture(kind: str, architecture: Architecture, config: Any) -> str | None:
    """Say that a type is of the other architecture; None: it is of this one."""
    both = bool(config.is_encoder_decoder)
    if (architecture == "seq2seq") == both and kind in types_of(architecture):
        return None
    other: Architecture = "seq2seq" if both else "causal"
    if kind not in types_of(other):
        return f"transformers has no {kind} that is {OF[architecture]}: name another type"
    return (
        f"{kind} is {OF[other]}, but model.architecture is {architecture!r}: set it to "
        f"{other!r}, or name a type that is {OF[architecture]}"
    )


def _key(config: Any, key: str, value: Any) -> Iterator[Fault]:
    from huggingface_hub.errors import StrictDataclassError
    from transformers import PreTrainedConfig

    place: Place = (*PLACE, "config", key)
    shared = {each.name for each in fields(PreTrainedConfig)}
    own = {each.name for each in fields(config)} - shared
    if key in _SET_BY or key.endswith("_token_id"):
        yield Fault(place, f"is not taken here; {_SET_BY.get(key, _SET_BY['vocab_size'])}")
    elif key in config.attribute_map:
        yield Fault(place, f"is called {config.attribute_map[key]!r} by {config.__name__}")
    elif key not in own:
        allowed = [name for name in own if name not in _SET_BY and not name.endswith("_token_id")]
        yield Fault(place, unknown("key", key, allowed))
    else:
        try:
            config(**{key: value})
        except StrictDataclassError as err:
            if f"'{key}'" in str(err):  # not what it makes with the defaults of others
                yield Fault(place, f"{config.__name__} refuses it: {_last_line(err)}")
        except Exception:  # of several keys together: `_joint`
            return


def _joint(config: Any, given: Mapping[str, Any], architecture: Architecture) -> Iterator[Fault]:
    """Make the model without values, as its weights would be made."""
    import torch

    own = {"vocab_size": TOKENS, **implied(config, architecture)}
    try:
        made = config(**{**given, **own}, **dict.fromkeys(token_fields(config), 0))
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            auto_class(architecture).from_config(made)
    except Exception as err:  # whatever a model's code makes of numbers that it cannot use
        says = f"no model can be made of it: {type(err).__name__}: {_last_line(err)}"
        yield Fault((*PLACE, "config"), says)


def _last_line(err: Exception) -> str:
    lines = str(err).strip().splitlines()
    return lines[-1].strip() if lines else type(err).__name__
