"""The methods: what they are called, and what of a recipe is theirs. Their modules do the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from finetune.recipe import (
    Architecture,
    Data,
    DistillData,
    EcSftData,
    GrathData,
    LaffiData,
    Name,
    Recipe,
)

Config = Literal["DPOConfig", "SFTConfig", "Seq2SeqTrainingArguments"]


@dataclass(frozen=True, kw_only=True)
class Method:
    """What is known of a method without doing anything.

    Attributes:
        title: for people.
        paper: where it was published.
        data: the kind of its recipes' `data`.
        configs: architecture that it can train -> the config class that takes `trainer`: TRL's,
            or transformers' own.
        chooses_rate: whether it chooses among learning rates by the loss on rows kept for that.
        compares: whether its trainings are on the same documents, for as many steps.
    """

    title: str
    paper: str
    data: type[Data]
    configs: Mapping[Architecture, Config]
    chooses_rate: bool = False
    compares: bool = False


METHODS: Mapping[Name, Method] = {
    "grath": Method(
        title="GRATH",
        paper="arXiv:2401.12292",
        data=GrathData,
        configs={"causal": "DPOConfig"},
    ),
    "ec_sft": Method(
        title="explanation-consistency finetuning (EC-SFT)",
        paper="arXiv:2401.13986",
        data=EcSftData,
        configs={"causal": "SFTConfig"},
        chooses_rate=True,
    ),
    "laffi": Method(
        title="learning from natural-language feedback (LaFFi)",
        paper="arXiv:2401.00907",
        data=LaffiData,
        configs={"causal": "SFTConfig"},
        compares=True,
    ),
    "distill": Method(
        title="explanation distillation",
        paper="arXiv:2210.06726",
        data=DistillData,
        configs={"causal": "SFTConfig", "seq2seq": "Seq2SeqTrainingArguments"},
        compares=True,
    ),
}
"""By the names that recipes have for them."""


def config_of(recipe: Recipe) -> Config:
    """Name the config class that takes the recipe's `trainer`."""
    return METHODS[recipe.method].configs[recipe.model.architecture]
