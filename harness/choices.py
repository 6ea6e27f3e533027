"""The second request type: choices that are scored together.

The instances are those that lm-eval's own multiple-choice task builds, under another request type,
so that a backend may score a whole choice set at once. Importing this module adds the request
type to lm-eval's models.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CachingLM

from harness import failures
from harness.backend import Backend, is_cut
from harness.cache import ResponseCache

log = logging.getLogger(__name__)

REQUEST = "selfcheck_choices"
Score = tuple[float, bool]
FAILED: Score = (math.nan, False)


@dataclass
class ChoiceInstance(Instance):  # type: ignore[misc]
    """One choice of a document: (context, continuation)."""

    cut: int = 0


def answer_choices(lm: Any, requests: list[ChoiceInstance]) -> list[Score]:
    """Score choices: log-likelihood of each continuation, and whether it is the greedy one.

    Equal (context, continuation) pairs are scored once. A NaN or infinite score fails its task:
    all scores of that task become NaN, and its other documents are not believed either.
    """
    with ResponseCache.default() as cache:
        backend = Backend(lm, cache)
        log.info("Scoring %d choices", len(requests))
        told = backend.ask("loglikelihood", [request.args for request in requests])
    scores = [(float(score), bool(greedy)) for score, greedy in told]
    _count_cuts(lm, requests)
    broken = _broken_tasks(backend, requests, scores)
    return [
        FAILED if request.task_name in broken else score
        for request, score in zip(requests, scores, strict=True)
    ]


def _broken_tasks(
    backend: Backend, requests: list[ChoiceInstance], scores: list[Score]
) -> set[str | None]:
    first: dict[str | None, str] = {}
    for request, (score, _) in zip(requests, scores, strict=True):
        if not math.isfinite(score):
            first.setdefault(
                request.task_name,
                f"document {request.doc_id}, choice {request.idx}: the model's score is {score}; "
                "the checkpoint is broken (diverged training, or a dtype that overflows)",
            )
    names = list(dict.fromkeys(request.task_name for request in requests))
    flags = backend.gather([int(name in first) for name in names])
    broken = {name for place, name in enumerate(names) if any(flags[place :: len(names)])}
    for name in broken:
        failures.report(str(name), first.get(name, "on another rank"))
    return broken


def _count_cuts(lm: Any, requests: list[ChoiceInstance]) -> None:
    for request in {id(request): request for request in requests}.values():
        request.cut = int(bool(is_cut(lm, "loglikelihood", request.args)))
    count = sum(request.cut for request in {id(r): r for r in requests}.values())
    if count:
        log.warning("%d choices were longer than the context and lost their start", count)


for _model in (LM, CachingLM):
    setattr(_model, REQUEST, answer_choices)
