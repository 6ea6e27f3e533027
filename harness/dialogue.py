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
from dataclasses import dataclass, field, replace
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CachingLM

from harness import failures
from harness.backend import TOKEN_LIMITS, Backend, count_tokens, is_cut, is_cut_off, is_sampled
from harness.cache import ResponseCache
from harness.data import doc_hash
from harness.errors import ConfigError
from harness.questions import MODEL, SIMULATOR, Answer, Dialogue, Outcome, Question, plain_prompt
from harness.simulator import Simulator
from harness.tallies import most_frequent, share

log = logging.getLogger(__name__)

REQUEST = "selfcheck_dialogue"


@dataclass
class DialogueInstance(Instance):  # type: ignore[misc]
    """A request for a whole dialogue.

    `arguments` are a text (the first question, for lm-eval's logs) and the `Settings` as a dict.

    Attributes:
        start: begins the dialogue.
        expects: the metrics that it must end with.
        simulator: who answers what is asked of a simulator.
        ready: called when the simulator is known, before anything is asked; may raise.
    """

    start: Callable[[], Dialogue] = field(default=None, repr=False)  # type: ignore[assignment]
    expects: frozenset[str] = frozenset()
    simulator: Simulator | None = field(default=None, repr=False)
    ready: Callable[[], None] = field(default=lambda: None, repr=False)


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
        if not any(name in limits for name in TOKEN_LIMITS):
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
        return plain_prompt(opening, question.cue), limits


class Talk:
    """One dialogue under way: its generator, what it waits for, and what was said."""

    def __init__(self, request: DialogueInstance) -> None:
        self.request = request
        self.task = request.task_name or "?"
        self.settings = Settings(**request.arguments[1])
        self.simulator_settings = _simulator_settings(self.settings, request.simulator)
        self.pending: list[Question] = []
        self.outcome: Outcome | None = None
        self.stages: list[dict[str, Any]] = []
        self._single = True
        self._dialogue: Dialogue | None = None

    def request_for(self, question: Question, backend: Backend) -> tuple[Any, dict[str, Any]]:
        """Render a question as whom it is for wants it."""
        own = self.settings if question.to == MODEL else self.simulator_settings
        return own.request(question, backend)

    def advance(self, answers: list[str] | None, speakers: Iterable[str]) -> None:
        """Hand over the answers to the pending questions (None at the start); take the next ones.

        Raises:
            Exception: whatever the check raises; a check must not.
        """
        self.pending = []
        try:
            if self._dialogue is None or answers is None:
                self._dialogue = self.request.start()
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

    def note(self, question: Question, args: Any, answer: str, lm: Any) -> Answer:
        """Keep for the record what was asked and answered, and what of both was cut."""
        tokens = count_tokens(lm, answer)
        cut_off = is_cut_off(args, answer, tokens)
        said = {
            "stage": question.stage,
            "to": question.to,
            "prompt": str(getattr(args[0], "prompt", args[0])),
            "answer": answer,
            "prompt_cut": is_cut(lm, "generate_until", args),
            "answer_cut": cut_off,
            "tokens_in": count_tokens(lm, str(getattr(args[0], "prompt", args[0]))),
            "tokens_out": tokens,
        }
        self.stages.append(said)
        return Answer(answer, cut_off)

    def stop(self) -> None:
        """End the dialogue without an outcome."""
        self.pending = []
        if self._dialogue is not None:
            self._dialogue.close()

    def response(self) -> str:
        """Give the dialogue as one JSON string: lm-eval would write a dict as its Python repr."""
        if self.outcome is None:
            return json.dumps({"failed": True, "stages": self.stages})
        told = {"stages": self.stages, "read": self.outcome.read, "metrics": self.outcome.metrics}
        return json.dumps({**told, "tally": dict(self.outcome.tally)})

    def _checked(self, outcome: object) -> Outcome:
        if not isinstance(outcome, Outcome):
            raise TypeError(f"the check returned {type(outcome).__name__}, not an Outcome")
        if set(outcome.metrics) != self.request.expects:
            raise KeyError(f"metrics {sorted(outcome.metrics)}, not {sorted(self.request.expects)}")
        json.dumps([outcome.read, outcome.metrics], allow_nan=False)
        return outcome


def converse(talks: Sequence[Talk], backends: Mapping[str, Backend]) -> None:
    """Advance all dialogues to their ends, one deduplicated batch a round and model.

    A check that raises fails its task: the task's other dialogues stop, other tasks go on. Ranks of
    a data-parallel run go through the same rounds.
    """
    lead = backends[MODEL]
    failed: dict[str, tuple[int, str]] = {}
    for talk in talks:
        _advance(talk, None, backends, failed)
    number = 1
    while lead.largest(sum(bool(talk.pending) for talk in talks)):
        _round(number, talks, backends, failed)
        number += 1
    names = list(dict.fromkeys(talk.task for talk in talks))
    lost = failures.report_all(names, failed, lead.gather)
    for talk in talks:
        if talk.task in lost:
            talk.outcome = None
    _settle_tallies(names, talks, lead)


