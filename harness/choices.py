"""The second request type: choices that are scored together.

The instances are those that lm-eval's own multiple-choice task builds, under another request type,
so that a backend may score a whole choice set at once. Importing this module adds the request
type to lm-eval's models.
"""

from __future__ import annotations

import logging
import math
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CachingLM

from harness import failures
from harness.backend import Backend
from harness.cache import ResponseCache
from harness.data import doc_hash
from harness.shared_prefixes import shared_prefixes

log = logging.getLogger(__name__)

REQUEST = "selfcheck_choices"
Score = tuple[float, bool]
FAILED: Score = (math.nan, False)


def answer_choices(lm: Any, requests: list[Instance]) -> list[Score]:
    """Score choices: log-likelihood of each continuation, and whether it is the greedy one.

    Equal (context, continuation) pairs are scored once. A NaN or infinite score fails its task:
    all scores of that task become NaN, and its other documents are not believed either. So does a
    backend that gives no log-likelihoods (chat servers).
    """
    with ResponseCache.default() as cache:
        backend = Backend(lm, cache)
        log.info("Scoring %d choices", len(requests))
        try:
            with shared_prefixes(backend.bare):
                told = backend.ask("loglikelihood", [request.args for request in requests])
        except NotImplementedError as err:
            return _refuse(requests, type(backend.bare).__name__, str(err))
    scores = [(float(score), bool(greedy)) for score, greedy in told]
    names = list(dict.fromkeys(str(request.task_name) for request in requests))
    broken = failures.report_all(names, _non_finite(requests, scores), backend.gather)
    return [
        FAILED if request.task_name in broken else score
        for request, score in zip(requests, scores, strict=True)
    ]


def _refuse(requests: list[Instance], backend: str, reason: str) -> list[Score]:
    for name in dict.fromkeys(str(request.task_name) for request in requests):
        failures.report(name, f"{backend} gives no log-likelihoods of choices: {reason}")
    return [FAILED] * len(requests)


def _non_finite(requests: list[Instance], scores: list[Score]) -> dict[str, tuple[int, str]]:
    first: dict[str, tuple[int, str]] = {}
    for request, (score, _) in zip(requests, scores, strict=True):
        if not math.isfinite(score) and request.task_name not in first:
            number = request.doc_id or 0
            first[str(request.task_name)] = (
                number,
                f"document {number} ({doc_hash(request.doc)[:12]}), choice {request.idx}: the "
                f"model's score is {score}; the checkpoint is broken (diverged training, or a "
                "dtype that overflows)",
            )
    return first


for _model in (LM, CachingLM):
    setattr(_model, REQUEST, answer_choices)
