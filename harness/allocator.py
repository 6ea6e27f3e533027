"""The C library's allocator, set for the large tensors of models on CPUs."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h


def keep_freed_memory() -> None:
    """Let the process keep the memory that tensors free, for those that come next.

    glibc gives each large block back to the kernel when it is freed, and gets it anew, page by
    page, for the next tensor of the next layer. Does nothing where the C library is another one.
    Source: mallopt(3).
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)
