"""Means over documents: uncertainty, comparison, power. Pure: numbers in, numbers out.

Documents that come from one source (a story, a passage) are one cluster: they are resampled,
flipped and averaged together, or the intervals would be too narrow (Miller 2024, arXiv:2411.00640).
How often the intervals cover and the tests err: `python -m tests.benchmarks.coverage`.

clusters.py     mean, clustered_error; sums and numbers of values per cluster
intervals.py    Interval, interval: Wilson, Student's t or bootstrap, whichever fits the values
score.py        ends that count in what no value has shown yet: Wilson, Tango, and beyond
gain.py         normalised_gain, gain_interval; gain_values make it a mean, for all else
bootstrap.py    resampling of clusters, fast and small in memory
paired.py       Test, paired_test, paired_interval: two models on the same documents
flips.py        the sign-flip permutation distribution, exact where it is cheap
unpaired.py     unpaired_difference: from two published intervals alone
families.py     holm, benjamini_hochberg
power.py        detectable_effect, documents_to_settle
"""

from __future__ import annotations

from harness.stats.clusters import Clusters, Values, clustered_error, mean
from harness.stats.families import benjamini_hochberg, holm
from harness.stats.gain import (
    NO_ROOM,
    gain_bounds,
    gain_interval,
    gain_values,
    normalised_gain,
)
from harness.stats.intervals import Interval, interval
from harness.stats.paired import Test, paired_interval, paired_test
from harness.stats.power import detectable_effect, documents_to_settle
from harness.stats.unpaired import unpaired_difference

__all__ = [
    "NO_ROOM",
    "Clusters",
    "Interval",
    "Test",
    "Values",
    "benjamini_hochberg",
    "clustered_error",
    "detectable_effect",
    "documents_to_settle",
    "gain_bounds",
    "gain_interval",
    "gain_values",
    "holm",
    "interval",
    "mean",
    "normalised_gain",
    "paired_interval",
    "paired_test",
    "unpaired_difference",
]
