"""What a model's `loglikelihood` gives for contexts and continuations, and how much it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from lm_eval.api.instance import Instance


def score_pairs(lm: Any, pairs: Iterable[tuple[str, str]]) -> list[tuple[float, bool]]:
    requests = [
        Instance("loglikelihood", doc={}, arguments=pair, idx=0, metadata=("", 0, 1))
        for pair in pairs
    ]
    return lm.loglikelihood(requests, disable_tqdm=True)


@contextmanager
def counted_tokens(lm: Any) -> Iterator[list[int]]:
    """Keep how many tokens, padding included, go into the model in each pass."""
    read: list[int] = []

    def add(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        read.append((kwargs["input_ids"] if "input_ids" in kwargs else args[0]).numel())

    hook = lm.model.register_forward_pre_hook(add, with_kwargs=True)
    try:
        yield read
    finally:
        hook.remove()
