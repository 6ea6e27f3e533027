from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys, psutil
from harness.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
block = bytearray(b"x") * (256 << 20)
del block
print(psutil.Process().memory_info().rss >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_keep_freed_memory_large_blocks_stay_with_the_process() -> None:
    def held(mode: str) -> int:
        told = subprocess.run([sys.executable, "-c", CODE, mode], capture_output=True, check=True)
        return int(told.stdout)

    assert held("give back") < 256 < held("keep")
