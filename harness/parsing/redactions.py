"""Which words of a text a rewrite with redactions hides."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from harness.parsing.edits import read_edit
from harness.parsing.reading import Reading
from harness.words import Word, align, slide, split_words

ALIGNED_SHARE = 0.8
"""Share of the words a rewrite kept that must be the original's, in its order."""

_BLOCKS = "█▓▒░■▮▬▇▆●"
_SAID = r"(?:redact(?:ed|ion)?|removed|masked?|blank(?:ed)?|hidden|omitted|censored|deleted|x{2,})"


def read_redaction(
    answer: str, original: Sequence[Word], mask: str, text: str = ""
) -> Reading[frozenset[int]]:
    """Read which words of the original a rewrite replaced or removed.

    Words that the rewrite adds are ignored, but a rewrite of which under 80% of the words align
    with the original is unreadable. Hiding nothing is readable: an empty set.

    Args:
        answer: what the model wrote.
        original: the words of the text it was to redact.
        mask: the mask word it was told to use; the usual stand-ins count as well.
        text: the original itself; what stands there is no remark of the model.
    """
    edit = read_edit(answer, text)
    if edit.value is None:
        return Reading.unreadable(edit.reason or "empty")
    own = Counter(_fold(mask).findall(text))
    said = Counter(_fold(mask).findall(edit.value))
    # what the original itself has as often ("XXX") hides nothing
    rewrite = _fold(mask).sub(
        lambda found: found[0] if said[found[0]] <= own[found[0]] else mask, edit.value
    )
    kept_words = split_words(rewrite, mask)
    places = _same_places(rewrite, mask, original)
    if places is not None:
        return Reading.read(places)
    aligned = align(original, kept_words)
    hides = mask.casefold() in rewrite.casefold()
    if aligned.matched < ALIGNED_SHARE * aligned.of or not (aligned.of or hides):
        return Reading.unreadable("does not align")
    kept = aligned.kept if hides else slide(aligned.kept, original)
    return Reading.read(frozenset(range(len(original))) - kept)


def _same_places(rewrite: str, mask: str, original: Sequence[Word]) -> frozenset[int] | None:
    """Compare word for word where the rewrite has one word or mask for each original word.

    Where words repeat, a longest common subsequence may keep the wrong one of them.
    """
    token = "redactedword"
    keys = [word.key for word in split_words(rewrite.replace(mask, f" {token} "))]
    if len(keys) != len(original):
        return None
    hidden = {index for index, key in enumerate(keys) if key != original[index].key}
    return frozenset(hidden) if all(keys[index] == token for index in hidden) else None


@lru_cache(maxsize=16)
def _fold(mask: str) -> re.Pattern[str]:
    """Match the mask and what models write instead of it, with an ending that hangs on."""
    name = re.escape(mask.strip("[](){}<>_*# "))
    said = rf"(?:{name}|{_SAID})" if name else _SAID
    bracketed = rf"[\[({{<]\s*(?i:{said})(?:[^\[\](){{}}<>\n]{{0,30}}[\])}}>]|[_ #-]?\d{{0,4}})"
    bare = rf"(?<!\w)(?:{name}|REDACTED)(?:_\d{{1,4}})?\]?(?!\w)" if name else r"(?!)"
    blank = r"\[\s{0,3}(?:\.{1,9}|…|_{1,99}|\*{1,99}|-{1,99})?\s{0,3}\]"
    signs = rf"_{{2,}}|[{_BLOCKS}]+|\*{{3,}}|-{{5,}}|(?<!\w)X{{3,}}(?!\w)|~~[^~\n]{{1,100}}~~"
    exact = f"(?i:{re.escape(mask)})"
    ending = r"(?:['’-]\w{1,20})?"
    return re.compile(f"(?:{exact}|{bracketed}|{bare}|{blank}|{signs}){ending}")
