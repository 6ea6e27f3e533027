"""Two texts as one: what is the same, gone, new or masked, word by word."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from rapidfuzz.distance import Levenshtein

from harness.words import split_words

if TYPE_CHECKING:
    from harness.runs import TaskRun

Kind = Literal["", "gone", "new", "masked", "cut"]
MASKS = ("[REDACTED]", "[REMOVED]")
"""What stands for a masked word in the task files."""
MOST_TEXT, MOST_PAIRS = 1_000_000, 100_000_000
"""Most characters, and pairs of words, that are compared; beyond, one text replaces the other."""
AROUND_CHANGES = 200

_GAP = re.compile(r"\s+|\S+")


class Piece(NamedTuple):
    """A stretch of text, and whether it is the same (""), gone, new, masked, or cut.

    A piece that is cut holds a note about what was left out, not a text.
    """

    kind: Kind
    text: str


class _Run(NamedTuple):
    same: bool
    old: list[str]
    new: list[str]


def masks_of(task: TaskRun) -> tuple[str, ...]:
    """Give what stands for a masked word in a task: its own mask, if it has one, and the usual."""
    own = task.variant.get("mask")
    return MASKS if own is None else (own, *MASKS)


def compare_words(before: str, after: str, masks: Collection[str] = MASKS) -> tuple[Piece, ...]:
    """Tell what became of a text, word by word.

    The pieces that are the same, new or masked make up `after`, to the byte; those that are the
    same or gone make up `before`. A new word is masked if it is one of `masks`, in any case.

    >>> [tuple(piece) for piece in compare_words("a dull, long film", "a [redacted], long movie")]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('', 'a '), ('gone', 'dull'), ('masked', '[redacted]'), ('', ', long '), ('gone', 'film'),
     ('new', 'movie')]
    """
    if before == after:
        return _merged([Piece("", after)])
    start = _shared(before, after)
    old, new = before[start:], after[start:]
    end = _shared(old[::-1], new[::-1])
    old, new = old[: len(old) - end], new[: len(new) - end]
    middle = _changes(old, new, _mask_pattern(tuple(masks)))
    return _merged([Piece("", before[:start]), *middle, Piece("", after[len(after) - end :])])


def shorten(pieces: Sequence[Piece], limit: int) -> tuple[Piece, ...]:
    """Leave out of a long text what is far from its changes; then, if need be, its middle.

    >>> [piece.text for piece in shorten([Piece("new", "abcdefghij")], 4)]
    ['ab', '... 6 characters left out ...', 'ij']
    """
    if _size(pieces) <= limit:
        return tuple(pieces)
    near = [
        part
        for piece in pieces
        for part in ([piece] if piece.kind else _without_middle([piece], 2 * AROUND_CHANGES))
    ]
    fits = len(pieces) > 1 and _size(near) <= limit
    return tuple(near if fits else _without_middle(pieces, limit))


def _without_middle(pieces: Sequence[Piece], limit: int) -> list[Piece]:
    """Keep so many characters, half of them at either end."""
    left_out = _size(pieces) - limit
    if left_out <= 0:
        return list(pieces)
    head, rest = _split(pieces, limit // 2)
    _, tail = _split(rest, left_out)
    what = "character" if left_out == 1 else "characters"
    return [*head, Piece("cut", f"... {left_out} {what} left out ..."), *tail]


def _split(pieces: Sequence[Piece], size: int) -> tuple[list[Piece], list[Piece]]:
    """Split pieces after so many characters."""
    for place, (kind, text) in enumerate(pieces):
        if len(text) > size:
            head = [Piece(kind, text[:size])] if size else []
            return [*pieces[:place], *head], [Piece(kind, text[size:]), *pieces[place + 1 :]]
        size -= len(text)
    return list(pieces), []


def _size(pieces: Iterable[Piece]) -> int:
    return sum(len(piece.text) for piece in pieces if piece.kind != "cut")


def _shared(one: str, other: str) -> int:
    """Count the characters that two texts begin with alike, to the end of a space."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    while low and not one[low - 1].isspace():
        low -= 1
    return low


