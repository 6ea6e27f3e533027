"""Does an answer say that there is none? "Unanswerable.", "The passage does not say who won."."""

from __future__ import annotations

import re

UNANSWERABLE = "unanswerable"
"""What a model is asked to say where a passage has no answer."""

_TEXT = r"(?:passage|text|context|paragraph|article|excerpt|information)"
_SOURCE = (
    rf"(?:the|this)(?: (?:given|provided|above))? (?:{_TEXT}|question)"
    r"(?: (?:provided|given|above|itself))?"
)
_SAYS = (
    r"(?:answer|say|state|mention|specify|provide|contain|tell|give|include|indicate|discuss"
    r"|explain|address|offer|name|identify|describe|reveal|disclose|list|report|talk|refer|have)"
)
_SAID = (
    r"(?:mentioned|stated|specified|given|provided|answered|answerable|discussed|available"
    r"|included|described|named|indicated|addressed|explained|found|disclosed|listed)"
)
_GIVEN = (
    r"(?:(?: (?:is|was|are|were|can be))? (?:provided|given|available|mentioned|stated|found))\b"
)
_CANNOT = r"(?:can ?not|can['’]t|could not|couldn['’]t)"
_NOT = r"(?: not|n['’]t)"
_ENDS = r"(?=\W*(?:\Z|\n)|[\"'”’]?\s*[.,;:(–—]|\s+(?:because|since|as|from|in|based)\b)"
# "unknown or unexplored territory" is an answer, "unknown" is none: hence `_ENDS`
_IN_SOURCE = rf"(?=[^.!?\n]{{0,200}}\b(?:in|by|from|within) {_SOURCE}\b)"
_WHOLE = rf"(?:{_ENDS}|{_IN_SOURCE})"
# "no evidence of life" is an answer, "no evidence of it in the passage" is none: hence `_WHOLE`
_OF_IT = r"(?: (?:about|on|regarding|concerning|as to|to (?:answer|determine|say|tell))\b)"
_WAYS = (
    r"(?:(?:the question|the answer|this question|it|this) (?:is|would be|must be) )?[\"'“”‘’]?"
    rf"(?:unanswerable(?:{_ENDS}|(?=\s(?:-|given (?:the|this|that))\s))"
    rf"|(?:unknown|n/a|not applicable|not known){_ENDS})",
    rf"(?:no (?:answer|information)|{_CANNOT} (?:answer|determine|tell)){_ENDS}",
    rf"{_SOURCE}(?:,? which [^.\n]{{1,80}},)? (?:(?:does|do|did){_NOT}|never) (?:\w+ly )?{_SAYS}\b",
    rf"{_SOURCE} (?:is silent|says nothing|(?:makes|has|gives|contains|provides|offers) no)\b",
    rf"there (?:is|are|was|were)(?: no|{_NOT}(?: any| enough)?| insufficient) (?:[\w-]+ ){{0,3}}?"
    rf"(?:(?:answer|information|details?|data)(?:{_OF_IT}|{_GIVEN}|{_WHOLE})"
    rf"|(?:mention|indication)(?: (?:of|that|about)\b|{_WHOLE})|(?:evidence|reference){_WHOLE})",
    rf"(?:not enough|insufficient|no(?: relevant| specific)?) (?:information|details?|data)"
    rf"(?:{_OF_IT}|{_GIVEN}|{_WHOLE})",
    rf"no (?:answer|mention|indication)(?:(?: (?:is|was))?{_GIVEN}|{_WHOLE}"
    r"| (?:of|about|can be)\b)",
    rf"(?:(?:it|this|that)(?: is|['’]s) )?not (?:\w+ly )?(?:{_SAID}{_ENDS}"
    rf"|possible to (?:answer|determine|tell|say)\b|in {_SOURCE})",
    rf"[^.!?\n]{{1,200}}? (?:is|are|was|were){_NOT} (?:\w+ly )?{_SAID}(?: anywhere)? (?:in|by|from)"
    rf" {_SOURCE}",
    rf"(?:(?:{_SOURCE}|it|this|the answer) )?{_CANNOT} be (?:\w+ly )?(?:answered|determined|found"
    r"|inferred|known|told)\b",
    rf"i (?:{_CANNOT}|am unable to|['’]m unable to) (?:answer|find|determine|tell|say|provide)\b"
    rf"[^.\n]{{0,120}}\b{_TEXT}\b",
    rf"i do{_NOT} (?:know{_ENDS}|(?:see|find|have) (?:enough |any |an |the )?(?:[\w-]+ ){{0,2}}?"
    r"(?:information|answer|details?)\b)",
)
_DENIAL = re.compile("|".join(_WAYS), re.IGNORECASE)
_LEAD = re.compile(
    r"[\"'“‘(\s]*(?:(?:unfortunately|sorry|i['’]m sorry|i am sorry|i apologi[sz]e)[,.]? (?:but )?"
    rf"|no[,.] )?(?:(?:based on|according to|given|from|in) {_SOURCE},? )?",
    re.IGNORECASE,
)
_TAKEN_BACK = re.compile(
    r"[^.!?\n]*[,;–—] (?:but|however|although|though|yet)\b"
    r"|[^.!?\n]*[.!?]\s+(?:but|however|still)\b[^.!?\n]{0,80}\b(?:infer|impl(?:y|ies)|suggest"
    r"|likely|probably|perhaps|might|may|assume|conclude)",
    re.IGNORECASE,
)


def denies(text: str) -> re.Match[str] | None:
    """Find that a text begins by saying that there is no answer.

    >>> bool(denies("Unanswerable.")), bool(denies("unknown territory"))
    (True, False)
    """
    lead = _LEAD.match(text)
    return _DENIAL.match(text, lead.end() if lead else 0)


def takes_back(text: str, denial: re.Match[str]) -> bool:
    """Say whether an answer follows all the same: "It does not say so, but it was Ann"."""
    return bool(_TAKEN_BACK.match(text, denial.end()))
