"""The lm-eval task that looks at how a model writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.checks.health import METRICS, health
from harness.dialogue_task import DialogueTask
from harness.errors import ConfigError
from harness.prompts import build_prompt
from harness.questions import Dialogue, Question


class GenerationTask(DialogueTask):
    """The generation health of `harness.checks.health`, on a column of questions.

    Keys: `question`, the column; `ask`, the prompt with its limits.
    """

    OWN_KEYS = frozenset({"question", "ask"})

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        super().__init__(config)
        with self.file.errors():
            self.column = str(self.file.own["question"])
            self.prompt = build_prompt("ask", self.file.own["ask"], ["question"])
            if set(self.file.metrics) != set(METRICS):
                raise ConfigError(f"metric_list must hold {', '.join(METRICS)}")

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what keeps a document from being used, or None."""
        if self.column not in doc:
            return f"no column {self.column!r}; there are: {', '.join(sorted(doc))}"
        told = doc[self.column]
        fine = isinstance(told, str) and told.strip()
        return None if fine else f"{self.column!r} is empty or no text"

    def doc_to_text(self, doc: Mapping[str, Any]) -> str:
        """Give the question as it is asked."""
        return self.prompt.render(question=doc[self.column].strip()).strip()

    def doc_to_target(self, doc: Mapping[str, Any]) -> str:
        """Give nothing: no answer is right."""
        return ""

    def start(self, doc: Mapping[str, Any]) -> Dialogue:
        """Start the dialogue about one document."""
        prompt = self.prompt
        return health(
            Question("ask", self.doc_to_text(doc), prompt.cue, prompt.until, prompt.max_tokens)
        )
