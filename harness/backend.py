"""One way to a language model for everything that is asked of it.

Behind lm-eval's own request methods, so that batching, chat templates and all backends are
lm-eval's. Added here: nothing is asked twice (within a run, or in an earlier one: the response
cache), every answer is kept as it arrives, ranks of a data-parallel run send batches of equal
length, `auto` batch size is settled once a run, and prompts that the backend will cut are counted.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import CacheHook

from harness.cache import AnswerHook, ResponseCache, request_key
from harness.errors import ModelError
from harness.models import fingerprint, is_server
from harness.questions import Answer
from harness.secrets import without_secrets
from harness.servers import BudgetSpentError, draws_at_random, guard

log = logging.getLogger(__name__)

CPU_BATCH_SIZE = 32
LONGEST_PROBE = 4096
TOKEN_LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
Args = tuple[Any, ...]


class Backend:
    """A language model, and all that it has answered in this run.

    Args:
        lm: any lm-eval model, also inside lm-eval's `CachingLM`.
        cache: where answers are kept between runs; used only for models that can be identified.
    """

    def __init__(self, lm: Any, cache: ResponseCache | None = None) -> None:
        self.lm = lm
        self.bare = getattr(lm, "lm", lm)
        self.cache = cache if cache is not None and self.fingerprint is not None else None
        self.known: dict[str, Any] = {}
        self._fresh = 0
        self._awaited: set[str] = set()
        settle_batch_size(self.bare)
        if is_server(self.bare):
            guard(self.bare)
        if getattr(self.bare, "backend", None) == "seq2seq":
            _limit_decoder(self.bare)

    @cached_property
    def fingerprint(self) -> str | None:
        """What identifies the model (`harness.models`); None: unknown."""
        return fingerprint(self.bare)

    def ask(self, kind: str, requests: Sequence[Args]) -> list[Any]:
        """Answer requests of one kind ("generate_until", "loglikelihood").

        Equal requests are answered once, except sampled ones, which are never shared or kept. On
        several ranks all must call this equally often: they send equal numbers of requests.

        Raises:
            ModelError: the model gave no answer to one of them; what was answered is kept.
        """
        keys = [self._key(kind, args) for args in requests]
        unasked = {
            key: args for key, args in zip(keys, requests, strict=True) if key not in self.known
        }
        cached = self._look_up(kind, list(unasked))
        self.known.update(cached)
        new = {key: args for key, args in unasked.items() if key not in cached}
        if keys:
            log.info(
                "  %d duplicates saved, %d answers from the cache, %d to ask",
                len(keys) - len(unasked), len(cached), len(new),
            )  # fmt: skip
        self._send(kind, new)
        answers = [self.known[key] for key in keys]
        for key in keys:
            if key.startswith("sampled"):
                self.known.pop(key, None)
        return answers

    def largest(self, number: int) -> int:
        """Give the largest of the numbers that the ranks hold."""
        return max(self.gather([number]))

    def gather(self, numbers: Sequence[int]) -> list[int]:
        """Give the numbers of all ranks, one rank after another."""
        if self.lm.world_size == 1:
            return list(numbers)
        import torch

        held = torch.tensor(list(numbers), device=self.lm.device)
        return [int(n) for n in self.lm.all_gather(held).flatten().tolist()]

    def room(self, wanted: int) -> int:
        """Limit an answer's tokens so that at least half of the context is left for the prompt."""
        longest = _max_length(self.bare)
        return wanted if longest is None else max(1, min(wanted, longest // 2))

    def _key(self, kind: str, args: Args) -> str:
        if kind == "generate_until" and (is_sampled(args[1]) or draws_at_random(self.bare)):
            self._fresh += 1
            return f"sampled {self._fresh}"
        return request_key(kind, args)

    def _look_up(self, kind: str, keys: list[str]) -> dict[str, Any]:
        if self.cache is None or self.fingerprint is None:
            return {}
        found = self.cache.get_many(
            self.fingerprint, kind, [key for key in keys if not key.startswith("sampled")]
        )
        if kind != "generate_until":
            return dict(found)
        return {key: one if isinstance(one, str) else Answer(*one) for key, one in found.items()}

    def _send(self, kind: str, new: dict[str, Args]) -> None:
        length = self.largest(len(new))
        if length == 0:
            return
        batch = [_instance(kind, args) for args in new.values()]
        padding = batch[-1] if batch else _instance(kind, _filler(kind))
        batch += [padding] * (length - len(batch))
        hook = getattr(self.bare, "cache_hook", None) or CacheHook(None)
        self._awaited = set(new)
        if self.cache is not None:
            self.bare.set_cache_hook(AnswerHook(hook, self._keep))
        try:
            answers = getattr(self.lm, kind)(batch)
        except Exception as err:
            if not is_server(self.bare) or isinstance(err, NotImplementedError):
                raise
            raise ModelError(self._server_failed(err)) from err
        finally:
            self.bare.set_cache_hook(hook)
        told = dict(zip(new, answers, strict=False))
        good = {key: one for key, one in told.items() if isinstance(one, (str, tuple, list))}
        self.known.update(good)
        for key in self._awaited & set(good):
            self._put(kind, key, good[key])
        if len(good) < len(new):
            bad = next((one for key, one in told.items() if key not in good), "too few answers")
            raise ModelError(f"{type(self.bare).__name__}.{kind} gave {bad!r} for an answer")

    def _server_failed(self, err: Exception) -> str:
        keeps = self.cache is not None and not draws_at_random(self.bare)
        if isinstance(err, BudgetSpentError):
            kept = "what was answered is kept: run the same command with a larger one to go on"
            return f"{err}; {kept if keeps else 'answers of this model are not kept'}"
        kept = ". What it has answered is kept: run the same again" if keeps else ""
        said = str(err) if isinstance(err, ModelError) else f"{type(err).__name__}: {err}"
        return f"the server of {self.bare.model!r} failed ({without_secrets(said)}){kept}"

    def _keep(self, kind: str, args: Any, answer: Any) -> None:
        """Keep an answer as it arrives; backends that rewrite requests report others than sent."""
        try:
            key = request_key(kind, args)
        except (TypeError, ValueError):
            return
        if key in self._awaited:
            self._awaited.remove(key)
            self._put(kind, key, answer)

    def _put(self, kind: str, key: str, answer: Any) -> None:
        if self.cache is None or self.fingerprint is None or key.startswith("sampled"):
            return
        if isinstance(answer, str):
            sound = bool(answer) or not is_server(self.bare)  # lm-eval turns a failure into ""
        else:
            sound = math.isfinite(answer[0])
        if sound:
            kept = (str(answer), answer.cut_off) if isinstance(answer, Answer) else answer
            self.cache.put(self.fingerprint, kind, key, kept)


def is_sampled(settings: dict[str, Any]) -> bool:
    """Say whether generation settings may draw at random: servers look at the temperature alone."""
    return bool(settings.get("do_sample")) or float(settings.get("temperature") or 0) > 0


def settle_batch_size(lm: Any) -> None:
    """Settle an `auto` batch size for the whole run: lm-eval would probe again for every batch."""
    given = getattr(lm, "batch_size_per_gpu", None)
    if given == 1:
        log.info("Batch size 1, lm-eval's default: --batch_size auto is several times faster")
    if given != "auto":
        return
    lm.batch_size_per_gpu = CPU_BATCH_SIZE if lm.device.type == "cpu" else _probe(lm)
    lm.batch_sizes = {0: lm.batch_size_per_gpu}
    log.info("Batch size auto: %s for the whole run", lm.batch_size_per_gpu)


def _probe(lm: Any) -> int:
    """Probe with prompts as long as ours may be: at a context of 100,000 the answer would be 1."""
    longest = lm._max_length
    lm._max_length = min(lm.max_length, LONGEST_PROBE)
    try:
        return int(lm._detect_batch_size())
    finally:
        lm._max_length = longest


def is_cut(lm: Any, kind: str, args: Args) -> bool | None:
    """Say whether a request is longer than the model's context, so that lm-eval cuts its start.

    None where the backend does not tell its tokens (servers).
    """
    bare = getattr(lm, "lm", lm)
    longest = _max_length(bare)
    if longest is None or not isinstance(args[0], str) or not getattr(bare, "tokenizer", None):
        return None
    text, room = args[0], longest
    if getattr(bare, "backend", "causal") != "seq2seq":  # the decoder has a context of its own
        generates = kind == "generate_until"
        room = longest - _limit(args[1]) if generates else longest + 1
        text = args[0] if generates else args[0] + args[1]
    if len(text.encode("utf-8", "replace")) < room:  # a token has at least one byte
        return False
    return len(bare.tok_encode(text)) > room


def is_cut_off(args: Args, answer: str, tokens: int | None) -> bool | None:
    """Say whether an answer reached its limit; None where nobody can tell.

    Args:
        args: of its request.
        answer: as `Backend.ask` gives it: a server may say so itself.
        tokens: how many it has; None: nobody can tell.
    """
    if isinstance(answer, Answer):
        return answer.cut_off
    # what is decoded and encoded again may be a token or two shorter
    return None if tokens is None else tokens >= max(1, _limit(args[1]) - 2)


def count_tokens(lm: Any, text: str) -> int | None:
    """Count a text's tokens; None where the backend does not tell its tokens (servers)."""
    bare = getattr(lm, "lm", lm)
    if _max_length(bare) is None or not getattr(bare, "tokenizer", None):
        return None
    return len(bare.tok_encode(text))


def _limit(settings: dict[str, Any]) -> int:
    return next((int(settings[name]) for name in TOKEN_LIMITS if settings.get(name)), 0)


def _max_length(lm: Any) -> int | None:
    longest = None if is_server(lm) else getattr(lm, "max_length", None)
    return longest if isinstance(longest, int) else None


def _limit_decoder(lm: Any) -> None:
    """Limit what a decoder beside an encoder writes to what was asked for.

    lm-eval 0.4.13 adds the length of the batch's longest question, as for a decoder that goes on
    after it: answers would be longer in longer company, and run out of the decoder's positions.
    """
    generate = lm._model_generate
    if getattr(generate, "limits_decoder", False):
        return

    def limited(context: Any, max_length: int, *args: Any, **kwargs: Any) -> Any:
        wanted = max_length - context.shape[1]
        return generate(context, 1 + wanted, *args, **kwargs)  # 1: the decoder's first token

    limited.limits_decoder = True  # type: ignore[attr-defined]
    lm._model_generate = limited


def _instance(kind: str, args: Args) -> Instance:
    own = tuple(dict(part) if isinstance(part, dict) else part for part in args)
    return Instance(request_type=kind, doc={}, arguments=own, idx=0, metadata=(None, None, 1))


def _filler(kind: str) -> Args:
    return (
        (".", {"max_gen_toks": 1, "do_sample": False}) if kind == "generate_until" else (".", " .")
    )
