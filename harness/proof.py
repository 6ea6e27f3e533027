"""Scores of shared prefixes are believed if a few sequences score the same without sharing."""

from __future__ import annotations

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
LOUDEST = 32  # roundings; a model that padding changes by more cannot be told from a wrong one
_ONE_ROW = Limits(row=Limits.row, trunk=Limits.row, batch=Limits.row, keys=Limits.row)

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
    """Score a few of these both ways: some that share most, the longest, and the shortest.

    Raises:
        UnpackableError: the scores differ, or the model fails at packed passes.
    """
    sample, side_by_side, cuts = _choose(asked)
    alone = [_plain(causal.lm, [one])[0] for one in sample]
    if not all(map(_is_finite, alone)):
        raise UnpackableError("a sequence has no finite score by itself")
    padded = None if _is_exact(causal.lm) else _padded(causal, sample)
    for places, limits in ((range(len(sample)), cuts), (side_by_side, _ONE_ROW)):
        packed = _packed(causal, [sample[place] for place in places], limits)
        theirs = [alone[place] for place in places]
        if padded is None:
            _compare_sums(packed, theirs)
        elif places:
            eps = torch.finfo(causal.dtype).eps
            _compare_noise(packed, theirs, _spread(padded, alone), eps)


def _choose(asked: Sequence[Continuation]) -> tuple[list[Continuation], list[int], Limits]:
    """Choose up to six; tell which of them to put side by side, and how to cut them all.

    Only sequences that fit into a row are ever side by side in one from their first token on: of
    these, two that share most, and the shortest. The cuts are so small that there are prefixes of
    their own, several at once, with padding.
    """
    trie = Trie(one.tokens for one in asked)
    of = {one.tokens: one for one in asked}
    order = [of[sequence] for sequence in trie.sequences]
    lengths = [len(one.tokens) for one in order]
    pairs = range(1, len(order))
    most = max(pairs, key=trie.shared.__getitem__, default=0)
    longest = max(range(len(order)), key=lengths.__getitem__)
    shortest = min(range(len(order)), key=lengths.__getitem__)
    fitting = [place for place in pairs if trie.size(place - 1, place + 1, 0) <= Limits.row]
    near = max(fitting, key=trie.shared.__getitem__, default=0)
    row = {near - 1, near, shortest} if near else set()
    places = sorted({max(0, most - 1), most, longest, *row})
    shared = max(1, trie.shared[most])
    cuts = Limits(
        row=max(1, shared // 4),
        trunk=max(1, shared // 8),
        batch=2 * lengths[longest],
        keys=16 * lengths[longest],
    )
    return [order[place] for place in places], [places.index(place) for place in row], cuts


def _padded(causal: Causal, sample: Sequence[Continuation]) -> list[Tensor]:
    kind = causal.lm.model.config.model_type
    if kind not in SHOWN:
        raise UnpackableError(f"{kind} has not been shown to be exact, and cannot be below float32")
    return _plain(causal.lm, sample)


def _packed(causal: Causal, sample: Sequence[Continuation], limits: Limits) -> list[Tensor]:
    with causal.masked_attention():
        told = dict(score(causal, sample, limits))
    return [torch.tensor([value for value, _ in told[place]]) for place in range(len(sample))]


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
        if not abs(one - other) <= EXACT[0] + EXACT[1] * abs(other):
            raise UnpackableError(f"a sequence scores {one:.6g} packed and {other:.6g} by itself")


def _compare_noise(
    packed: Sequence[Tensor], alone: Sequence[Tensor], noise: float, eps: float
) -> None:
    if not noise <= LOUDEST * eps:
        raise UnpackableError(f"its own scores change by {noise:.2g} a token when it is padded")
    found = _spread(packed, alone)
    if not found <= NOISE * noise + ROUNDINGS * eps:
        raise UnpackableError(
            f"log-probabilities of tokens differ by {found:.2g} when packed, and by {noise:.2g} "
            "when padded"
        )


def _spread(some: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    """Root mean square of the differences."""
    gaps = torch.cat(list(some)) - torch.cat(list(others))
    return float(gaps.square().mean().sqrt())


def _is_finite(scores: Tensor) -> bool:
    return bool(scores.isfinite().all())
