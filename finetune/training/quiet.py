"""Keeps what libraries say of themselves out of the log of a training."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Show bars of loading and tokenizing on terminals only, and no warning between libraries."""
    import datasets
    from transformers.utils import logging as transformers_logging

    of_rows = not datasets.are_progress_bars_disabled()
    of_weights = transformers_logging.is_progress_bar_enabled()
    with warnings.catch_warnings():
        # trl 1.16 and peft 0.21 call by its old name what transformers 5.23 renamed
        warnings.filterwarnings("ignore", "`.*gradient_checkpointing.*` is dep", FutureWarning)
        if not sys.stderr.isatty():
            datasets.disable_progress_bars()
            transformers_logging.disable_progress_bar()
        try:
            yield
        finally:
            if of_rows:
                datasets.enable_progress_bars()
            if of_weights:
                transformers_logging.enable_progress_bar()
