"""Which answer a model gives most often in a task, over the documents of all ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.questions import LABELS

UNIT = 10**9
"""Ranks exchange whole numbers: billionths of shares."""
Tally = Mapping[str, int]


def most_frequent(
    names: Sequence[str],
    tallies: Mapping[tuple[str, int | None], Tally],
    gather: Callable[[Sequence[int]], list[int]],
) -> dict[str, str]:
    """Give each task's most frequent label: whose share, averaged over documents, is largest.

    Args:
        names: the tasks, in the order that all ranks have.
        tallies: task and document of this rank -> how often it had each of `LABELS`.
        gather: gives the numbers of all ranks, one rank after another.
    """
    held = {(name, label): 0.0 for name in names for label in LABELS}
    for (name, _), tally in tallies.items():
        for label in tally:
            held[name, label] += share(tally, label)
    told = gather([round(total * UNIT) for total in held.values()])
    sums = dict(
        zip(held, (sum(told[place :: len(held)]) for place in range(len(held))), strict=True)
    )
    return {name: max(LABELS, key=lambda label: sums[name, label]) for name in names}


def share(tally: Tally, label: str) -> float:
    """Share of a label; 0 of nothing.

    >>> share({"yes": 3, "no": 1}, "yes")
    0.75
    """
    total = sum(tally.values())
    return tally.get(label, 0) / total if total else 0.0
