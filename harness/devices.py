"""One model over several GPUs of a machine: what its backend is told for that, and what it is not.

Checked before a model is loaded. `lm_eval --model_args` and `accelerate launch` take the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.models import HF_BACKENDS

SPLIT_BY = {
    "vllm": ("tensor_parallel_size", "data_parallel_size"),
    "sglang": ("tp_size", "dp_size"),
}
"""Backend -> its arguments for how many GPUs share a model, and for how many copies there are."""
TRUE = ("true", "1", "yes")


def parallel_args(backend: str, args: Mapping[str, Any], gpus: int) -> dict[str, Any]:
    """Give a backend's arguments for a model on so many GPUs of one process.

    vLLM and SGLang are told how many, unless they are; of lm-eval's hf it is asked that the
    arguments say how the model is split.

    Args:
        backend: lm-eval's name.
        args: as they are given.
        gpus: 0: the CPU.

    Raises:
        ConfigError: the arguments say otherwise, or the backend or the model cannot do this.

    >>> parallel_args("vllm", {"pretrained": "name/on-the-hub"}, 4)["tensor_parallel_size"]
    4
    """
    if gpus < 0:
        raise ConfigError(f"--gpus-per-worker must be 0 or more, got {gpus}")
    if backend in SPLIT_BY:
        return _split(backend, args, gpus)
    if gpus <= 1:
        return dict(args)
    if backend not in HF_BACKENDS:
        known = ", ".join(sorted({*HF_BACKENDS, *SPLIT_BY}))
        raise ConfigError(
            f"--gpus-per-worker {gpus}: --model {backend} puts a model on one GPU; give 1, or one "
            f"of {known}"
        )
    if str(args.get("parallelize")).lower() not in TRUE and not args.get("device_map"):
        raise ConfigError(
            f"--gpus-per-worker {gpus}: --model {backend} would use one of them; add "
            "parallelize=True (or device_map=auto) to --model-args, or give 1"
        )
    return dict(args)


def _split(backend: str, args: Mapping[str, Any], gpus: int) -> dict[str, Any]:
    split, copies = SPLIT_BY[backend]
    wanted = max(gpus, 1)
    if int(args.get(copies, 1)) != 1:
        raise ConfigError(
            f"{copies}={args[copies]}: the workers are the copies; leave it out, and give --workers"
        )
    if int(args.get(split, wanted)) != wanted:
        raise ConfigError(
            f"{split}={args[split]} and --gpus-per-worker {gpus} disagree; leave one of them out"
        )
    _check_heads(args, wanted)
    told = {**args, split: wanted}
    if backend == "vllm" and wanted > 1:  # its processes are the worker's: Ray's would want GPUs
        told.setdefault("distributed_executor_backend", "mp")
    return told


def _check_heads(args: Mapping[str, Any], gpus: int) -> None:
    """Refuse a split that leaves attention heads over, where a local folder tells."""
    file = Path(str(args.get("pretrained"))) / "config.json"
    if gpus == 1 or not file.is_file():
        return
    try:
        heads = json.loads(file.read_text(encoding="utf-8")).get("num_attention_heads")
    except (OSError, ValueError, AttributeError) as err:
        raise ConfigError(f"{file}: cannot be read as a model's configuration: {err}") from err
    if isinstance(heads, int) and heads % gpus:
        raise ConfigError(
            f"--gpus-per-worker {gpus}: the model's {heads} attention heads cannot be shared by "
            f"{gpus} GPUs; give a number that divides {heads}"
        )
