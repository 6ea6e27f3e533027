"""Which of several options answers a question about a paragraph?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any, ClassVar

from harness.domains.item import Item, lacking
from harness.domains.options import Options, either, lettered, letters, option_forms


class Choice:
    """Columns: a paragraph, a question, options, and an answer.

    The paragraph may be changed, never the question or the options. Options are asked for by the
    letters A, B, C, ... whatever their names in the data set, and read by letter, by text, or both.
    Answers outside of them: "unknown".

    Args:
        paragraph, question: columns of text.
        options, answer: see `Options`.
    """

    SLOTS: ClassVar[tuple[str, ...]] = ("question", "options", "letters")

    def __init__(
        self,
        paragraph: str = "passage",
        question: str = "question",
        options: str | Sequence[str] = "options",
        answer: str = "answer",
    ) -> None:
        self.paragraph, self.question = paragraph, question
        self.options = Options(options, answer)

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with a document, or None."""
        texts = [self.paragraph, self.question]
        fault = lacking(doc, texts, self.options.columns) or self.options.problem(doc)
        if fault or len(self.options.all_right(doc)) == 1:
            return fault
        said = dict(zip(ascii_uppercase, self.options.texts(doc), strict=False))
        text = said[self.options.right(doc)]
        return f"two options are the right one: {text!r}; change one of them"

    def item(self, doc: Mapping[str, Any]) -> Item:
        """Turn a document without problems into an item."""
        texts = self.options.texts(doc)
        labels = letters(texts)
        return Item(
            doc[self.paragraph].replace(r"\newline", "\n").strip(),  # MCTest's ends of lines
            self.options.right(doc),
            labels,
            option_forms(labels, texts),
            {
                "question": doc[self.question].strip(),
                "options": lettered(texts),
                "letters": either(labels),
            },
            dict(zip(labels, texts, strict=True)),
        )
