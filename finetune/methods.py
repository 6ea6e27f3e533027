"""The methods: what they are called, and what of a recipe is theirs. Their modules do the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from finetune.recipe import Data, EcSftData, GrathData, Name

Config = Literal["DPOConfig", "SFTConfig"]


@dataclass(frozen=True, kw_only=True)
class Method:
    """What is known of a method without doing anything.

    Attributes:
        title: for people.
        paper: where it was published.
        data: the kind of its recipes' `data`.
        config: TRL's config class, which takes `trainer`.
        chooses_rate: whether it chooses among learning rates by the loss on rows kept for that.
    """

    title: str
    paper: str
    data: type[Data]
    config: Config
    chooses_rate: bool = False


METHODS: Mapping[Name, Method] = {
    "grath": Method(title="GRATH", paper="arXiv:2401.12292", data=GrathData, config="DPOConfig"),
    "ec_sft": Method(
        title="explanation-consistency finetuning (EC-SFT)",
        paper="arXiv:2401.13986",
        data=EcSftData,
        config="SFTConfig",
        chooses_rate=True,
    ),
}
"""By the names that recipes have for them."""
