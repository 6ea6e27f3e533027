"""Memory of a training: the most it took, and giving it back."""

from __future__ import annotations

import gc
import sys


def start_counting(device: str) -> None:
    """Forget the most that was allocated so far, where that can be."""
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()


def peak_memory(device: str) -> int | None:
    """Give the most bytes allocated on the GPU since then, or resident in the process so far."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    if sys.platform == "win32":
        return None
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024  # bytes there, kB elsewhere


def free_memory() -> None:
    """Give back what nobody refers to any more: a trainer is full of cycles."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