def _changes(old: str, new: str, masks: re.Pattern[str] | None) -> Iterator[Piece]:
    words, others = [], []
    if len(old) + len(new) <= MOST_TEXT:
        words, others = list(_tokens(old, masks)), list(_tokens(new, masks))
    if not words or not others or len(words) * len(others) > MOST_PAIRS:
        yield Piece("gone", old)
        yield from (Piece(_kind(token, masks), token) for token in others or [new])
        return
    for run in _bridged(_runs(words, others), masks):
        if run.same:
            yield Piece("", "".join(run.old))
        else:
            yield Piece("gone", "".join(run.old))
            yield from (Piece(_kind(token, masks), token) for token in run.new)


def _runs(old: list[str], new: list[str]) -> list[_Run]:
    """Align two texts: runs of tokens that are the same, and changes between them."""
    codes: dict[str, int] = {}
    ours, theirs = ([codes.setdefault(word, len(codes)) for word in told] for told in (old, new))
    runs: list[_Run] = []
    for step in Levenshtein.opcodes(ours, theirs):
        run = _Run(
            step.tag == "equal",
            old[step.src_start : step.src_end],
            new[step.dest_start : step.dest_end],
        )
        _append(runs, run, joined=not run.same)
    return runs


def _bridged(runs: list[_Run], masks: re.Pattern[str] | None) -> list[_Run]:
    """Join changes with only space between them: they are one, unless words were masked."""
    told: list[_Run] = []
    for place, run in enumerate(runs):
        beside = [word for other in runs[max(0, place - 1) : place + 2] for word in other.new]
        bridge = (
            run.same
            and 0 < place < len(runs) - 1
            and all(word.isspace() for word in run.new)
            and not any(_kind(word, masks) == "masked" for word in beside)
        )
        _append(told, run, joined=bridge or not run.same)
    return told


def _append(runs: list[_Run], run: _Run, joined: bool) -> None:
    if joined and runs and not runs[-1].same:
        runs[-1].old.extend(run.old)
        runs[-1].new.extend(run.new)
    else:
        runs.append(_Run(run.same, list(run.old), list(run.new)))


def _tokens(text: str, masks: re.Pattern[str] | None) -> Iterator[str]:
    """Split a text into words, masks, and the spaces and marks between them."""
    parts = [text] if masks is None else masks.split(text)
    for place, part in enumerate(parts):
        if place % 2:
            yield part
            continue
        last = 0
        for word in split_words(part):
            yield from _GAP.findall(part[last : word.start])
            yield part[word.start : word.end]
            last = word.end
        yield from _GAP.findall(part[last:])


def _kind(word: str, masks: re.Pattern[str] | None) -> Kind:
    return "masked" if masks is not None and masks.fullmatch(word) else "new"


def _merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Join neighbours of one kind, and drop what is empty."""
    kinds: list[Kind] = []
    texts: list[list[str]] = []
    for kind, text in pieces:
        if kinds and kinds[-1] == kind:
            texts[-1].append(text)
        elif text:
            kinds.append(kind)
            texts.append([text])
    return tuple(Piece(kind, "".join(told)) for kind, told in zip(kinds, texts, strict=True))


@lru_cache(maxsize=16)
def _mask_pattern(masks: tuple[str, ...]) -> re.Pattern[str] | None:
    ways = []
    for mask in sorted(filter(None, masks), key=len, reverse=True):
        before = r"(?<!\w)" if mask[0].isalnum() else ""
        after = r"(?!\w)" if mask[-1].isalnum() else ""
        ways.append(f"{before}{re.escape(mask)}{after}")
    return re.compile(f"({'|'.join(ways)})", re.IGNORECASE) if ways else None
