"""A recorded run, planned again for another checkpoint."""

from __future__ import annotations

import msgspec

from harness.errors import ConfigError
from harness.plan import OPTIONS, Plan
from harness.runs import Record
from harness.secrets import BLANK

OF_THE_MODEL = {"pretrained", "revision", "peft", "delta", "subfolder", "gguf_file", "tokenizer"}
"""Arguments that name a model; all others say how it is run."""


def like(record: Record, checkpoint: str) -> Plan:
    """Plan what a record tells of for another checkpoint: same tasks, documents and prompts.

    Args:
        checkpoint: a folder (also of an adapter) or a name on the hub.

    Raises:
        ConfigError: the record does not tell enough, or the recorded model was no checkpoint.
    """
    model, told = record.model, record.settings
    hint = f"score {checkpoint} with `selfcheck run` and give the folder of that run"
    if record.imported:
        raise ConfigError(f"lm-eval's output does not tell all that was asked for: {hint}")
    if "pretrained" not in model.args:
        raise ConfigError(f"the recorded model ({model.backend}) was no checkpoint: {hint}")
    asked = {**model.args, **msgspec.structs.asdict(told)}
    hidden = [name for name, value in asked.items() if BLANK in str(value)]
    if hidden:
        raise ConfigError(f"secrets are not recorded ({', '.join(hidden)}): {hint}")
    args = {name: value for name, value in model.args.items() if name not in OF_THE_MODEL}
    if model.dtype is not None:
        args.setdefault("dtype", model.dtype.removeprefix("torch."))
    seeds = {"numpy_random_seed": told.numpy_seed, "torch_random_seed": told.torch_seed}
    seeds |= {"random_seed": told.random_seed, "fewshot_random_seed": told.fewshot_seed}
    options = {name: getattr(told, name) for name in OPTIONS}
    return Plan(
        model=model.backend,
        batch_size="auto" if model.batch_size is None else model.batch_size,
        model_args={**args, "pretrained": checkpoint},
        tasks=tuple(dict.fromkeys(task.variant_of for task in record.tasks.values())),
        subset=told.subset,
        subset_seed=told.subset_seed or 0,
        include_path=tuple(told.include_path),
        variants=frozenset(told.variants),
        metadata=told.metadata,
        options={name: value for name, value in {**options, **seeds}.items() if value is not None},
    )
