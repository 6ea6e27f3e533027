"""Print how far our ARC-Challenge is from stock lm-eval's, as Markdown.

SELFCHECK_DATA=... python -m tests.benchmarks.retention_parity [DOCUMENTS]

Without a number: the whole split with a tiny random model; with one: so many documents with the
demonstration model. In stock order the examples are lm-eval's own, and every document must agree;
in document order they are others, and only the means can be compared.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM

from harness.demo import demo_model
from harness.selection import build_manager, draw_subset
from tests.stock import read_rows, stock_samples
from tests.tiny import save_tiny_gpt2

TASK, SHOTS = "retention_arc_challenge", 25
METRICS = ("acc", "acc_norm")


def ours(lm: Any, order: str, places: list[int] | None) -> list[dict[str, Any]]:
    """Evaluate our task in that order of examples."""
    samples = None if places is None else {TASK: places}
    manager = build_manager(metadata={"fewshot_order": order})
    told = simple_evaluate(lm, tasks=[TASK], task_manager=manager, samples=samples)
    assert told is not None
    return list(told["samples"][TASK])


def stock(lm: Any, places: list[int] | None) -> list[dict[str, Any]]:
    """Evaluate lm-eval's own task."""
    folder = Path(os.environ["SELFCHECK_DATA"]) / "allenai__ai2_arc" / "ARC-Challenge"
    splits = {split: read_rows(folder / f"{split}.jsonl") for split in ("train", "test")}
    samples = None if places is None else {"arc_challenge": places}
    return stock_samples(lm, "arc/arc_challenge.yaml", splits, num_fewshot=SHOTS, samples=samples)


def main() -> None:
    limit = int(sys.argv[1]) if len(sys.argv) > 1 else None
    path = demo_model() if limit else save_tiny_gpt2(Path(tempfile.mkdtemp()))
    lm = HFLM(str(path), device="cpu", dtype="float32", batch_size=8)
    task = build_manager().load([TASK])["tasks"][TASK]
    places = draw_subset(task.split.hashes, limit, 0) if limit else None
    theirs = stock(lm, places)
    print(f"| {path.name}, float32 | metric | documents | ours | stock | differ | ties |")
    print("|---|---|---|---|---|---|---|")
    for order in ("document",) if limit else ("stock", "document"):
        pairs = list(zip(ours(lm, order, places), theirs, strict=True))
        untied = [(our, their) for our, their in pairs if not our["ties"]]
        for metric in METRICS:
            columns = zip(*((our[metric], their[metric]) for our, their in pairs), strict=True)
            means = [sum(column) / len(pairs) for column in columns]
            differ = sum(abs(our[metric] - their[metric]) > 1e-4 for our, their in untied)
            ties = len(pairs) - len(untied)
            print(
                f"| {order} order | {metric} | {len(pairs)} | {means[0]:.4f} | {means[1]:.4f} "
                f"| {differ} of {len(untied)} | {ties} |"
            )


if __name__ == "__main__":
    main()
