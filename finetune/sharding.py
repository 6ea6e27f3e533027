"""Whether a model in training has its weights spread over processes."""

from __future__ import annotations

from typing import Any

from accelerate.state import AcceleratorState
from transformers.integrations import is_deepspeed_zero3_enabled


def how_sharded(model: Any, args: Any) -> str | None:
    """Say how weights are spread over processes; None: every process has all of them.

    Args:
        model: as a trainer's callbacks are given it.
        args: a `transformers.TrainingArguments`.
    """
    state = AcceleratorState._shared_state
    deepspeed = args.deepspeed_plugin
    if args.fsdp or state.get("fsdp_plugin") is not None or _is_fsdp(model):
        return "FSDP shards the weights"
    if (deepspeed is not None and deepspeed.zero_stage == 3) or is_deepspeed_zero3_enabled():
        return "DeepSpeed's ZeRO-3 shards the weights"
    if args.parallelism_config is not None or any(_is_spread(one) for one in model.parameters()):
        return "the model is spread over processes (tensor, context or sequence parallel)"
    return None


def _is_fsdp(model: Any) -> bool:
    from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel

    return any(isinstance(one, (FSDPModule, FullyShardedDataParallel)) for one in model.modules())


def _is_spread(weight: Any) -> bool:
    return hasattr(weight, "device_mesh") or hasattr(weight, "ds_id")  # a DTensor; DeepSpeed's
