"""Print how often choices rank otherwise in bfloat16, ours and stock lm-eval's, as Markdown.

SELFCHECK_DATA=... python -m tests.benchmarks.choices_bfloat16 [--documents 100]

TruthfulQA MC1 with the demonstration model on the CPU. Stock disagrees with itself between batch
sizes; ours must not disagree with it by more, nor with float32.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from itertools import combinations

from lm_eval.models.huggingface import HFLM

from harness.choices import answer_choices
from harness.demo import demo_model
from tests.benchmarks.choices import Requests, choose_requests, stock

Scores = list[tuple[float, bool]]
FULL = "stock, batch size 8, float32"


def rank(requests: Requests, scores: Scores) -> list[int]:
    """Give the best choice of every document of every task."""
    sets: dict[tuple[str | None, int | None], list[float]] = defaultdict(list)
    for request, (score, _) in zip(requests, scores, strict=True):
        sets[request.task_name, request.doc_id].append(score)
    return [max(range(len(told)), key=told.__getitem__) for told in sets.values()]


def score_all(requests: Requests) -> dict[str, Scores]:
    found = {
        FULL: stock(HFLM(str(demo_model()), device="cpu", dtype="float32", batch_size=8), requests)
    }
    for size in (1, 8, 32):
        lm = HFLM(str(demo_model()), device="cpu", dtype="bfloat16", batch_size=size)
        found[f"stock, batch size {size}"] = stock(lm, requests)
    found["ours"] = answer_choices(lm, requests)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100)
    told = parser.parse_args()
    name, requests = choose_requests("TruthfulQA MC1 + MC2", told.documents)
    found = score_all(requests)
    ranks = {side: rank(requests, scores) for side, scores in found.items()}
    print(f"{name}, {len(ranks[FULL])} choice sets, {len(requests)} choices, bfloat16\n")
    print("| one | other | other best choice | root mean square of differences |")
    print("|---|---|---|---|")
    for one, other in combinations(found, 2):
        differ = sum(a != b for a, b in zip(ranks[one], ranks[other], strict=True))
        squares = [(a[0] - b[0]) ** 2 for a, b in zip(found[one], found[other], strict=True)]
        print(f"| {one} | {other} | {differ} | {(sum(squares) / len(squares)) ** 0.5:.3f} |")


if __name__ == "__main__":
    main()