def _settle_tallies(names: Sequence[str], talks: Sequence[Talk], lead: Backend) -> None:
    """Give each document its share of the task's most frequent label."""
    held = {
        (talk.task, talk.request.doc_id): talk.outcome.tally  # repeats of a document count once
        for talk in reversed(talks)
        if talk.outcome
    }
    labels = most_frequent(names, held, lead.gather)
    for talk in talks:
        if talk.outcome and talk.outcome.tally:
            constant = share(talk.outcome.tally, labels[talk.task])
            metrics = {**talk.outcome.metrics, "constant": constant}
            talk.outcome = replace(talk.outcome, metrics=metrics)


def _round(
    number: int,
    talks: Sequence[Talk],
    backends: Mapping[str, Backend],
    failed: dict[str, tuple[int, str]],
) -> None:
    answers: dict[tuple[int, int], str] = {}
    for name in sorted(backends):
        asked = [
            (who, place, question)
            for who, talk in enumerate(talks)
            for place, question in enumerate(talk.pending)
            if question.to == name
        ]
        requests = [talks[who].request_for(question, backends[name]) for who, _, question in asked]
        if asked or backends[name].lm.world_size > 1:
            _log_round(number, name, [question.stage for _, _, question in asked])
        told = backends[name].ask("generate_until", requests)
        for (who, place, question), args, answer in zip(asked, requests, told, strict=True):
            answers[who, place] = talks[who].note(question, args, answer, backends[name].lm)
    for who, talk in enumerate(talks):
        if talk.pending:
            given = [answers[who, place] for place in range(len(talk.pending))]
            _advance(talk, given, backends, failed)


def _log_round(number: int, name: str, stages: list[str]) -> None:
    kinds = Counter(stage.partition(" ")[0] for stage in stages)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    told = counts or "none on this rank"
    log.info("Round %d to the %s: %d questions (%s)", number, name, len(stages), told)


def _advance(
    talk: Talk,
    answers: list[str] | None,
    backends: Mapping[str, Backend],
    failed: dict[str, tuple[int, str]],
) -> None:
    if talk.task in failed:
        talk.stop()
        return
    try:
        talk.advance(answers, backends)
    except Exception as err:
        log.debug("Task %s", talk.task, exc_info=True)
        last = talk.stages[-1]["stage"] if talk.stages else "start"
        number = talk.request.doc_id or 0
        failed[talk.task] = (
            number,
            f"document {number} ({doc_hash(talk.request.doc)[:12]}), after {last!r}: "
            f"{type(err).__name__}: {err} (a bug in the check; please report)",
        )
        talk.stop()


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
        backends = {MODEL: Backend(lm, cache)}
        for simulator, templated in _simulators(requests).items():
            backends[SIMULATOR] = simulator.meet(backends[MODEL], cache, templated)
        if backends.get(SIMULATOR) is backends[MODEL]:
            log.info("Self-simulated: the model predicts itself from its explanations")
        for request in requests:
            request.ready()
        converse(list(talks.values()), backends)
    _log_cuts(talks.values())
    responses = {key: talk.response() for key, talk in talks.items()}
    return [responses[key] for key in keys]


def _simulators(requests: Iterable[DialogueInstance]) -> dict[Simulator, bool]:
    """Give all simulators, and whether the model of their task is asked through a template.

    The model itself is another object in each task; another model is one for all.
    """
    told = {
        request.simulator: Settings(**request.arguments[1]).apply_chat_template
        for request in requests
        if request.simulator
    }
    names = {id(one) if one.model else None: one.label for one in told}
    if len(names) > 1:
        raise ConfigError(f"one simulator for all tasks of a run, not {', '.join(names.values())}")
    return told


def _simulator_settings(own: Settings, simulator: Simulator | None) -> Settings:
    """Ask a simulator greedily; the model itself with the run's template and instruction."""
    if simulator is None or simulator.model is None:
        return replace(own, generation_kwargs={})
    return Settings(apply_chat_template=simulator.chat_template)


def _log_cuts(talks: Iterable[Talk]) -> None:
    for what, told in (("prompt_cut", "lost their start"), ("answer_cut", "reached their limit")):
        cuts = Counter(talk.task for talk in talks for stage in talk.stages if stage[what])
        for task, count in cuts.items():
            log.warning("Task %s: %d %ss %s", task, count, what.removesuffix("_cut"), told)


for _model in (LM, CachingLM):  # CachingLM would pass the method on, and with it bypass its cache
    setattr(_model, REQUEST, answer_dialogues)
