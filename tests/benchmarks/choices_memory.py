"""Print the peak memory of scoring choices, ours and stock lm-eval's, as Markdown.

SELFCHECK_DATA=... python -m tests.benchmarks.choices_memory

Every figure is that of a process of its own: the demonstration model in float32 on the CPU. Peaks
are those after the model has been loaded, because loading takes more than scoring. Linux only.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from pathlib import Path

from tests.benchmarks import choices

SIZES = (1, 8, 32)
DOCUMENTS = 8


def peak(side: str, name: str, batch_size: int) -> int:
    """Run one side in a process of its own; its peak in bytes."""
    command = [sys.executable, "-m", "tests.benchmarks.choices_memory", side, name, str(batch_size)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(told.stdout.split()[-1]) * 1024


def run(side: str, name: str, batch_size: int) -> None:
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(str(choices.demo_model()), device="cpu", dtype="float32", batch_size=batch_size)
    _, requests = choices.choose_requests(name, DOCUMENTS)
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # what loading has freed would hide what is taken
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is held now
    if side == "stock":
        choices.stock(lm, requests)
    elif side == "ours":
        choices.answer_choices(lm, requests)
    print(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])


def main() -> None:
    print("| choice sets | batch size | loaded, MB | stock, MB | ours, MB | ratio |")
    print("|---|---|---|---|---|---|")
    for name in choices.SETS:
        for size in SIZES:
            loaded, stock, ours = (peak(side, name, size) for side in ("load", "stock", "ours"))
            print(
                f"| {name} | {size} | {loaded / 1e6:.0f} | {stock / 1e6:.0f} | {ours / 1e6:.0f} | "
                f"{ours / stock:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:]:
        run(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        main()
