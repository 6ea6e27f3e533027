"""What training sets are made of: rows of plain text, and how TRL wants them.

A row holds the question as it is put to the model (`text` is the user's turn; `cue` goes on after
it for a model without a chat template, as in `harness.questions.Question`) and what the model is to
answer. Only `for_trl` knows of chat templates.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from harness.questions import plain_prompt


class Completion(Struct, frozen=True, forbid_unknown_fields=True):
    """A question and the answer to learn, for supervised finetuning.

    Attributes:
        text: the user's turn.
        cue: goes on after it for a model without a chat template.
        answer: all of it is learnt; the question is not.
        origin: hash of the document that it was made from.
    """

    text: str
    cue: str
    answer: str
    origin: str

    def for_trl(self, chat_template: bool) -> dict[str, Any]:
        """Give TRL's "prompt-completion" type, conversational with a chat template."""
        if chat_template:
            return {"prompt": [_turn("user", self.text)], "completion": [_reply(self.answer)]}
        return {"prompt": plain_prompt(self.text, self.cue), "completion": f" {self.answer}"}


class Preference(Struct, frozen=True, forbid_unknown_fields=True):
    """A question, the answer to prefer, and the one to prefer it to.

    Attributes: as `Completion`, and:
        chosen: the better answer.
        rejected: the worse one.
    """

    text: str
    cue: str
    chosen: str
    rejected: str
    origin: str

    def for_trl(self, chat_template: bool) -> dict[str, Any]:
        """Give TRL's "preference" type with an explicit prompt."""
        if chat_template:
            told = {"chosen": [_reply(self.chosen)], "rejected": [_reply(self.rejected)]}
            return {"prompt": [_turn("user", self.text)], **told}
        prompt = plain_prompt(self.text, self.cue)
        return {"prompt": prompt, "chosen": f" {self.chosen}", "rejected": f" {self.rejected}"}


class Lesson(Struct, frozen=True, forbid_unknown_fields=True):
    """Two things to learn of a question, whose losses are weighed against each other.

    Attributes:
        answering: the question, and its answer.
        explaining: the question put otherwise, and an explanation; None: the answer alone is
            learnt.
    """

    answering: Completion
    explaining: Completion | None

    @property
    def origin(self) -> str:
        """Hash of the document that it was made from."""
        return self.answering.origin


Row = Completion | Preference | Lesson


def for_trl(rows: Iterable[Completion | Preference], chat_template: bool) -> list[dict[str, Any]]:
    """Give rows as TRL's trainers take them."""
    return [row.for_trl(chat_template) for row in rows]


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _reply(content: str) -> dict[str, str]:
    return _turn("assistant", content)
