"""The words of a text and what can be done to them: mask, replace, find, compare, draw.

A text is split once; everything else speaks of its words by their index in that list.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz.distance import LCSseq, Levenshtein

from harness.stopwords import STOP_WORDS

_APOSTROPHES = "'`´‘’ʼ′＇"
_HYPHENS = "\u002d\u2010\u2011"
_INVISIBLE = "\u00ad\u200b-\u200d\u2060\ufeff"
# Scripts written without spaces: every character is a word, or a whole sentence would be one.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# The alignment matrix takes one bit per pair of words: this is 50 MB.
_MAX_PAIRS = 400_000_000

_TO_PLAIN = str.maketrans({**dict.fromkeys(_APOSTROPHES, "'"), **dict.fromkeys(_HYPHENS, "-")})
_DROP_INVISIBLE = re.compile(f"[{_INVISIBLE}]+")


class Word(NamedTuple):
    """One word of a text: where it stands, and the form in which words are compared."""

    start: int
    end: int
    key: str


class Alignment(NamedTuple):
    """What a rewrite kept of a text.

    Attributes:
        kept: indices of the original words found again, in order, in the rewrite.
        matched: how many words of the rewrite they are.
        of: how many words the rewrite has.
    """

    kept: frozenset[int]
    matched: int
    of: int


def split_words(text: str, mask: str = "") -> list[Word]:
    """Find the words of a text, in order.

    A word is a run of letters, digits and their combining marks, joined inside by single
    apostrophes or hyphens; in scripts without spaces each character is one. HTML tags, HTML
    entities and occurrences of `mask` (in any case) are not words.

    >>> [word.key for word in split_words("Don't<br />miss [REDACTED]!", mask="[REDACTED]")]
    ["don't", 'miss']
    """
    return [
        Word(*match.span(), _key(match[0]))
        for match in _pattern(mask).finditer(text)
        if match.lastgroup == "word"
    ]


def mask_words(text: str, chosen: Collection[int], mask: str, words: Sequence[Word]) -> str:
    """Put `mask` in the place of each chosen word, one for one; all else stays byte for byte."""
    return replace_words(text, dict.fromkeys(chosen, mask), words)


def replace_words(text: str, replacement: Mapping[int, str], words: Sequence[Word]) -> str:
    """Put another text in the place of some words.

    Args:
        text: the text that was split.
        replacement: index of a word -> what takes its place.
        words: all words of `text`.

    >>> replace_words("well-made, fun!", {0: "dull"}, split_words("well-made, fun!"))
    'dull, fun!'
    """
    parts, last = [], 0
    for index in sorted(replacement):
        parts += [text[last : words[index].start], replacement[index]]
        last = words[index].end
    return "".join([*parts, text[last:]])


def find_listed(listed: Iterable[str], words: Sequence[Word]) -> frozenset[int]:
    """Find every word of a text that a list of words and phrases names.

    An item of several words names only places where they stand together in that order; an item
    without a word names nothing.

    >>> sorted(find_listed(["Not good"], split_words("good, not good")))
    [1, 2]
    """
    codes: dict[str, str] = {}
    # One character per word: slices of a string are cheap to cut and to look up.
    text = "".join(codes.setdefault(word.key, chr(len(codes))) for word in words)
    phrases: defaultdict[int, set[str]] = defaultdict(set)
    for item in listed:
        keys = [word.key for word in split_words(item)]
        if keys and all(key in codes for key in keys):
            phrases[len(keys)].add("".join(codes[key] for key in keys))
    return _covered(text, phrases)


def _covered(text: str, phrases: Mapping[int, Collection[str]]) -> frozenset[int]:
    """Find the places of a text that phrases, grouped by length, cover."""
    longest = [0] * len(text)
    for length in sorted(phrases):
        for start in range(len(text) - length + 1):
            if text[start : start + length] in phrases[length]:
                longest[start] = length
    covered, reach = [], 0
    for start, length in enumerate(longest):
        reach = max(reach, start + length)
        if start < reach:
            covered.append(start)
    return frozenset(covered)


def edit_distance(a: Sequence[Word], b: Sequence[Word]) -> int:
    """Count the words to insert, delete or replace to get from one text to the other."""
    return Levenshtein.distance(_keys(a), _keys(b))


def align(original: Sequence[Word], rewrite: Sequence[Word]) -> Alignment:
    """Find the original words that a rewrite kept: a longest common subsequence.

    A rewrite much longer than the original (over 4 n + 50 words) aligns with nothing, and so does
    a pair too large to compare.
    """
    too_long = len(rewrite) > 4 * len(original) + 50
    if too_long or len(original) * len(rewrite) > _MAX_PAIRS:
        return Alignment(frozenset(), 0, len(rewrite))
    steps = LCSseq.opcodes(_keys(original), _keys(rewrite))
    kept = frozenset(
        index
        for step in steps
        if step.tag == "equal"
        for index in range(step.src_start, step.src_end)
    )
    return Alignment(kept, len(kept), len(rewrite))


def slide(kept: frozenset[int], words: Sequence[Word]) -> frozenset[int]:
    """Move kept words that stand alone up to what follows them, where the same word stands there.

    For a rewrite that leaves words out without a mask: of "the cat sat. The dog ran", shortened to
    "the dog ran", the second "the" is kept.

    >>> words = split_words("the cat sat. The dog ran")
    >>> sorted(slide(frozenset({0, 4, 5}), words))
    [3, 4, 5]
    """
    slid = set(kept)
    following = len(words)
    for place in sorted(kept, reverse=True):
        before = following - 1
        alone = place - 1 not in slid and before > place
        if alone and following < len(words) and words[before].key == words[place].key:
            slid -= {place}
            slid |= {before}
            following = before
        else:
            following = place
    return frozenset(slid)


def draw_control(
    chosen: Collection[int], words: Sequence[Word], rng: random.Random
) -> frozenset[int] | None:
    """Draw as many words as were chosen, from the others, with as many stop-words among them.

    None if there are too few others of either kind. The same state of `rng` gives the same words.
    """
    taken = frozenset(chosen)
    drawn: list[int] = []
    for wants_stop in (True, False):
        alike = [i for i, word in enumerate(words) if (word.key in STOP_WORDS) is wants_stop]
        count = sum(index in taken for index in alike)
        others = [index for index in alike if index not in taken]
        if count > len(others):
            return None
        drawn += rng.sample(others, count)
    return frozenset(drawn)


def _keys(words: Sequence[Word]) -> list[str]:
    return [word.key for word in words]


def _key(word: str) -> str:
    if word.isascii():
        return word.lower().translate(_TO_PLAIN)
    visible = _DROP_INVISIBLE.sub("", unicodedata.normalize("NFKC", word))
    return unicodedata.normalize("NFKC", visible.casefold()).translate(_TO_PLAIN)


@lru_cache(maxsize=1)
def _marks() -> str:
    """Spell all combining marks as a character class: `re` has no name for them."""
    planes = (range(0x300, 0x1F000), range(0xE0100, 0xE01F0))
    return "".join(
        chr(code)
        for plane in planes
        for code in plane
        if unicodedata.category(chr(code)).startswith("M")
    )


@lru_cache(maxsize=64)
def _pattern(mask: str) -> re.Pattern[str]:
    letter = rf"[^\W_{_UNSPACED}]"
    joined = rf"(?:[{_HYPHENS}{_APOSTROPHES}]|[{_INVISIBLE}]+){letter}+"
    spaced = rf"{letter}+(?:[{_marks()}]+{letter}*|{joined})*"
    word = rf"(?P<word>(?=\w)[{_UNSPACED}][{_marks()}]*|{spaced})"
    markup = r"</?[A-Za-z][^<>]{0,200}>|&(?:[A-Za-z]{2,8}|#\w{1,6});"
    return re.compile("|".join([*_mask_pattern(mask), markup, word]))


def _mask_pattern(mask: str) -> list[str]:
    if not mask:
        return []
    before = r"(?<!\w)" if mask[0].isalnum() else ""
    after = r"(?!\w)" if mask[-1].isalnum() else ""
    return [f"(?i:{before}{re.escape(mask)}{after})"]
