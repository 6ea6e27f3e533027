"""Reads feedback on an answer out of what a teacher writes: right or wrong, why, what is right.

Three labels tell the parts ("Verdict:", "Why:", "What would be right:"); the verdict may stand
first without its label, because a model without a chat template goes on after it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from finetune.writing.teacher_answers import COPIED, CUT_OFF, is_copied, is_cut_off
from harness.parsing import Reading, is_refusal
from harness.parsing.replies import drop_quotes, plain
from harness.parsing.turns import own_turn
from harness.words import split_words

MAX_LENGTH = 5_000
"""Characters of a reply that are read; the limit of tokens leaves room for far fewer."""
MOST_WORDS = 80
"""Of a reason; those that the prompt shows have about fifteen."""
FEWEST_WORDS = 3
"""Of a reason: "It is." is none."""

REFUSED = "refused"
NO_VERDICT = "no verdict"
NO_REASON = "no reason"
NO_RIGHT_ANSWER = "no right answer"
TOO_LONG = "too long"
MENTIONS = "mentions the right answers"

_VERDICT, _WHY, _RIGHT = "verdict", "why", "right"
_LABEL = re.compile(
    r"^[^\w\n]*(?:\d{1,2}[.)][^\w\n]*)?(?:the[ ]|my[ ])?(?:"
    r"(?P<verdict>verdict|judge?ment)|(?P<why>why|reason|explanation)"
    r"|(?P<right>what would (?:be|have been) right|(?:right|correct) answer)"
    r"|(?P<other>passage|question|right answers|answer given))\b[^\w\n:]{0,3}:[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
_SAYS = re.compile(
    r"(?:the (?:given )?answer (?:given )?is )?(?:(?P<right>right|correct)|wrong|incorrect"
    r"|not (?:right|correct))",
    re.IGNORECASE,
)
_MENTIONS = re.compile(
    r"\b(?:right|correct|reference|gold|accepted|acceptable|expected|listed|provided) answers\b"
    r"|\b(?:reference|gold|listed|provided) answer\b|\banswer key\b"
    r"|\b(?:right|correct|expected) answer(?: that)?(?: is| was)?"
    r" (?:given|listed|provided|stated)\b",
    re.IGNORECASE,
)


class Feedback(NamedTuple):
    """What an answer is worth.

    Attributes:
        is_right: whether it is right.
        why: on one line.
        right_answer: what would be right, on one line; "" if nobody says so.
    """

    is_right: bool
    why: str
    right_answer: str


class _Part(NamedTuple):
    """What stands after a label, and whether something follows it: then it was not cut off."""

    text: str = ""
    is_followed: bool = False


def read_feedback(reply: str, shown: str = "") -> Reading[Feedback]:
    """Read the first feedback of a reply; strictly: a verdict is one word.

    A reply that reached its limit of tokens within its last part is cut off; where that is not
    known (`Answer.cut_off` is None) it counts as whole.

    Args:
        reply: what the teacher wrote.
        shown: the examples of its prompt; a reason that stands in them is copied.

    >>> read_feedback("wrong\\nWhy: It was in 1911.\\nWhat would be right: 1911").value
    Feedback(is_right=False, why='It was in 1911.', right_answer='1911')
    """
    body = plain(own_turn(reply[:MAX_LENGTH]))
    if is_refusal(body):
        return Reading.unreadable(REFUSED)
    parts = _parts(body)
    verdict = _SAYS.fullmatch(parts[_VERDICT].text.strip(" .,;:!-–—\"'“”"))
    why, right = parts[_WHY].text, parts[_RIGHT].text
    is_right = bool(verdict and verdict["right"])
    reason = (
        (None if verdict else NO_VERDICT)
        or _fault(why, shown)
        or (None if right or is_right else NO_RIGHT_ANSWER)
    )
    last = parts[_RIGHT if right else _WHY]
    if is_cut_off(reply) and not last.is_followed:
        reason = CUT_OFF  # whatever is lacking would have followed
    return Reading.unreadable(reason) if reason else Reading.read(Feedback(is_right, why, right))


def _fault(why: str, shown: str) -> str | None:
    """Say why a reason cannot be used, or None."""
    if len(split_words(why)) < FEWEST_WORDS:
        return NO_REASON
    if len(split_words(why)) > MOST_WORDS:
        return TOO_LONG
    if is_copied(why, shown):
        return COPIED
    return MENTIONS if _MENTIONS.search(why) else None


def _parts(body: str) -> dict[str, _Part]:
    """Find the parts of the first feedback; those that are not there are empty."""
    labels = list(_LABEL.finditer(body))
    found: dict[str, _Part] = {}
    if not labels or body[: labels[0].start()].strip():
        end = labels[0].start() if labels else len(body)
        if _SAYS.match(body.lstrip()) or not any(one["verdict"] for one in labels):
            found[_VERDICT] = _Part(body[:end].strip(), end < len(body))
    for place, label in enumerate(labels):
        name = str(label.lastgroup)
        if name in found or (found and name == "other"):
            break  # the next example
        end = labels[place + 1].start() if place + 1 < len(labels) else len(body)
        if name != "other":
            found[name] = _cut(body[label.end() : end], end < len(body), name)
    return {name: found.get(name, _Part()) for name in (_VERDICT, _WHY, _RIGHT)}


def _cut(text: str, is_followed: bool, name: str) -> _Part:
    """Take the first line of what stands after a label; of a reason its first paragraph."""
    told, _, rest = text.strip().partition("\n\n" if name == _WHY else "\n")
    return _Part(drop_quotes(" ".join(told.split())), is_followed or bool(rest.strip()))
