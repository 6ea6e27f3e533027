"""May a candidate ship? Each gated metric passes, fails, or cannot be told yet.

`margins`: how far each metric may fall (`default.yaml`); `checks`: the verdicts; `output`: lines
for a log, JUnit XML.
"""

from harness.gate.checks import EXIT, Check, Planned, Status, Verdict, gate, judge, planned
from harness.gate.margins import GateConfig, Margin, read_config

__all__ = [
    "EXIT",
    "Check",
    "GateConfig",
    "Margin",
    "Planned",
    "Status",
    "Verdict",
    "gate",
    "judge",
    "planned",
    "read_config",
]
