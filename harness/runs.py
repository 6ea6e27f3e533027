"""The record of a run: what was measured, on what, with what.

Everything that is None in a record is unknown or does not apply; the attribute says which.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from msgspec import Meta, Struct

from harness import __version__, stats
from harness.stats import Interval

SCHEMA = 2
Count = Annotated[int, Meta(ge=0)]
PACKAGES = ("selfcheck-harness", "lm-eval", "torch", "transformers", "datasets", "peft", "numpy")


class Metric(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One number: the mean of a metric over the documents to which it applies, or a gain.

    Attributes:
        value: the mean, or the gain; None if no document applies, or `interval` says why.
        interval: 95%, and how it was made.
        n: documents to which it applies.
        chance: what guessing gives; None if that is no fixed number.
        higher_is_better: its direction; None if it has none.
        bounds: the lowest and highest value of one document; None if unbounded.
        of: the two metrics of which it is the normalised gain (`stats.normalised_gain`); no
            document has a value of it, and it applies where both do. None: it is a mean.
    """

    value: float | None
    interval: Interval
    n: Count
    chance: float | None
    higher_is_better: bool | None
    bounds: tuple[float, float] | None
    of: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.bounds is not None and self.bounds[0] >= self.bounds[1]:
            raise ValueError(f"bounds are {list(self.bounds)}: the lowest value, then the highest")

    @classmethod
    def over(
        cls,
        values: Sequence[float],
        clusters: Sequence[str],
        *,
        chance: float | None,
        higher_is_better: bool | None,
        bounds: tuple[float, float] | None,
    ) -> Metric:
        """Average the values of the documents to which the metric applies.

        Args:
            values: n values.
            clusters: n names; equal names are one source.
            chance, higher_is_better, bounds: see the attributes.
        """
        return cls(
            value=stats.mean(values) if values else None,
            interval=stats.interval(values, clusters, bounds),
            n=len(values),
            chance=chance,
            higher_is_better=higher_is_better,
            bounds=bounds,
        )

    @classmethod
    def gain(
        cls,
        parts: Sequence[tuple[float, float]],
        clusters: Sequence[str],
        *,
        of: tuple[str, str],
        chance: float | None,
        higher_is_better: bool | None,
    ) -> Metric:
        """Give the normalised gain over the documents that have both parts.

        Args:
            parts: n documents' values of the two metrics, that after and that before.
            clusters: n names; equal names are one source.
            of, chance, higher_is_better: see the attributes.
        """
        after, before = [one[0] for one in parts], [one[1] for one in parts]
        return cls(
            value=stats.normalised_gain(after, before),
            interval=stats.gain_interval(after, before, clusters),
            n=len(parts),
            chance=chance,
            higher_is_better=higher_is_better,
            bounds=None,
            of=of,
        )


class TaskRun(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task of a run.

    Attributes:
        version: of prompts, parsers and metrics together.
        source: the paper or project that it comes from; None: unknown.
        variant: the settings that tell it from its variants.
        variant_of: the task as its file has it; itself, if it is that.
        data: which documents, from where; without "fingerprint": unknown.
        conditions: what else scores depend on; scores under other conditions are not compared.
        headline: the metric that a leaderboard ranks by; None: not ranked.
        simulated_by: who predicted the model's answers, for people ("self": the model itself; the
            identity is one of the conditions); None: the task has no simulator.
        documents: how many were evaluated.
        prompts_cut: on how many of them lm-eval cut the start of a prompt; None: nobody can tell.
        answers_cut: on how many of them an answer reached its limit; None: nobody can tell.
        tokens_in, tokens_out: of all prompts, or contexts and choices, and of all answers, however
            many of them were cached or shared; None: nobody can tell.
        failed: why there are no metrics.
        sampled: whether the documents are kept beside the record, not only these numbers.
    """

    version: str | float | None
    source: str | None
    variant: dict[str, str]
    variant_of: str
    data: dict[str, Any]
    conditions: dict[str, Any]
    headline: str | None
    simulated_by: str | None = None
    documents: Count
    prompts_cut: Count | None
    answers_cut: Count | None
    tokens_in: Count | None
    tokens_out: Count | None
    metrics: dict[str, Metric] = {}
    failed: str | None = None
    sampled: bool = False

    @property
    def document_metric(self) -> str:
        """The metric by which documents are told apart: the headline, of a gain its first part.

        Without a headline it is the first metric that has a direction; empty if none has.
        """
        metrics = self.metrics
        directed = [name for name in metrics if metrics[name].higher_is_better is not None]
        name = self.headline if self.headline is not None else next(iter(directed), "")
        told = metrics.get(name)
        return name if told is None or told.of is None else told.of[0]


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was evaluated, and on what.

    Attributes:
        backend: lm-eval's name for the kind of model.
        args: its arguments; secrets are blanked when a record is written.
        fingerprint: of all that its answers depend on (`harness.models`); None: unknown.
    """

    backend: str
    args: dict[str, Any]
    fingerprint: str | None
    device: str | None
    dtype: str | None
    batch_size: int | str | None


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was asked for, in the terms of `selfcheck run`; None is its default, or unknown."""

    tasks: list[str]
    subset: int | None = None
    subset_seed: int | None = None
    limit: float | None = None
    variants: list[str] = []
    include_path: list[str] = []
    metadata: dict[str, Any] = {}
    apply_chat_template: bool | str | None = None
    fewshot_as_multiturn: bool | None = None
    system_instruction: str | None = None
    gen_kwargs: dict[str, Any] | str | None = None
    num_fewshot: int | None = None
    random_seed: int | None = None
    numpy_seed: int | None = None
    torch_seed: int | None = None
    fewshot_seed: int | None = None


class Environment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the run was made with; an imported run knows the little that lm-eval writes."""

    command: list[str] | None
    packages: dict[str, str | None]
    python: str | None
    platform: str | None

    @classmethod
    def here(cls) -> Environment:
        """Describe this process."""
        packages = {name: _version(name) for name in PACKAGES}
        return cls(
            command=list(sys.argv),
            packages=packages,
            python=platform.python_version(),
            platform=platform.platform(),
        )


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of `run.json`.

    Attributes:
        created: when the run began (ISO 8601, UTC).
        seconds: how long it took.
        selfcheck: the version that wrote the record.
        imported: the lm-eval results that it was made from; None if `selfcheck run` made it.
    """

    schema: int = SCHEMA
    created: str
    seconds: float
    selfcheck: str = __version__
    imported: str | None = None
    environment: Environment
    model: Model
    settings: Settings
    tasks: dict[str, TaskRun]


@dataclass(frozen=True)
class Run:
    """A run in memory.

    Attributes:
        record: what `run.json` holds.
        samples: task -> one mapping a document: `doc_hash`, `cluster`, `metrics`
            (without derived ones), and the evidence.
    """

    record: Record
    samples: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict, repr=False)

    @property
    def tasks(self) -> dict[str, TaskRun]:
        """The tasks by name."""
        return self.record.tasks

    @property
    def failed(self) -> dict[str, str]:
        """The tasks that failed, with the reason."""
        return {name: task.failed for name, task in self.tasks.items() if task.failed}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
