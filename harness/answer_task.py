"""The lm-eval tasks that put one question, and judge its answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from harness.checks.answers import CHOSEN, EXTRACTED, choose, extract
from harness.dialogue_task import DialogueTask
from harness.domains import Passages, build_passages, build_questions
from harness.errors import ConfigError
from harness.parsing import UNANSWERABLE
from harness.prompts import build_prompt
from harness.questions import Dialogue, Question

STAGE = "answer"


class AnswerTask(DialogueTask):
    """A task of one question a document.

    Keys: `columns` of the data set; `answer`, the prompt with its limits.

    Attributes:
        SLOTS: what the prompt may show.
        METRICS: what the task file must declare.
    """

    OWN_KEYS = frozenset({"columns", STAGE})
    SLOTS: ClassVar[tuple[str, ...]]
    METRICS: ClassVar[tuple[str, ...]]

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        super().__init__(config)
        with self.file.errors():
            self.prompt = build_prompt(STAGE, self.file.own[STAGE], self.SLOTS)
            if set(self.file.metrics) != set(self.METRICS):
                raise ConfigError(f"metric_list must hold {', '.join(self.METRICS)}")

    @abstractmethod
    def slots(self, doc: Mapping[str, Any]) -> dict[str, str]:
        """Give what the prompt shows of a document."""

    def doc_to_text(self, doc: Mapping[str, Any]) -> str:
        """Give the question as it is asked."""
        return self.prompt.render(**self.slots(doc)).strip()

    def question(self, doc: Mapping[str, Any]) -> Question:
        """Give the question with its limits."""
        prompt = self.prompt
        return Question(STAGE, self.doc_to_text(doc), prompt.cue, prompt.until, prompt.max_tokens)


class ExtractiveTask(AnswerTask):
    """Questions about a passage, answered with its words (`harness.checks.answers.extract`)."""

    SLOTS = ("context", "question")
    METRICS = EXTRACTED

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        super().__init__(config)
        with self.file.errors():
            self.passages: Passages = build_passages(self.file.own.get("columns") or {})

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what keeps a document from being used, or None."""
        return self.passages.problem(doc)

    def slots(self, doc: Mapping[str, Any]) -> dict[str, str]:
        """Give what the prompt shows of a document."""
        asked = self.passages.asked(doc)
        return {"context": asked.context, "question": asked.question}

    def doc_to_target(self, doc: Mapping[str, Any]) -> str:
        """Give a right answer."""
        golds: Sequence[str] = self.passages.asked(doc).golds
        return golds[0] if golds else UNANSWERABLE

    def start(self, doc: Mapping[str, Any]) -> Dialogue:
        """Start the dialogue about one document."""
        return extract(self.question(doc), self.passages.asked(doc).golds)


class ReasoningTask(AnswerTask):
    """Questions that stand on their own, answered with a label (`harness.checks.answers.choose`).

    Keys beside: `kind` of the questions.
    """

    OWN_KEYS = AnswerTask.OWN_KEYS | {"kind"}
    SLOTS = ("question", "answers")
    METRICS = CHOSEN

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        super().__init__(config)
        with self.file.errors():
            own = self.file.own
            self.questions = build_questions(own["kind"], own.get("columns") or {})

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what keeps a document from being used, or None."""
        return self.questions.problem(doc)

    def slots(self, doc: Mapping[str, Any]) -> dict[str, str]:
        """Give what the prompt shows of a document."""
        posed = self.questions.posed(doc)
        return {"question": posed.text, "answers": posed.answers}

    def doc_to_target(self, doc: Mapping[str, Any]) -> str:
        """Give the gold label."""
        return self.questions.gold(doc)

    def start(self, doc: Mapping[str, Any]) -> Dialogue:
        """Start the dialogue about one document."""
        return choose(self.question(doc), self.questions.posed(doc), self.questions.right(doc))
