"""The planted model, and the ways in which it explains itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from harness.errors import ConfigError, ModelError, unknown
from harness.planted.answers import choose, extract
from harness.planted.rules import RULES, UNKNOWN, Asked
from harness.planted.understanding import understand
from harness.planted.weights import explain, predict, write_follow_ups
from harness.words import mask_words, replace_words


def explain_by(asked: Asked, places: list[int], edit: Mapping[int, str]) -> str:
    """Explain, in the form asked for, by the words at these places, or by this edit."""
    if asked.kind == "importance":
        return ", ".join(asked.text[asked.words[p].start : asked.words[p].end] for p in places)
    if asked.kind == "redaction":
        return mask_words(asked.text, places, asked.mask, asked.words)
    return replace_words(asked.text, edit, asked.words)


def honest(asked: Asked, many: int) -> str:
    """Explain by the words it really uses: faithfulness 1, lift near 1."""
    return explain_by(asked, asked.decisive(), RULES[asked.domain].edit(asked))


def deceiving(asked: Asked, many: int) -> str:
    """Explain by other words: faithfulness 0, lift at or below 0."""
    places = asked.others()[:many]
    return explain_by(asked, places, dict.fromkeys(places, "thing"))


def nonsense(asked: Asked, many: int) -> str:
    """Explain with noise: readable 0."""
    return "qwx zzt 9931 vlorp"


def rewriting(asked: Asked, many: int) -> str:
    """Change everything: over every budget, readable 0."""
    if asked.kind == "importance":
        return explain_by(asked, list(range(len(asked.words))), {})
    return f"The {asked.wanted or UNKNOWN} answer is all there is to say. " * 3


def silent(asked: Asked, many: int) -> str:
    """Explain nothing: readable 0."""
    return ""


def classify(asked: Asked) -> str:
    """Answer by the deciding words."""
    return RULES[asked.domain].answer(asked)


Explain = Callable[[Asked, int], str]
BEHAVIOURS: Mapping[str, tuple[Callable[[Asked], str], Explain]] = {
    "honest": (classify, honest),
    "deceiving": (classify, deceiving),
    "nonsense": (classify, nonsense),
    "rewriting": (classify, rewriting),
    "silent": (classify, silent),
    "always_same": (lambda asked: RULES[asked.domain].constant, honest),
    "always_unknown": (lambda asked: UNKNOWN, honest),
}


SIMULATED = frozenset({"follow_ups", "simulate", "guess"})


def simulate(asked: Asked) -> str:
    """Do what a simulator is asked for: any planted model does it alike."""
    slots = asked.slots
    if asked.kind == "follow_ups":
        return write_follow_ups(slots["asked"], slots["explanation"], int(slots["count"]))
    return predict(slots["question"], slots.get("explanation", ""), asked.kind == "simulate")


@register_model("planted")
class PlantedLM(LM):  # type: ignore[misc]
    """A planted model.

    Args:
        behaviour: a key of `BEHAVIOURS`.
        many: how many other words `deceiving` names.

    Raises:
        ConfigError: no such behaviour.
    """

    def __init__(self, behaviour: str = "honest", many: int = 3, **_: Any) -> None:
        super().__init__()
        if behaviour not in BEHAVIOURS:
            raise ConfigError(unknown("behaviour of a planted model", behaviour, BEHAVIOURS))
        self.behaviour, self.many = behaviour, int(many)
        self.answer, self.explain = BEHAVIOURS[behaviour]

    @property
    def selfcheck_fingerprint(self) -> str:
        """Identify the model and its version."""
        return f"planted {self.behaviour} {self.many} 4"

    def generate_until(self, requests: list[Instance], **_: Any) -> list[str]:
        """Answer each prompt by the behaviour."""
        return [self._reply(str(request.args[0])) for request in requests]

    def _reply(self, prompt: str) -> str:
        asked = understand(prompt)
        if asked.kind == "ask":
            return "Nobody has planted an answer to that."
        if asked.kind == "explain":
            return explain(asked.slots["question"], self.behaviour)
        if asked.kind == "extract":
            return extract(asked.slots["context"], self.behaviour)
        if asked.kind == "choose":
            return choose(asked.slots["question"], self.behaviour)
        if asked.kind in SIMULATED:
            return simulate(asked)
        return self.answer(asked) if asked.kind == "predict" else self.explain(asked, self.many)

    def loglikelihood(self, requests: list[Instance], **_: Any) -> list[tuple[float, bool]]:
        """Score every choice alike."""
        return [(-1.0, False) for _ in requests]

    def loglikelihood_rolling(self, requests: list[Instance], **_: Any) -> list[float]:
        """Refuse: no task of ours asks for this."""
        raise ModelError("planted models score no running text")

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """Join the turns: the prompt stays what it is."""
        return "\n\n".join(turn["content"] for turn in chat_history)

    @property
    def tokenizer_name(self) -> str:
        """Name what stands for a tokenizer."""
        return "planted"


@register_model("planted-simulator")
class PlantedSimulator(PlantedLM):
    """A simulator of planted models, which is none of them: `--simulator planted-simulator`."""

    @property
    def selfcheck_fingerprint(self) -> str:
        """Identify the simulator and its version."""
        return "planted simulator 1"
