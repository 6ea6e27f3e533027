"""The prompts of a method: a YAML file in `prompts/`, checked when it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from harness.checks.case import Prompt
from harness.errors import ConfigError
from harness.prompts import build_prompt

FOLDER = Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class Prompts:
    """Prompts by stage; `digest` is that of their file."""

    stages: Mapping[str, Prompt]
    digest: str

    def __getitem__(self, stage: str) -> Prompt:
        return self.stages[stage]


def read_prompts(name: str, slots: Mapping[str, Sequence[str]], folder: Path = FOLDER) -> Prompts:
    """Read a file of prompts.

    Args:
        name: of the file, without its end.
        slots: stage -> what its prompt may show.
        folder: where the file is.

    Raises:
        ConfigError: there is no such file, or a prompt is missing, unknown or does not render.
    """
    file = folder / f"{name}.yaml"
    try:
        content = file.read_bytes()
        told = yaml.safe_load(content)
    except (OSError, yaml.YAMLError) as err:
        raise ConfigError(f"{file}: cannot be read: {err}") from err
    if not isinstance(told, dict) or set(told) != set(slots):
        raise ConfigError(f"{file}: must hold a prompt for each of {', '.join(slots)}, and no more")
    try:
        stages = {stage: build_prompt(stage, told[stage], slots[stage]) for stage in slots}
    except (ConfigError, KeyError, TypeError) as err:
        raise ConfigError(f"{file}: {err}") from err
    return Prompts(stages, hashlib.sha256(content).hexdigest())
