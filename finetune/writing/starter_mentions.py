"""Whether an answer points back at the question that it was written after.

Such an answer makes no sense to somebody who sees only the question that it belongs to.
"""

from __future__ import annotations

import re

from finetune.split import normalised, split

MAX_LENGTH = 5_000
"""Characters of an answer that are read."""
QUOTED = 4
"""A starter question of so many words or more counts as quoted where all of it stands."""

_THING = r"(?:questions?|explanations?|answers?|reply|replies|responses?|rationale|reasoning)"
_SOURCE = (
    r"(?:questions?|explanations?|answers?|reply|reasons?|reasoning|rationale|statements?|texts?"
    r"|passages?|paragraphs?|context|information|facts?|examples?)"
)
_EARLIER = (
    r"(?:starter|original|previous|earlier|first|initial|given|above|preceding|prior|other|former"
    r"|starting|provided|related|main)"
)
_THE = r"(?:the|this|that|their|these|those|your|my)"
_TOLD = r"(?:mentioned|stated|explained|said|noted|described|discussed|shown|established)"
_BACK = r"(?:above|earlier|before|previously|already)"
_MENTION = re.compile(
    rf"\b{_EARLIER} (?:yes[- ]or[- ]no )?{_THING}\b"
    rf"|\b{_EARLIER} (?:text|passage|statement|information|paragraph|example)s?\b"
    rf"|\b{_SOURCE} (?:above|given|provided)\b"
    rf"|\bas (?:was |is |has been |have |I |we )*(?:{_BACK} )?{_TOLD}(?: {_BACK}\b|[,.;:])"
    rf"|\bas (?:was |is |I |we )*{_TOLD} (?:in|by) {_THE} {_SOURCE}\b"
    rf"|\b{_TOLD} (?:above|earlier|previously)\b"
    rf"|\b(?:according to|based on|consistent with|follows? from|as per|given|from|in)"
    rf" {_THE} (?:same )?(?:explanation|reasons|reasoning|rationale|question|text|passage"
    r"|paragraph)\b(?! (?:of|for|why)\b)"
    rf"|\b(?:according to|based on|consistent with|as per|given) {_THE} (?:same )?"
    r"(?:answer|context|information|facts?|statements?)\b(?! (?:of|that|about)\b)"
    rf"|\b{_THE} {_SOURCE} (?:say|state|tell|mention|explain|impl|ask|give|provide|suggest|make"
    r"|indicate|do not|does not|don['’]t|doesn['’]t|only)"
    r"|\b(?:the|this|that|their) explanation\b(?! (?:of|for|why|is that)\b)"
    r"|\b(?:somebody|someone|the (?:author|speaker|writer)) (?:answer|explain|sa(?:id|ys)|state)",
    re.IGNORECASE,
)


def mentions_starter(answer: str, question: str) -> bool:
    """Say whether an answer mentions or quotes a starter question or its explanation.

    Args:
        answer: to another question.
        question: the starter question.

    >>> mentions_starter("As the explanation says, pears float.", "Would a pear sink?")
    True
    >>> mentions_starter("Pears float because they hold air.", "Would a pear sink?")
    False
    """
    text = " ".join(answer[:MAX_LENGTH].split())
    if _MENTION.search(text):
        return True
    return len(split(question)) >= QUOTED and normalised(question) in normalised(text)
