"""Tasks that note what is measured where, and take their time; copied beside their task files.

A worker reads them as it reads any user's task: nothing of a test is imported there.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from harness.data import doc_hash
from harness.tasks import FaithfulnessTask

HERE = Path(__file__).parent


class Gated(FaithfulnessTask):
    def score(self, doc, results):
        with (HERE / "measured.log").open("a") as lines:
            lines.write(f"{os.getpid()} {doc_hash(doc)}\n")
        time.sleep(float((HERE / "seconds").read_text()))
        return super().score(doc, results)


class Failing(FaithfulnessTask):
    def start(self, doc):
        if doc["label"] == 1:
            raise ValueError("nothing to ask")
        return super().start(doc)
