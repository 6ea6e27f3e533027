"""Which of several options answers a question about a paragraph?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Any, ClassVar

from harness.domains.item import UNKNOWN_FORMS, Item, lacking
from harness.domains.yes_no import SILENT_FORMS
from harness.words import split_words

_INDEFINITE = {"unknown": UNKNOWN_FORMS, "silent": SILENT_FORMS}
_ARTICLES = {"a", "an", "the"}
Options = list[tuple[str, str]]
"""Name of an option in the data set, and its text."""


class Choice:
    """Columns: a paragraph, a question, options, and an answer.

    The paragraph may be changed, never the question or the options. Options are asked for by the
    letters A, B, C, ... whatever their names in the data set, and read by letter, by text, or both.
    Answers outside of them: "unknown".

    Args:
        paragraph, question: columns of text.
        options: a column, or the texts that all documents have in common. A column holds a list of
            texts, name -> text (MCTest), or {"text": [...], "label": [...]} (ARC).
        answer: the column with the name of the right option, or its text.
    """

    SLOTS: ClassVar[tuple[str, ...]] = ("question", "options", "letters")

    def __init__(
        self,
        paragraph: str = "passage",
        question: str = "question",
        options: str | Sequence[str] = "options",
        answer: str = "answer",
    ) -> None:
        self.paragraph, self.question, self.answer = paragraph, question, answer
        self.options = options

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with a document, or None."""
        column = [self.options] if isinstance(self.options, str) else []
        fault = lacking(doc, [self.paragraph, self.question], [self.answer, *column])
        if fault:
            return fault
        options = self._options(doc)
        names, texts = [name for name, _ in options], [text for _, text in options]
        if not 2 <= len(options) <= len(ascii_uppercase):
            return f"{len(options)} options can be read; allowed: 2 to {len(ascii_uppercase)}"
        if not all(isinstance(text, str) and text.strip() for text in texts):
            return f"an option is empty or no text: {str(texts)[:80]}"
        if len(set(names)) < len(names):
            return f"options of one name: {', '.join(names)[:80]}"
        right = self._right(doc, options)
        if right is None:
            got = str(doc[self.answer])[:80]
            return f"{self.answer!r} is {got!r}, which is none of the options"
        if Counter(map(_alike, texts))[_alike(texts[right])] > 1:
            return f"two options are the right one: {texts[right]!r}; change one of them"
        return None

    def item(self, doc: Mapping[str, Any]) -> Item:
        """Turn a document without problems into an item."""
        options = self._options(doc)
        labels = tuple(ascii_uppercase[: len(options)])
        texts = [" ".join(text.split()) for _, text in options]
        right = self._right(doc, options)
        assert right is not None, "problem() was not asked"
        names = dict(zip(labels, texts, strict=True))
        return Item(
            doc[self.paragraph].replace(r"\newline", "\n").strip(),  # MCTest's ends of lines
            labels[right],
            labels,
            option_forms(labels, texts),
            {
                "question": doc[self.question].strip(),
                "options": "\n".join(f"{label}) {text}" for label, text in names.items()),
                "letters": f"{', '.join(labels[:-1])} or {labels[-1]}",
            },
            names,
        )

    def _options(self, doc: Mapping[str, Any]) -> Options:
        told = doc[self.options] if isinstance(self.options, str) else list(self.options)
        if isinstance(told, Mapping) and set(told) == {"text", "label"}:
            names, texts = told["label"], told["text"]
            fits = isinstance(names, list) and isinstance(texts, list) and len(names) == len(texts)
            return list(zip(map(str, names), texts, strict=True)) if fits else []
        if isinstance(told, Mapping):
            return list(told.items())
        return [(str(n), text) for n, text in enumerate(told)] if isinstance(told, list) else []

    def _right(self, doc: Mapping[str, Any], options: Options) -> int | None:
        answer = doc[self.answer]
        if not isinstance(answer, (str, int)):
            return None
        named = not isinstance(doc.get(str(self.options), []), list)
        for place in (0, 1) if named else (1,):  # an option's text may be another one's name
            for index, option in enumerate(options):
                if option[place].strip() == str(answer).strip():
                    return index
        return None


def option_forms(labels: Sequence[str], texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Give the ways to name each option: its letter, and its text with and without an article.

    A text that names several options, another option's letter or nothing certain ("unknown") is no
    form of any of them: such options are read by their letters only.

    Beside them are the ways to say that nothing can be told.

    >>> option_forms("AB", ["the Garden", "kitchen"])["A"]
    ('a', 'the garden', 'garden')
    """
    said = [list(_ways_to_say(text)) for text in texts]
    times = Counter(way for ways in said for way in set(ways))
    taken = {label.lower() for label in labels} | set(_INDEFINITE["unknown"])
    own = {
        label: (label.lower(), *(way for way in ways if times[way] == 1 and way not in taken))
        for label, ways in zip(labels, said, strict=True)
    }
    return own | _INDEFINITE


def _ways_to_say(text: str) -> Iterator[str]:
    whole = " ".join(word.key for word in split_words(text))
    if whole:
        yield whole
    first, _, rest = whole.partition(" ")
    if first in _ARTICLES and rest:
        yield rest


def _alike(text: str) -> str:
    """Two options of which this is the same are one: "Red" and "red."; "C" and "C++" are not."""
    return " ".join(text.casefold().split()).rstrip(" .,;!?")
