"""Print how far our TruthfulQA scores are from stock lm-eval's, document by document, as Markdown.

SELFCHECK_DATA=... python -m tests.benchmarks.truthfulqa_parity [DOCUMENTS]
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
from harness.selection import build_manager
from tests.stock import stock_truthfulqa
from tests.tiny import save_tiny_gpt2, save_tiny_t5


def compare(lm: Any, name: str, file: Path, limit: int) -> tuple[float, float, float, int]:
    """Give our score, stock's, the largest difference without ties, and the number of ties."""
    task = f"selfcheck_truthfulqa_{name}"
    told = simple_evaluate(lm, tasks=[task], task_manager=build_manager(), limit=limit)
    assert told is not None
    pairs = list(zip(told["samples"][task], stock_truthfulqa(lm, name, file, limit), strict=True))
    gaps = [abs(ours["acc"] - theirs["acc"]) for ours, theirs in pairs if not ours["ties"]]
    means = [sum(side["acc"] for side in sides) / len(pairs) for sides in zip(*pairs, strict=True)]
    return means[0], means[1], max(gaps), len(pairs) - len(gaps)


def main() -> None:
    limit = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    folder = Path(os.environ["SELFCHECK_DATA"])
    file = folder / "truthfulqa__truthful_qa" / "multiple_choice" / "validation.jsonl"
    scratch = Path(tempfile.mkdtemp())
    models = {
        "demonstration model": demo_model(),
        "tiny random GPT-2": save_tiny_gpt2(scratch / "gpt2"),
        "tiny random T5": save_tiny_t5(scratch / "t5"),
    }
    print("| model, float32 | task | documents | ours | stock | largest difference | ties |")
    print("|---|---|---|---|---|---|---|")
    for model, path in models.items():
        lm = HFLM(str(path), device="cpu", dtype="float32", batch_size=8)
        for name in ("mc1", "mc2"):
            ours, theirs, gap, ties = compare(lm, name, file, limit)
            print(
                f"| {model} | {name} | {limit} | {ours:.4f} | {theirs:.4f} | {gap:.1e} | {ties} |"
            )


if __name__ == "__main__":
    main()
