"""The label that answers a question, from a reply that may be only it, or also tell why."""

from __future__ import annotations

import re

from harness.parsing.explained import read_explained, read_predicted
from harness.parsing.reading import Reading
from harness.parsing.statements import Forms

_CONCLUDES = re.compile(
    r"(?<!\w)(?:so|therefore|thus|hence)\W{1,3}(?:\w+ ){0,3}answer\b", re.IGNORECASE
)
_OPENS = re.compile(r"\W*(?:the |my )?(?:\w+ )?answer is\b", re.IGNORECASE)


def read_chosen(answer: str, forms: Forms) -> Reading[str]:
    """Read the label of a reply: "B", "(B) park", "B because ...", "... So the answer is B.".

    One that concludes is read as an explanation with its answer, any other as a short answer.

    Args:
        answer: what the model wrote.
        forms: label -> the ways to say it, in lower case.

    >>> forms = {"A": ("a", "bank"), "B": ("b", "park")}
    >>> replies = ["(B) park", "A bank has no trees. So the answer is B."]
    >>> [read_chosen(reply, forms).value for reply in replies]
    ['B', 'B']
    """
    if _CONCLUDES.search(answer):
        return read_explained(answer, forms).label
    reading = read_predicted(answer, forms)
    if reading.value is None and _OPENS.match(answer):
        return read_explained(answer, forms).label
    return reading
