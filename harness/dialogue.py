"""The request type that lm-eval lacks: questions that depend on earlier answers.

lm-eval builds all requests before it calls the model. Here a request is a whole dialogue: the
generators of all documents of all tasks advance together, in rounds, and each round's questions go
to the model as one batch. Importing this module adds the request type to lm-eval's models:
`evaluate()` calls the method of that name.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CachingLM

from harness import failures
from harness.backend import Backend, is_cut, is_sampled
from harness.cache import ResponseCache
from harness.questions import MODEL, Dialogue, Outcome, Question

log = logging.getLogger(__name__)

REQUEST = "selfcheck_dialogue"
LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")


@dataclass
class DialogueInstance(Instance):  # type: ignore[misc]
    """A request for a whole dialogue.

    `arguments` are a text (the first question, for lm-eval's logs) and the `Settings` as a dict.
    """

    start: Callable[[], Dialogue] = field(default=None, repr=False)  # type: ignore[assignment]
    expects: frozenset[str] = frozenset()
    cut: int = 0


@dataclass(frozen=True)
class Settings:
    """How a task's questions are put to the model; lm-eval's options of the same names."""

    apply_chat_template: bool = False
    system_instruction: str | None = None
    generation_kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sampled(self) -> bool:
        """Whether answers are drawn at random."""
        return is_sampled(self.limits)

    @property
    def limits(self) -> dict[str, Any]:
        """Generation settings; stop strings only if there are any: chat servers refuse none."""
        given = {"do_sample": False, **self.generation_kwargs}
        return given if given.get("until") else {k: v for k, v in given.items() if k != "until"}

    def request(self, question: Question, backend: Backend) -> tuple[Any, dict[str, Any]]:
        """Render a question as the arguments of a `generate_until` request."""
        limits = self.limits
        if not any(name in limits for name in LIMITS):
            limits["max_gen_toks"] = backend.room(question.max_tokens)
        if self.apply_chat_template:
            system = [{"role": "system", "content": self.system_instruction}]
            history = (system if self.system_instruction else []) + [
                {"role": "user", "content": question.text}
            ]
            return backend.lm.apply_chat_template(history, add_generation_prompt=True), limits
        if question.until:
            limits.setdefault("until", list(question.until))
        opening = "\n\n".join(part for part in (self.system_instruction, question.text) if part)
        return f"{opening}\n{question.cue}" if question.cue else opening, limits


class Talk:
    """One dialogue under way: its generator, what it waits for, and what was said."""

    def __init__(self, request: DialogueInstance) -> None:
        self.request = request
        self.task = request.task_name or "?"
        self.settings = Settings(**request.arguments[1])
        self.pending: list[Question] = []
        self.outcome: Outcome | None = None
        self.stages: list[dict[str, Any]] = []
        self._single = True
        self._dialogue = request.start()

    def advance(self, answers: list[str] | None, speakers: Iterable[str]) -> None:
        """Hand over the answers to the pending questions (None at the start); take the next ones.

        Raises:
            Exception: whatever the check raises; a check must not.
        """
        self.pending = []
        try:
            if answers is None:
                asked = next(self._dialogue)
            else:
                asked = self._dialogue.send(answers[0] if self._single else answers)
        except StopIteration as stop:
            self.outcome = self._checked(stop.value)
            return
        self._single = isinstance(asked, Question)
        self.pending = [asked] if isinstance(asked, Question) else list(asked)
        for question in self.pending:
            if question.to not in set(speakers):
                raise LookupError(f"asks {question.to!r}; there are: {', '.join(speakers)}")

    def note(self, question: Question, prompt: Any, answer: str, cut: bool | None) -> None:
        """Keep for the record what was asked and answered."""
        said = {"stage": question.stage, "to": question.to, "prompt": str(prompt), "answer": answer}
        self.stages.append({**said, "cut": cut})
        self.request.cut += bool(cut)

    def stop(self) -> None:
        """End the dialogue without an outcome."""
        self.pending = []
        self._dialogue.close()

    def response(self) -> str:
        """Give the dialogue as one JSON string: lm-eval would write a dict as its Python repr."""
        if self.outcome is None:
            return json.dumps({"failed": True, "stages": self.stages})
        told = {"stages": self.stages, "read": self.outcome.read, "metrics": self.outcome.metrics}
        return json.dumps(told, allow_nan=False)

    def _checked(self, outcome: object) -> Outcome:
        if not isinstance(outcome, Outcome):
            raise TypeError(f"the check returned {type(outcome).__name__}, not an Outcome")
        if set(outcome.metrics) != self.request.expects:
            raise KeyError(f"metrics {sorted(outcome.metrics)}, not {sorted(self.request.expects)}")
        return outcome


def converse(talks: Sequence[Talk], backends: Mapping[str, Backend]) -> None:
    """Advance all dialogues to their ends, one deduplicated batch a round and model.

    A check that raises fails its task: the task's other dialogues stop, other tasks go on. Ranks of
    a data-parallel run go through the same rounds.
    """
    lead = backends[MODEL]
    failed: dict[str, str] = {}
    for talk in talks:
        _advance(talk, None, backends, failed)
    number = 1
    while lead.largest(sum(bool(talk.pending) for talk in talks)):
        _round(number, talks, backends, failed)
        number += 1
    _agree_on_failures(talks, lead, failed)


def _round(
    number: int, talks: Sequence[Talk], backends: Mapping[str, Backend], failed: dict[str, str]
) -> None:
    answers: dict[tuple[int, int], str] = {}
    for name in sorted(backends):
        asked = [
            (who, place, question)
            for who, talk in enumerate(talks)
            for place, question in enumerate(talk.pending)
            if question.to == name
        ]
        requests = [
            talks[who].settings.request(question, backends[name]) for who, _, question in asked
        ]
        _log_round(number, name, [question.stage for _, _, question in asked])
        told = backends[name].ask("generate_until", requests)
        for (who, place, question), args, answer in zip(asked, requests, told, strict=True):
            cut = is_cut(backends[name].lm, "generate_until", args)
            talks[who].note(question, args[0], answer, cut)
            answers[who, place] = answer
    for who, talk in enumerate(talks):
        if talk.pending:
            given = [answers[who, place] for place in range(len(talk.pending))]
            _advance(talk, given, backends, failed)


def _log_round(number: int, name: str, stages: list[str]) -> None:
    counts = ", ".join(f"{count} {stage}" for stage, count in sorted(Counter(stages).items()))
    told = counts or "none on this rank"
    log.info("Round %d to the %s: %d questions (%s)", number, name, len(stages), told)


def _advance(
    talk: Talk, answers: list[str] | None, backends: Mapping[str, Backend], failed: dict[str, str]
) -> None:
    if talk.task in failed:
        talk.stop()
        return
    try:
        talk.advance(answers, backends)
    except Exception as err:
        log.debug("Task %s", talk.task, exc_info=True)
        last = talk.stages[-1]["stage"] if talk.stages else "start"
        where = f"document {talk.request.doc_id}, after {last!r}"
        failed[talk.task] = (
            f"{where}: {type(err).__name__}: {err} (a bug in the check; please report)"
        )
        talk.stop()


def _agree_on_failures(talks: Sequence[Talk], lead: Backend, failed: dict[str, str]) -> None:
    names = list(dict.fromkeys(talk.task for talk in talks))
    flags = lead.gather([int(name in failed) for name in names])
    for place, name in enumerate(names):
        if any(flags[place :: len(names)]):
            failures.report(name, failed.get(name, "on another rank"))
            for talk in talks:
                if talk.task == name:
                    talk.outcome = None


def answer_dialogues(lm: Any, requests: list[DialogueInstance]) -> list[str]:
    """Hold the dialogues that the requests ask for; the method behind the request type.

    Repeats of a request share one dialogue, unless answers are sampled.

    Returns:
        One JSON string per request, with all stages, what was read, and the metrics.
    """
    keys = [
        (id(request), place if Settings(**request.arguments[1]).sampled else 0)
        for place, request in enumerate(requests)
    ]
    talks = {key: Talk(request) for key, request in dict(zip(keys, requests, strict=True)).items()}
    with ResponseCache.default() as cache:
        converse(list(talks.values()), {MODEL: Backend(lm, cache)})
    _log_cuts(requests)
    responses = {key: talk.response() for key, talk in talks.items()}
    return [responses[key] for key in keys]


def _log_cuts(requests: Iterable[DialogueInstance]) -> None:
    cuts = Counter({r.task_name: 0 for r in requests})
    for request in {id(r): r for r in requests}.values():
        cuts[request.task_name] += request.cut
    for task, count in cuts.items():
        if count:
            log.warning(
                "Task %s: %d prompts were longer than the context and lost their start", task, count
            )


for _model in (LM, CachingLM):  # CachingLM would pass the method on, and with it bypass its cache
    setattr(_model, REQUEST, answer_dialogues)
