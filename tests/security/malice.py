"""Files that do something as they are read: make a file, `canary`."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any


class Payload:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.canary),)


def spoil(file: Path, canary: Path) -> Path:
    """Write a pickle as `torch.save` would, which makes the canary."""
    import torch

    torch.save({"weight": Payload(canary)}, file)
    return file


def goes_off(file: Path) -> None:
    """Load a spoilt file as an unwary program does."""
    import torch

    torch.load(file, weights_only=False)


def with_pickle(model: Path, name: str = "pytorch_model.bin") -> Path:
    """Put a sound pickle in the place of a model's safetensors; give it."""
    import torch
    from safetensors.torch import load_file

    weights = model / "model.safetensors"
    torch.save(load_file(weights), model / name)
    weights.unlink()
    return model / name


def with_code(model: Path, canary: Path) -> Path:
    """Let a model's repository bring its own classes, whose file makes the canary."""
    (model / "evil.py").write_text(
        "import os\nfrom transformers import GPT2Config, GPT2LMHeadModel\n"
        f"os.makedirs({str(canary)!r}, exist_ok=True)\n"
        "class EvilConfig(GPT2Config):\n    model_type = 'evil'\n"
        "class EvilModel(GPT2LMHeadModel):\n    config_class = EvilConfig\n"
    )
    file = model / "config.json"
    own = {"AutoConfig": "evil.EvilConfig", "AutoModelForCausalLM": "evil.EvilModel"}
    told = {**json.loads(file.read_text()), "model_type": "evil", "auto_map": own}
    file.write_text(json.dumps(told))
    return model


def pickled(canary: Path) -> bytes:
    """Give a plain pickle that makes the canary."""
    return pickle.dumps(Payload(canary))
