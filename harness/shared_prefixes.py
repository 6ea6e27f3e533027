"""lm-eval's HF models score many continuations of shared prefixes at once, where that is exact.

In place of the model's `_loglikelihood_tokens`, behind its own `loglikelihood`: so tokens, the
boundary of context and continuation, and caches are lm-eval's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from tqdm import tqdm

from harness.causal import Causal, UnpackableError
from harness.continuations import Continuation, Score, score
from harness.memory import limits_for
from harness.prefix import Limits
from harness.proof import prove

log = logging.getLogger(__name__)

Encoded = tuple[tuple[str, str], list[int], list[int]]


@contextmanager
def shared_prefixes(lm: Any) -> Iterator[None]:
    """Have a model compute shared prefixes once, for a while.

    Models of other backends, and those for which it would not be exact, go on as they are; a line
    in the log says which and why.

    Args:
        lm: a bare lm-eval model.
    """
    from lm_eval.models.huggingface import HFLM

    if not isinstance(lm, HFLM):
        yield
        return
    own = vars(lm).get("_loglikelihood_tokens")
    one_by_one = lm._loglikelihood_tokens

    def score_tokens(requests: Sequence[Encoded], **options: Any) -> list[Score]:
        return _score(lm, requests, one_by_one, options)

    lm._loglikelihood_tokens = score_tokens
    try:
        yield
    finally:
        del lm._loglikelihood_tokens
        if own is not None:
            lm._loglikelihood_tokens = own


def _score(
    lm: Any, requests: Sequence[Encoded], one_by_one: Any, options: Mapping[str, Any]
) -> list[Score]:
    places: dict[Continuation, list[int]] = {}
    for place, (_, context, continuation) in enumerate(requests):
        if context and 0 < len(continuation) <= lm.max_length:  # lm-eval refuses others
            asked = Continuation.cut(context, continuation, lm.max_length)
            places.setdefault(asked, []).append(place)
    silent = lm.rank != 0 or bool(options.get("disable_tqdm"))
    scores: dict[int, Score] = {}
    with tqdm(total=len(requests), disable=silent, desc="Scoring choices") as bar:
        try:
            for asked, told in _shared(lm, list(places)):
                for place in places[asked]:
                    scores[place] = told
                    if requests[place][0] is not None:
                        lm.cache_hook.add_partial("loglikelihood", requests[place][0], told)
                bar.update(len(places[asked]))
        except UnpackableError as reason:
            log.warning("Prefixes are not shared, choices are scored one by one: %s", reason)
    rest = [place for place in range(len(requests)) if place not in scores]
    if rest:
        told = one_by_one([requests[place] for place in rest], **options)
        scores.update(zip(rest, told, strict=True))
    return [scores[place] for place in range(len(requests))]


def _shared(lm: Any, asked: list[Continuation]) -> Iterator[tuple[Continuation, Score]]:
    """Score continuations; after memory ran out, what is left, with half as much at once.

    Raises:
        UnpackableError: this model cannot; what was given by then is right.
    """
    if not asked:
        return
    causal, limits = _prepare(lm, asked)
    with causal.masked_attention():
        left = dict.fromkeys(asked)
        while left:
            if limits is None:
                raise UnpackableError("memory runs out even with one token at a time")
            some = list(left)
            try:
                for place, told in score(causal, some, limits):
                    del left[some[place]]
                    yield some[place], _total(told)
            except torch.AcceleratorError:  # the device no longer works
                raise
            except RuntimeError as err:
                if not should_reduce_batch_size(err):
                    raise _failing(err) from err
                limits = limits.halved()
                log.warning("Out of memory; on with %s", limits)
            clear_device_cache()


def _prepare(lm: Any, asked: list[Continuation]) -> tuple[Causal, Limits | None]:
    """Take a model; whatever goes wrong here, lm-eval's own way is left.

    Raises:
        UnpackableError: this model cannot; a device that no longer works has its own error.
    """
    try:
        causal = Causal.of(lm, max(len(one.tokens) for one in asked))
        prove(causal, asked)
        return causal, limits_for(causal)
    except (UnpackableError, torch.AcceleratorError):
        raise
    except Exception as err:
        raise _failing(err) from err


def _failing(err: Exception) -> UnpackableError:
    return UnpackableError(f"a packed pass fails: {type(err).__name__}: {err}")


def _total(told: list[Score]) -> Score:
    return sum(value for value, _ in told), all(likeliest for _, likeliest in told)
