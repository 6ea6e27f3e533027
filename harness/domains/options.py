"""Options of a question, however a data set holds them: read, lettered, named in answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from harness.domains.item import UNKNOWN_FORMS
from harness.domains.yes_no import SILENT_FORMS
from harness.words import split_words

_INDEFINITE = {"unknown": UNKNOWN_FORMS, "silent": SILENT_FORMS}
_ARTICLES = {"a", "an", "the"}


class Options:
    """The options of a data set's questions.

    Args:
        where: a column, or the texts that all documents have in common. A column holds a list of
            texts, name -> text (MCTest, MedQA), or {"text": [...], "label": [...]} (ARC).
        answer: the column with the name of the right option, or its text.
    """

    def __init__(self, where: str | Sequence[str], answer: str) -> None:
        self.where, self.answer = where, answer

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [self.answer, *([self.where] if isinstance(self.where, str) else [])]

    def problem(self, doc: Mapping[str, Any]) -> str | None:
        """Say what is wrong with the options of a document that has the columns, or None."""
        told = self._told(doc)
        names, texts = [name for name, _ in told], [text for _, text in told]
        if not 2 <= len(told) <= len(ascii_uppercase):
            return f"{len(told)} options can be read; allowed: 2 to {len(ascii_uppercase)}"
        if not all(isinstance(text, str) and text.strip() for text in texts):
            return f"an option is empty or no text: {str(texts)[:80]}"
        if len(set(names)) < len(names):
            return f"options of one name: {', '.join(names)[:80]}"
        if self._place(doc, told) is None:
            got = str(doc[self.answer])[:80]
            return f"{self.answer!r} is {got!r}, which is none of the options"
        return None

    def texts(self, doc: Mapping[str, Any]) -> tuple[str, ...]:
        """Give the options of a document without problems, each on one line."""
        return tuple(" ".join(text.split()) for _, text in self._told(doc))

    def right(self, doc: Mapping[str, Any]) -> str:
        """Give the letter of the right option of a document without problems."""
        place = self._place(doc, self._told(doc))
        assert place is not None, "problem() was not asked"
        return ascii_uppercase[place]

    def all_right(self, doc: Mapping[str, Any]) -> frozenset[str]:
        """Give the letters of all options that say what the right one does.

        CommonsenseQA has rows with "office" twice, both of which are right.
        """
        texts, right = self.texts(doc), ascii_uppercase.index(self.right(doc))
        return frozenset(
            label
            for label, text in zip(letters(texts), texts, strict=True)
            if _alike(text) == _alike(texts[right])
        )

    def _told(self, doc: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Give the name of each option in the data set, and its text."""
        told = doc[self.where] if isinstance(self.where, str) else list(self.where)
        if isinstance(told, Mapping) and set(told) == {"text", "label"}:
            names, texts = told["label"], told["text"]
            fits = isinstance(names, list) and isinstance(texts, list) and len(names) == len(texts)
            return list(zip(map(str, names), texts, strict=True)) if fits else []
        if isinstance(told, Mapping):
            return list(told.items())
        return [(str(n), text) for n, text in enumerate(told)] if isinstance(told, list) else []

    def _place(self, doc: Mapping[str, Any], told: list[tuple[str, str]]) -> int | None:
        answer = doc[self.answer]
        if not isinstance(answer, (str, int)):
            return None
        named = not isinstance(doc.get(str(self.where), []), list)
        for place in (0, 1) if named else (1,):  # an option's text may be another one's name
            for index, option in enumerate(told):
                if option[place].strip() == str(answer).strip():
                    return index
        return None


def letters(options: Sequence[str]) -> tuple[str, ...]:
    """Give one letter for each option."""
    return tuple(ascii_uppercase[: len(options)])


def lettered(options: Sequence[str]) -> str:
    r"""Write options as prompts show them.

    >>> lettered(["garden", "kitchen"])
    'A) garden\nB) kitchen'
    """
    return "\n".join(
        f"{label}) {text}" for label, text in zip(letters(options), options, strict=True)
    )


def either(labels: Sequence[str]) -> str:
    """Say what may be answered.

    >>> either(["A", "B", "C"])
    'A, B or C'
    """
    return f"{', '.join(labels[:-1])} or {labels[-1]}"


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
