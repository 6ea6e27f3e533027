"""Two runs in pairs: document by document, with the doubt that is left.

`pairing`: which documents are the same, and whether runs may be compared; `rows`: a row per metric;
`flips`: the documents that changed most; `comparison`: all of it; `output`: text, CSV, JSON.
"""

from harness.compare.comparison import Comparison, compare
from harness.compare.flips import Flip
from harness.compare.pairing import Pairs, incomparable, pair_documents, unknown_of
from harness.compare.rows import Row, compare_task

__all__ = [
    "Comparison",
    "Flip",
    "Pairs",
    "Row",
    "compare",
    "compare_task",
    "incomparable",
    "pair_documents",
    "unknown_of",
]
