"""What a sample tells, laid out for people: the dialogue, what changed in its prompts, a verdict.

A sample is a line of `samples_<task>.jsonl`. Nothing here reads files or knows how it is shown: the
terminal (`harness.showing`) and web pages do. All texts are those of models and data, as they are.
"""

from harness.evidence.account import (
    Account,
    Choice,
    Choices,
    Summary,
    Turn,
    read_account,
    read_summary,
)
from harness.evidence.pieces import MASKS, Kind, Piece, compare_words, shorten
from harness.evidence.texts import excerpt
from harness.evidence.verdicts import VERDICTS, verdict_of

__all__ = [
    "MASKS",
    "VERDICTS",
    "Account",
    "Choice",
    "Choices",
    "Kind",
    "Piece",
    "Summary",
    "Turn",
    "compare_words",
    "excerpt",
    "read_account",
    "read_summary",
    "shorten",
    "verdict_of",
]
