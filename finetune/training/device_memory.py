"""Memory of a training: the most it took, and giving it back."""

from __future__ import annotations

import gc
import sys
from contextlib import suppress
from pathlib import Path

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def start_counting(device: str) -> None:
    """Forget the most that was allocated so far, where that can be."""
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
    elif _CLEAR.exists():  # Linux
        gc.collect()
        with suppress(OSError):
            _CLEAR.write_text("5")


def peak_memory(device: str) -> int | None:
    """Give the most bytes allocated on the GPU since then, or resident in the process so far."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    if sys.platform == "win32":
        return None
    with suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024  # bytes there, kB elsewhere


def free_memory() -> None:
    """Give back what nobody refers to any more: a trainer is full of cycles."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
