"""What a sample tells, laid out for people: the dialogue, what changed in its prompts, a verdict.

A sample is a line of `samples_<task>.jsonl`; `provenance` tells where its run is from. Nothing here
reads files or knows how it is shown: the terminal (`harness.showing`) and web pages do. All texts
are those of models and data, as they are.
"""

from harness.evidence.account import (
    Account,
    Choice,
    Choices,
    Summary,
    Turn,
    name_of,
    read_account,
    read_summary,
)
from harness.evidence.pieces import MASKS, Kind, Piece, compare_words, masks_of, shorten
from harness.evidence.provenance import command_line, record_facts
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
    "command_line",
    "compare_words",
    "excerpt",
    "masks_of",
    "name_of",
    "read_account",
    "read_summary",
    "record_facts",
    "shorten",
    "verdict_of",
]
