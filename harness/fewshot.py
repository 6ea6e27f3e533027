"""Few-shot examples that depend on the document alone, not on those built before it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from lm_eval.api.samplers import ContextSampler

from harness.errors import DataError

ORDERS = ("document", "stock")


class Shown(ContextSampler):  # type: ignore[misc]
    """A sampler of lm-eval that gives the examples it was made with."""

    def sample(self, n: int, *_: Any, **__: Any) -> Sequence[dict[str, Any]]:
        """Give the examples."""
        return list(self.df)


def draw_examples(
    pool: Sequence[dict[str, Any]], shots: int, seed: str, in_order: bool
) -> list[dict[str, Any]]:
    """Take examples from a pool: its first ones (in_order), or a seeded draw.

    Raises:
        DataError: there are too few.
    """
    if len(pool) < shots:
        raise DataError(f"{shots} few-shot examples are wanted, there are {len(pool)}")
    return list(pool[:shots]) if in_order else random.Random(seed).sample(list(pool), shots)
