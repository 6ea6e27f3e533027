"""Two runs in pairs: document by document, with the doubt that is left.

`pairing`: which documents are the same, and whether runs may be compared; `rows`: a row per metric;
`flips`: the documents that changed most; `notes`: how the runs differ; `comparison`: all of it;
`output`: text, CSV, JSON.
"""

from harness.compare.comparison import Comparison, compare
from harness.compare.flips import Flip
from harness.compare.notes import SETTINGS, documents_note, notes_on
from harness.compare.pairing import (
    Pairs,
    incomparable,
    other_simulators,
    pair_documents,
    unknown_of,
)
from harness.compare.rows import LEVEL, Change, Row, change, compare_task

__all__ = [
    "LEVEL",
    "SETTINGS",
    "Change",
    "Comparison",
    "Flip",
    "Pairs",
    "Row",
    "change",
    "compare",
    "compare_task",
    "documents_note",
    "incomparable",
    "notes_on",
    "other_simulators",
    "pair_documents",
    "unknown_of",
]
