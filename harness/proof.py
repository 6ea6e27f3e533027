"""Scores of shared prefixes are believed if a few sequences score the same without sharing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from harness.causal import Causal, UnpackableError
from harness.continuations import Continuation, score
from harness.prefix import Limits, Trie

EXACT = (1e-4, 1e-5)  # float32: difference of sums, absolute and relative
NOISE = 3.0  # below float32: how many times the noise of padding, and how many roundings beside it
ROUNDINGS = 8

# Below float32 a small fault would drown in rounding. There only architectures are packed that
# tests/integration/test_shared_prefixes.py shows to be exact in float32.
SHOWN = frozenset(
    """
    apertus arcee biogpt bitnet cohere cohere2 deepseek_v2 deepseek_v3 ernie4_5 ernie4_5_moe
    exaone4 falcon gemma gemma2 gemma3 gemma3_text gemma4_text glm glm4 glm4_moe gpt2
    gpt_bigcode gpt_neox gpt_oss gptj granite granitemoe helium hunyuan_v1_dense
    hunyuan_v1_moe internlm3 llama minimax_m2 ministral ministral3 mistral mixtral nemotron
    olmo olmo2 olmo3 olmoe opt phi phi3 phimoe qwen2 qwen2_moe qwen3 qwen3_moe seed_oss
    smollm3 stablelm starcoder2 xglm
    """.split()
)


def prove(causal: Causal, asked: Sequence[Continuation]) -> None:
    """Score a few of these both ways: two that share most, one before them, and the longest.

    Raises:
        UnpackableError: the scores differ, or the model fails.
    """
    sample, shared = _choose(asked)
    longest = max(len(one.tokens) for one in sample)
    cuts = Limits(  # small, so that there are prefixes of their own, side by side, with padding
        row=max(1, shared // 4), trunk=max(1, shared // 8), batch=2 * longest, keys=8 * longest
    )
    alone = [_plain(causal.lm, [one])[0] for one in sample]
    try:
        with causal.masked_attention():
            told = dict(score(causal, sample, cuts))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as err:
        raise UnpackableError(f"a packed pass fails: {type(err).__name__}: {err}") from err
    packed = [torch.tensor([value for value, _ in told[place]]) for place in range(len(sample))]
    if _is_exact(causal.lm):
        _compare_sums(packed, alone)
        return
    kind = causal.lm.model.config.model_type
    if kind not in SHOWN:
        raise UnpackableError(f"{kind} has not been shown to be exact, and cannot be below float32")
    _compare_noise(packed, alone, _plain(causal.lm, sample), torch.finfo(causal.dtype).eps)


def _choose(asked: Sequence[Continuation]) -> tuple[list[Continuation], int]:
    """Choose up to four, and tell how many tokens the two that share most have in common."""
    trie = Trie(one.tokens for one in asked)
    of = {one.tokens: one for one in asked}
    order = [of[sequence] for sequence in trie.sequences]
    most = max(range(len(order)), key=lambda place: trie.shared[place])
    longest = max(range(len(order)), key=lambda place: len(order[place].tokens))
    places = {max(0, most - 2), max(0, most - 1), most, longest}
    return [order[place] for place in sorted(places)], trie.shared[most]


def _is_exact(lm: Any) -> bool:
    if lm.mixed_precision_dtype or any(
        weight.dtype not in (torch.float32, torch.float64) for weight in lm.model.parameters()
    ):
        return False
    return lm.device.type != "cuda" or torch.get_float32_matmul_precision() == "highest"


def _plain(lm: Any, asked: Sequence[Continuation]) -> list[Tensor]:
    """Score sequences side by side, padded on the right, as lm-eval does."""
    width = max(len(one.tokens) for one in asked)
    rows = [[*one.tokens, *[0] * (width - len(one.tokens))] for one in asked]
    logits = lm._model_call(torch.tensor(rows, device=lm.device))
    scores = []
    for row, one in zip(logits, asked, strict=True):
        told = row[len(one.tokens) - len(one.targets) : len(one.tokens)]
        places = range(len(one.targets))
        scores.append(log_softmax(told, -1, dtype=torch.float32)[places, one.targets].cpu())
    return scores


def _compare_sums(packed: Sequence[Tensor], plain: Sequence[Tensor]) -> None:
    for ours, theirs in zip(packed, plain, strict=True):
        one, other = float(ours.sum()), float(theirs.sum())
        if math.isfinite(other) and not abs(one - other) <= EXACT[0] + EXACT[1] * abs(other):
            raise UnpackableError(f"a sequence scores {one:.6g} packed and {other:.6g} by itself")


def _compare_noise(
    packed: Sequence[Tensor], alone: Sequence[Tensor], padded: Sequence[Tensor], eps: float
) -> None:
    noise, found = _spread(padded, alone), _spread(packed, alone)
    if not found <= NOISE * noise + ROUNDINGS * eps:
        raise UnpackableError(
            f"log-probabilities of tokens differ by {found:.2g} when packed, and by {noise:.2g} "
            "when padded"
        )


def _spread(some: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    """Root mean square of the differences; where both are not finite there is none."""
    gaps = torch.cat(list(some)) - torch.cat(list(others))
    broken = ~torch.isfinite(torch.cat(list(others)))
    return float(gaps.masked_fill(broken, 0.0).square().mean().sqrt())
