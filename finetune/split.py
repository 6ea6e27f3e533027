"""The leak guard: nothing is trained on that is scored.

Two texts are one if they are equal but for case, punctuation and spaces. They are near copies if
they share a run of `LONGEST` words, or all words of the shorter one, which must be `SHORTEST` or
more. The runs are those of GPT-3's decontamination (Brown et al. 2020, arXiv:2005.14165, appendix
C): 13 words, fewer for shorter examples, never under 8.
"""

from __future__ import annotations

import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.data import Doc, Split
from harness.errors import DataError

LONGEST, SHORTEST = 13, 8
"""Words in a run that two texts may not share; of shorter texts all, if so many."""
NESTED = 4
"""Words in a text within a list or mapping of a document (an option) that is compared at all."""
SAME_DOCUMENT, SAME_TEXT, NEAR_COPY = "same document", "same text", "near copy"


@dataclass(frozen=True)
class Leak:
    """Something that must not be trained on.

    Attributes:
        hash: of the training document; "" of a text.
        dataset: the evaluated data that has it.
        why: `SAME_DOCUMENT`, `SAME_TEXT` or `NEAR_COPY`.
    """

    hash: str
    dataset: str
    why: str


@dataclass(frozen=True)
class Guarded:
    """Documents that may be trained on, their hashes, and what was left out."""

    docs: list[Doc]
    hashes: list[str]
    leaked: list[Leak]


def guard(
    docs: Sequence[Doc],
    hashes: Sequence[str],
    text_of: Callable[[Doc], Iterable[str]],
    evaluated: Iterable[Split],
    fewest: int = 1,
) -> Guarded:
    """Leave out the documents that match an evaluated one.

    Args:
        docs: documents to train on.
        hashes: `doc_hash` of each.
        text_of: gives the texts of a document that are compared.
        evaluated: the splits that are scored.
        fewest: how many documents must be left.

    Raises:
        DataError: fewer are left; says how many were left out, and for which data.
    """
    splits = list(evaluated)
    known = {digest: str(split.ref) for split in splits for digest in split.hashes}
    texts = {digest: list(text_of(doc)) for digest, doc in zip(hashes, docs, strict=True)}
    copies = _find(texts, splits)
    leaked = {}
    for digest in dict.fromkeys(hashes):
        if digest in known:
            leaked[digest] = Leak(digest, known[digest], SAME_DOCUMENT)
        elif digest in copies:
            leaked[digest] = Leak(digest, *copies[digest])
    kept = [place for place, digest in enumerate(hashes) if digest not in leaked]
    if len(kept) < fewest:
        raise DataError(_too_few(len(kept), len(docs), fewest, leaked.values()))
    return Guarded([docs[n] for n in kept], [hashes[n] for n in kept], list(leaked.values()))


def leaks(texts: Iterable[str], evaluated: Iterable[Split]) -> dict[str, Leak]:
    """Find the texts that a text of an evaluated document equals or nearly copies.

    Returns:
        Text -> where it is; texts that are nowhere are left out.
    """
    found = _find({text: [text] for text in texts}, list(evaluated))
    return {text: Leak("", *told) for text, told in found.items()}


def normalised(text: str) -> str:
    """Reduce a text to what tells it from others: no case, punctuation, spaces, widths.

    >>> normalised("Don’t panic!") == normalised("DON'T  panic")
    True
    """
    return "".join(split(text))


def split(text: str) -> list[str]:
    """Cut a text into words without case and punctuation.

    >>> split("Is C++ a language?")
    ['is', 'c++', 'a', 'language']
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).translate(_separators()).split()


Found = tuple[str, str]
"""The data that has a text, and why it is taken for the same."""


def _find(texts: Mapping[str, Iterable[str]], splits: Sequence[Split]) -> dict[str, Found]:
    """Find those whose texts an evaluated document has: name -> where, and why."""
    candidates = _Candidates(texts)
    for one in {split.fingerprint: split for split in splits}.values():
        for doc in one.docs:
            for words in _compared(doc):
                candidates.meet(words, str(one.ref))
    candidates.settle()
    return candidates.found


class _Candidates:
    """The texts that may leak, looked up by what an evaluated text may share with them."""

    def __init__(self, texts: Mapping[str, Iterable[str]]) -> None:
        self.texts = [(name, split(text)) for name, told in texts.items() for text in told]
        self.found: dict[str, Found] = {}
        self._whole: defaultdict[str, set[str]] = defaultdict(set)
        self._runs: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        self._brief: dict[tuple[str, ...], str] = {}
        for name, words in self.texts:
            if words:
                self._whole["".join(words)].add(name)
            for run in _runs(words, min(LONGEST, len(words))):
                self._runs[run].add(name)
        self._sizes = sorted({len(run) for run in self._runs})
        self._starts = {run[:SHORTEST] for run in self._runs}

    def meet(self, words: Sequence[str], place: str) -> None:
        """Compare all with an evaluated text.

        A run is met once: whoever has it is found by then.
        """
        self._note(self._whole.pop("".join(words), ()), (place, SAME_TEXT))
        for at in range(len(words) - SHORTEST + 1):
            if tuple(words[at : at + SHORTEST]) in self._starts:
                for size in self._sizes:
                    run = tuple(words[at : at + size])
                    self._note(self._runs.pop(run, ()), (place, NEAR_COPY))
        if SHORTEST <= len(words) < LONGEST:
            self._brief.setdefault(tuple(words), place)

    def settle(self) -> None:
        """Find the evaluated texts under `LONGEST` words that stand within a longer text."""
        sizes = sorted({len(run) for run in self._brief})
        for name, words in self.texts:
            for run in (run for size in sizes for run in _runs(words, size)):
                if run in self._brief:
                    self._note([name], (self._brief[run], NEAR_COPY))

    def _note(self, names: Iterable[str], told: Found) -> None:
        for name in names:
            self.found.setdefault(name, told)


def _runs(words: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """Go through the runs of so many words; there is none under `SHORTEST`."""
    if size >= SHORTEST:
        yield from (tuple(words[at : at + size]) for at in range(len(words) - size + 1))


def _compared(doc: Mapping[str, Any]) -> Iterator[list[str]]:
    """Give the words of the texts of an evaluated document that are compared."""
    for value in doc.values():
        if isinstance(value, str):
            yield split(value)
        else:
            yield from (words for words in map(split, _nested(value)) if len(words) >= NESTED)


def _nested(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for inside in value.values() if isinstance(value, Mapping) else value:
            yield from _nested(inside)


def _too_few(kept: int, given: int, fewest: int, leaked: Iterable[Leak]) -> str:
    counts = Counter(leak.dataset for leak in leaked)
    told = ", ".join(f"{number} in {dataset}" for dataset, number in counts.most_common())
    cause = f"left out are those that evaluated data has, too: {told}" if counts else "none leaked"
    return (
        f"{kept} of {given} documents may be trained on, at least {fewest} are needed; {cause}. "
        "Take other or more documents (`data`), or score on other tasks (`score.tasks`)"
    )


@lru_cache(maxsize=1)
def _separators() -> dict[int, str | None]:
    """Map punctuation, spaces and control characters to a space, invisible ones to nothing."""
    kinds = ((code, unicodedata.category(chr(code))) for code in range(sys.maxunicode + 1))
    return {
        code: None if kind == "Cf" else " "
        for code, kind in kinds
        if kind[0] in "PZ" or kind in {"Cc", "Cf", "Cs"}
    }
