"""Language models for tests: what they say is a function of the prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model


class FunctionLM(LM):
    """Answers each prompt by a function, and keeps what it was sent, batch by batch.

    `name` identifies it to the response cache; without one nothing is cached.
    """

    def __init__(
        self,
        answer: Callable[[str], Any] = lambda prompt: "unknown",
        score: Callable[[str, str], float] = lambda context, choice: -1.0,
        name: str | None = None,
    ) -> None:
        super().__init__()
        self.answer, self.score = answer, score
        self.batches: list[list[tuple[Any, ...]]] = []
        if name:
            self.selfcheck_fingerprint = name

    @property
    def prompts(self) -> list[str]:
        return [str(args[0]) for batch in self.batches for args in batch]

    def generate_until(self, requests, **_):
        self.batches.append([request.args for request in requests])
        answers = []
        for request in requests:
            answers.append(self.answer(str(request.args[0])))
            self.cache_hook.add_partial("generate_until", request.args, answers[-1])
        return answers

    def loglikelihood(self, requests, **_):
        self.batches.append([request.args for request in requests])
        return [(self.score(*request.args), False) for request in requests]

    def loglikelihood_rolling(self, requests, **_):
        raise AssertionError("nothing asks for this")

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        return (
            "".join(f"<{turn['role']}>{turn['content']}" for turn in chat_history) + "<assistant>"
        )

    @property
    def tokenizer_name(self):
        return "function"


@register_model("scripted-simulator")
class ScriptedSimulator(FunctionLM):
    """One that lm-eval knows by name: `says` the same to everything; `made` keeps all of them."""

    made: ClassVar[list[ScriptedSimulator]] = []

    def __init__(self, says: str = "no", name: str | None = None, **_: Any) -> None:
        super().__init__(lambda prompt: says, name=name)
        self.made.append(self)


@register_model("scripted-chat-simulator")
class ScriptedChatSimulator(ScriptedSimulator):
    """The same under a name of the kind that chat servers have."""


@register_model("simulator-without-template")
class SimulatorWithoutTemplate(ScriptedSimulator):
    """The same, of a tokenizer without a chat template."""

    def apply_chat_template(self, chat_history, add_generation_prompt=True):
        raise ValueError("tokenizer.chat_template is not set")
