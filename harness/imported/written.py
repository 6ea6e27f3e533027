"""The shapes of what lm-eval writes, as far as it is read: strict there, lenient about the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from harness.errors import RecordError
from harness.run_files import is_file_name

LAST = 253_402_300_799  # the end of the year 9999
LONGEST_NUMBER = 19  # digits and sign: of 64 bits
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[str, Meta(pattern=r"^\d{1,12}(\.\d*)?([eE]-\d{1,3})?$")]


class Documents(Struct):
    """How many documents were evaluated."""

    effective: Count


class ModelConfig(Struct):
    """The model and the options that it was run with."""

    model: str | None = None
    model_args: dict[str, Any] | str | None = None
    model_dtype: str | None = None
    batch_size: int | str | None = None
    device: str | None = None
    limit: float | None = None
    gen_kwargs: dict[str, Any] | str | None = None
    random_seed: int | None = None
    numpy_seed: int | None = None
    torch_seed: int | None = None
    fewshot_seed: int | None = None


class MetricEntry(Struct):
    """An entry of a selfcheck task's `metric_list`.

    Attributes:
        range: None where it is unbounded.
        of: the metrics of which it is the normalised gain; None: it is a mean.
    """

    metric: str
    range: tuple[float, float] | None = (0.0, 1.0)
    of: tuple[str, str] | None = None


class TaskConfig(Struct):
    """A task's configuration; `conditions` tells that the task is one of selfcheck's.

    Attributes:
        check: what only our faithfulness tasks have; `simulated_by`: those of consistency.
    """

    cluster: str = "doc"
    data: dict[str, Any] = {}
    chance: dict[str, float | None] = {}
    headline: str | None = None
    conditions: dict[str, Any] | None = None
    check: str | None = None
    simulated_by: str | None = None
    metric_list: Any = None
    metadata: Any = None
    generation_kwargs: dict[str, Any] | None = None
    repeats: int = 1

    @property
    def gains(self) -> dict[str, tuple[str, str]]:
        """The metrics of a selfcheck task that are normalised gains, with their parts."""
        entries: list[MetricEntry] = [] if self.conditions is None else self.metric_list
        return {entry.metric: entry.of for entry in entries if entry.of is not None}


class Results(Struct):
    """The results file."""

    results: dict[str, dict[str, Any]]
    configs: dict[str, dict[str, Any]]
    samples: dict[str, Documents] = field(name="n-samples")
    config: ModelConfig
    versions: dict[str, Any] = {}
    shots: dict[str, Any] = field(name="n-shot", default_factory=dict)
    higher_is_better: dict[str, dict[str, bool | None] | None] = {}
    date: Annotated[float, Meta(ge=0, le=LAST)] | None = None
    seconds: Seconds | Annotated[float, Meta(ge=0, le=1e12)] | None = field(
        name="total_evaluation_time_seconds", default=None
    )
    chat_template: Any = None
    fewshot_as_multiturn: bool | None = None
    system_instruction: str | None = None
    lm_eval_version: str | None = None
    transformers_version: str | None = None


class Sample(Struct):
    """A line of a samples file: a document as one filter saw it; metrics lie beside the fields."""

    doc_id: Count
    doc: dict[str, Any]
    metrics: list[str]
    filter: str = "none"
    target: Any = None
    arguments: dict[str, dict[str, Any]] | None = None
    filtered_resps: list[Any] | None = None


class Answer(Struct):
    """What a dialogue of ours answers in the place of a text."""

    stages: list[dict[str, Any]]
    read: Any = None


def read_results(file: Path) -> Results:
    """Read a results file; JSON as lm-eval writes it: with NaN.

    Raises:
        RecordError: it is none; names the place within it.
    """
    try:
        content = file.read_bytes().decode("utf-8")
        told = msgspec.convert(json.loads(content, parse_int=_whole), Results)
        if not told.samples:
            raise ValueError("n-samples tells of no task")
        bad = [name for name in told.samples if not is_file_name(name)]
        if bad:
            raise ValueError(f"a task's name must be a file's name, got {bad[0]!r}")
    except (OSError, ValueError, RecursionError) as err:
        raise RecordError(
            f"{file}: is no results file of lm-eval: {err}; give what --output_path left, or run "
            "it again"
        ) from err
    return told


def _whole(digits: str) -> int:
    """Read a whole number that a run's record can hold, too."""
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"the number {digits[:LONGEST_NUMBER]}... is out of range")
    return int(digits)


def read_config(file: Path, task: str, told: dict[str, Any]) -> TaskConfig:
    """Read a task's configuration; the metrics of ours, too.

    Raises:
        RecordError: it is none; names the place within it.
    """
    try:
        config = msgspec.convert(told, TaskConfig)
        if config.conditions is not None:
            config.metric_list = msgspec.convert(config.metric_list, list[MetricEntry])
    except msgspec.ValidationError as err:
        raise RecordError(
            f"{file}: the configuration of {task} is none of lm-eval: {err}; copy the file again, "
            "or run it again"
        ) from err
    return config


def read_sample(line: bytes) -> tuple[Sample, dict[str, Any]]:
    """Read a line of a samples file, and metric -> what lm-eval noted, not always a number.

    Raises:
        ValueError, RecursionError: it is none; says why.
    """
    told = json.loads(line.decode("utf-8"))
    sample = msgspec.convert(told, Sample)
    lacking = [name for name in sample.metrics if name not in told]
    if lacking:
        raise ValueError(f"no value of {', '.join(lacking)}")
    return sample, {name: told[name] for name in sample.metrics if name != "bypass"}
