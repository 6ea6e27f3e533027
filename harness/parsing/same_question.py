"""When two questions are one: the same content words in the same order, however they are asked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from harness.parsing.question_blocks import AUXILIARIES, strip_marks
from harness.words import split_words

MAX_LENGTH = 5_000
"""Characters of a question that are compared."""

_ASKED_ROUND = re.compile(
    r"\W*(?:(?:true or false|yes or no)\W+)?"
    r"(?:(?:is|was|would|could) it (?:be )?(?:actually |really )?(?:true|possible|correct|right|so"
    r"|accurate|the case|a fact|(?:fair|safe|accurate|correct|right) to say)(?: that| for)?"
    r"|(?:do|would) you (?:think|believe|say)(?: that)?)\b(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_SAYS_LITTLE = frozenset("a an the actually really truly indeed also therefore thus".split())
_ARTICLES = frozenset({"a", "an", "the"})
_SES = frozenset({"gases", "buses", "viruses"})
_LEADS = frozenset(
    "on in at under over during after before for from with without inside outside near above below"
    " today yesterday if when while".split()
)
_NEGATED = re.compile(r"(?:\w+n't|cannot)\Z")
_SIGN = re.compile(r"[<>=≤≥+×÷%$€£]")

Content = frozenset[tuple[str, ...]]
"""The orders in which a question's content words may stand; questions that share one are one."""


def content(question: str) -> Content:
    """Give the words that tell a question from others, in order.

    Articles, auxiliaries, modals, "is it true that", case, punctuation and the s of plurals and
    verbs are left out; a "not" in an auxiliary is not. A phrase before the auxiliary ("On the Moon,
    can ...") may stand at the end as well.

    >>> bool(content("Can a pear float?") & content("Is it true that pears float?"))
    True
    """
    text = question[:MAX_LENGTH]
    found = _ASKED_ROUND.match(text)
    rest = found["rest"] if found else ""
    asked = rest if split_words(rest) else text
    keys = [word.key for word in split_words(asked)]
    is_for = found is not None and text[: found.start("rest")].lower().endswith(" for")
    if "to" in keys and (is_for or (asked is rest and keys[0] == "to")):
        keys.remove("to")  # "is it possible for a person to hear"
    signs = tuple(_SIGN.findall(asked))
    orders = {tuple(_stems(keys)) + signs}
    fronted = _fronted(asked, keys)
    if fronted:
        orders.add((*_stems(keys[fronted:]), *_stems(keys[:fronted]), *signs))
    return frozenset(orders) if any(orders) else frozenset({tuple(keys)})


def is_same_question(one: Content, other: Content) -> bool:
    """Say whether two questions are one."""
    return not one.isdisjoint(other)


def content_of_options(options: Collection[str]) -> frozenset[tuple[str, ...]]:
    """Give what tells a set of options from another one, in whatever order they stand."""
    said = ([word.key for word in split_words(text)] for text in options)
    bare = (tuple(key for key in keys if key not in _ARTICLES) or tuple(keys) for keys in said)
    return frozenset(keys or (text,) for keys, text in zip(bare, options, strict=True))


def questions_in(prompt: str) -> frozenset[tuple[str, ...]]:
    """Give the content of every line of a prompt, without its number or its "Question:"."""
    found: set[tuple[str, ...]] = set()
    for line in prompt.split("\n"):
        for asked in strip_marks(line).split("?"):
            found |= content(asked) if asked.strip() else set()
    return frozenset(found)


def _stems(keys: Sequence[str]) -> Iterator[str]:
    for key in keys:
        if key in AUXILIARIES or _NEGATED.match(key):
            yield from ["not"] if _NEGATED.match(key) else []
        elif key not in _SAYS_LITTLE:
            yield _stem(key)


def _stem(key: str) -> str:
    """Take off the s of a plural, of a verb or of an owner."""
    key = re.sub(r"'s?\Z", "", key)
    if len(key) < 4 or not key.endswith("s") or key.endswith(("ss", "us", "is")) or key[0] < "a":
        return key
    if key.endswith("ies") and len(key) > 4:
        return f"{key[:-3]}y"
    takes_es = key in _SES or re.search(r"(?:ch|sh|x|ss|zz|\w{3}o)es\Z", key)
    return key[:-2] if takes_es else key[:-1]


def _fronted(asked: str, keys: Sequence[str]) -> int:
    """Count the words of a phrase that stands before the auxiliary; 0: there is none."""
    if not keys or keys[0] in AUXILIARIES:
        return 0
    for comma in re.finditer(",", asked):
        before = split_words(asked[: comma.start()])
        if len(before) < len(keys) and keys[len(before)] in AUXILIARIES:
            return len(before)
    if keys[0] not in _LEADS:
        return 0
    return next((place for place, key in enumerate(keys) if key in AUXILIARIES), 0)
