"""Print which architectures of the installed transformers share prefixes, and how exactly.

python -m tests.benchmarks.architectures [KIND ...]

Tiny random decoders in float32, scored both ways; those that cannot be built so small by themselves
are named. Ends with status 1 if a score is wrong.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator

import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from tests.architectures import as_lm, tiny_config, tiny_model
from tests.integration.test_shared_prefixes import ask_both

LARGEST = 5_000_000  # parameters
TOLERANCE = 1e-3


class Reasons(logging.Handler):
    """Keeps why prefixes were not shared."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage().partition("one by one: ")[2])


def examine(kind: str) -> tuple[str, str]:
    """Say what happens (shared, refused, WRONG, not built), and the difference or the reason."""
    try:
        config = tiny_config(kind)
        with torch.device("meta"):
            size = AutoModelForCausalLM.from_config(config).num_parameters()
        if size > LARGEST:
            return "not built", "not tiny"
        model = tiny_model(config)
    except Exception as err:
        return "not built", f"{type(err).__name__}"
    reasons = Reasons()
    logger = logging.getLogger("harness")
    logger.addHandler(reasons)
    try:
        ours, stock = ask_both(as_lm(model))
    except Exception as err:
        return "not built", f"does not score by itself: {type(err).__name__}"
    finally:
        logger.removeHandler(reasons)
    gap = max(abs(a[0] - b[0]) for a, b in zip(ours, stock, strict=True))
    greedy = sum(a[1] != b[1] for a, b in zip(ours, stock, strict=True))
    if not gap <= TOLERANCE or greedy:
        return "WRONG", f"{gap:.1e}, {greedy} other greedy"
    return ("refused", reasons.told[0]) if reasons.told else ("shared", f"{gap:.1e}")


def examine_all(kinds: list[str]) -> Iterator[tuple[str, str, str]]:
    for kind in kinds:
        yield kind, *examine(kind)


def main() -> None:
    warnings.simplefilter("ignore")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    print("| architecture | prefixes | largest difference, or why not |\n|---|---|---|")
    wrong = 0
    for kind, what, why in examine_all(sys.argv[1:] or sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)):
        print(f"| {kind} | {what} | {why[:120]} |", flush=True)
        wrong += what == "WRONG"
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
