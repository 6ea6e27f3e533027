"""p values of a family of tests, adjusted for their number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Adjust so that p < 0.05 anywhere, were all hypotheses true, has a chance of at most 5%.

    Args:
        ps: one a test; None (no test could be made) stays None and does not count.

    Raises:
        ValueError: a p that is not in [0, 1].

    Source: Holm 1979, by statsmodels.

    >>> holm([0.01, None, 0.04])
    [0.02, None, 0.04]
    """
    return _adjusted(ps, "holm")


def benjamini_hochberg(ps: Sequence[float | None]) -> list[float | None]:
    """Adjust so that of those with p < 0.05 at most 5% are expected to be false finds.

    Args:
        ps: one a test; None (no test could be made) stays None and does not count.

    Raises:
        ValueError: a p that is not in [0, 1].

    Source: Benjamini and Hochberg 1995, by statsmodels.

    >>> benjamini_hochberg([0.01, None, 0.04])
    [0.02, None, 0.04]
    """
    return _adjusted(ps, "fdr_bh")


def _adjusted(ps: Sequence[float | None], method: Literal["holm", "fdr_bh"]) -> list[float | None]:
    known = [p for p in ps if p is not None]
    if wrong := [p for p in known if not 0 <= p <= 1]:
        raise ValueError(f"p must be in [0, 1]: got {wrong[0]}")
    if not known:
        return [None] * len(ps)
    from statsmodels.stats.multitest import multipletests

    adjusted = iter(multipletests(known, method=method)[1].tolist())
    return [None if p is None else next(adjusted) for p in ps]
