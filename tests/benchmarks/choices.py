"""Print how much faster choices are scored than by stock lm-eval, and how equally, as Markdown.

SELFCHECK_DATA=... python -m tests.benchmarks.choices [--documents 40] [--help]

Both sides get the same requests, without controls, in turns: stock `loglikelihood` at the batch
size, and ours. Without SELFCHECK_DATA: on the sample tasks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from harness.choices import answer_choices
from harness.continuations import Continuation
from harness.demo import demo_model
from harness.errors import MissingDataError
from harness.prefix import Trie
from harness.selection import build_manager
from tests.benchmarks.random_model import random_model
from tests.likelihood import counted_tokens, score_pairs

SETS = {
    "TruthfulQA MC1 + MC2": (
        ["selfcheck_truthfulqa_mc1", "selfcheck_truthfulqa_mc2"],
        ["sample_truthfulness_mc1", "sample_truthfulness_mc2"],
    ),
    "ARC-Challenge, 25 shots": (["retention_arc_challenge"], ["bench_rationales_25_shots"]),
    "OpenBookQA": (["bench_openbookqa"], ["bench_rationales"]),
}
Requests = list[Instance]


def build_requests(names: list[str], documents: int) -> Requests:
    """Build the requests of the first documents of some tasks, without their controls."""
    folder = Path(__file__).parent / "tasks"
    tasks = build_manager([folder]).load(names)["tasks"]
    built = []
    for name, task in tasks.items():
        share = 2 if "lift" in task.file.metrics else 1
        for number, doc in enumerate(list(task.eval_docs)[:documents]):
            asked = task.requests(doc, (name, number, 1))
            built += asked[: len(asked) // share]
    return built


def choose_requests(name: str, documents: int) -> tuple[str, Requests]:
    real, samples = SETS[name]
    try:
        return name, build_requests(real, documents)
    except MissingDataError:
        return f"{name}: sample instead", build_requests(samples, documents)


def describe_trie(lm: Any, requests: Requests) -> tuple[int, float]:
    """Count the tokens of the trie, and the operations that they take without any repetition."""
    pairs = dict.fromkeys(request.args for request in requests)
    asked = [Continuation.cut(*lm._encode_pair(*pair), lm.max_length) for pair in pairs]
    trie = Trie(one.tokens for one in asked)
    number = {sequence: place for place, sequence in enumerate(trie.sequences)}
    scored = {
        node
        for one in asked
        for node in trie.path(number[one.tokens], len(one.tokens) - len(one.targets))
    }
    config = lm.model.config
    ends = (lm.model.get_input_embeddings(), lm.model.get_output_embeddings())
    outside = {id(module.weight) for module in ends}
    matrices = [p for p in lm.model.parameters() if p.dim() == 2 and id(p) not in outside]
    attended = float((trie.depth[:-1] + 1).sum())
    width = config.num_attention_heads * (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    return len(trie), (
        2.0 * len(trie) * sum(p.numel() for p in matrices)
        + 2.0 * len(scored) * config.vocab_size * config.hidden_size
        + 4.0 * attended * width * config.num_hidden_layers
    )


def measure_products(device: str, dtype: torch.dtype, repeats: int = 8) -> float:
    """Measure matrix products: the best rate, in operations per second."""
    size = 2048 if device == "cpu" else 8192
    one = torch.randn(size, size, device=device).to(dtype)
    best = 0.0
    for _ in range(repeats):
        seconds, _ = timed(lambda: one @ one, device)
        best = max(best, 2 * size**3 / seconds)
    return best


def timed(action: Callable[[], Any], device: str) -> tuple[float, Any]:
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    told = action()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start, told


def stock(lm: Any, requests: Requests) -> list[tuple[float, bool]]:
    return score_pairs(lm, [request.args for request in requests])


def compare(lm: Any, name: str, requests: Requests, rounds: int, device: str) -> None:
    sides = {"stock": stock, "ours": answer_choices}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    tokens, scores = {}, {}
    rates = [measure_products(device, lm.model.dtype)]
    for _ in range(rounds):
        for side, score in sides.items():
            with counted_tokens(lm) as read:
                took, scores[side] = timed(lambda: score(lm, requests), device)  # noqa: B023
            seconds[side].append(took)
            tokens[side] = sum(read)
        rates.append(measure_products(device, lm.model.dtype))
    gaps = [abs(a[0] - b[0]) for a, b in zip(*scores.values(), strict=True)]
    greedy = sum(a[1] != b[1] for a, b in zip(*scores.values(), strict=True))
    size, operations = describe_trie(lm, requests)
    ratios = sorted(a / b for a, b in zip(*seconds.values(), strict=True))
    share = operations / min(seconds["ours"]) / max(rates)
    print(
        f"| {name} | {len(requests)} | {min(seconds['stock']):.1f} | {min(seconds['ours']):.1f} | "
        f"{ratios[0]:.1f} to {ratios[-1]:.1f} | {tokens['stock']} | {tokens['ours']} | {size} | "
        f"{max(gaps):.1e} | {greedy} | {max(rates) / 1e9:.0f} | {share:.0%} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=40, help="of TruthfulQA and OpenBookQA")
    parser.add_argument("--shots-documents", type=int, default=8, help="of ARC-Challenge")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=8, help="of stock lm-eval")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--random", help="billions of parameters of a random model, e.g. 1 or 7")
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    told = parser.parse_args()
    settings = {"device": told.device, "dtype": told.dtype, "batch_size": told.batch_size}
    if told.random:
        lm = random_model(float(told.random), demo_model(), **settings)
    else:
        lm = HFLM(str(demo_model()), **settings)
    print(
        "| choice sets | requests | stock, s | ours, s | ratio | tokens, stock | tokens, ours | "
        "tokens, trie | largest difference | other greedy | matrix products, GFLOP/s | share |"
    )
    print("|" + "---|" * 12)
    for name in told.sets:
        documents = told.shots_documents if "shots" in name else told.documents
        compare(lm, *choose_requests(name, documents), told.rounds, told.device)


if __name__ == "__main__":
    main()
