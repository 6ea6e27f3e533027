"""The margins of a gate: how far each metric may fall."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml
from msgspec import Struct

from harness.errors import ConfigError, unknown
from harness.runs import TaskRun
from harness.sound_yaml import read_text

DEFAULT = Path(__file__).with_name("default.yaml")


class Margin(Struct, frozen=True, forbid_unknown_fields=True):
    """How far a metric may get worse.

    Attributes:
        margin: in the metric's own unit, 0 or more.
        better: which way is better; None: what the run's record says of the metric.
    """

    margin: float
    better: Literal["higher", "lower"] | None = None


class GateConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What a gate's file says.

    Attributes:
        margins: metric -> margin, in every task that has the metric; None: not gated.
        tasks: name or pattern -> the same, for the tasks that it fits first.
        inconclusive: what pytest makes of a check that the documents cannot settle.
    """

    margins: dict[str, float | Margin | None] = {}
    tasks: dict[str, dict[str, float | Margin | None]] = {}
    inconclusive: Literal["skip", "fail"] = "skip"

    def of_task(self, name: str) -> dict[str, Margin]:
        """Give the margins that count in a task, whether it has the metrics or not."""
        own = next((told for key, told in self.tasks.items() if fnmatchcase(name, key)), {})
        merged = {**self.margins, **own}
        return {
            metric: told if isinstance(told, Margin) else Margin(told)
            for metric, told in merged.items()
            if told is not None
        }


def read_config(file: Path | None = None) -> GateConfig:
    """Read a gate's file; None reads the default one.

    Raises:
        ConfigError: it cannot be read; names every wrong key and value.
    """
    place = file or DEFAULT
    try:
        told = yaml.safe_load(read_text(place))
    except (OSError, ValueError, yaml.YAMLError) as err:
        raise ConfigError(f"{place}: cannot be read as YAML: {err}") from err
    faults = list(_faults(told))
    if faults:
        raise ConfigError("\n".join(f"{place}: {fault}" for fault in faults))
    try:
        return msgspec.convert(told, GateConfig)
    except msgspec.ValidationError as err:
        raise ConfigError(f"{place}: {err}") from err


def check_names(config: GateConfig, tasks: Mapping[str, TaskRun]) -> None:
    """Refuse margins that could never count.

    Raises:
        ConfigError: names every metric and task that no run has, with the nearest one.
    """
    if any(task.failed for task in tasks.values()):  # whose metrics nobody knows
        return
    metrics = {metric for task in tasks.values() for metric in task.metrics}
    faults = [
        unknown("metric in margins", name, metrics)
        for name in config.margins
        if name not in metrics
    ]
    for pattern, margins in config.tasks.items():
        fitting = [task for name, task in tasks.items() if fnmatchcase(name, pattern)]
        known = {metric for task in fitting for metric in task.metrics}
        if fitting:
            wrong = [name for name in margins if name not in known]
            faults += [unknown(f"metric of {pattern}", name, known) for name in wrong]
        else:
            faults.append(unknown("task in tasks", pattern, tasks))
    if faults:
        raise ConfigError("\n".join(faults))


def _faults(told: Any) -> Iterator[str]:
    if not isinstance(told, Mapping):
        yield f"must hold keys and values ({', '.join(GateConfig.__struct_fields__)}), got {told!r}"
        return
    yield from _unknown_keys("key", told, GateConfig)
    groups = [told.get("margins"), *_values(told.get("tasks"))]
    for group in groups:
        for name, entry in group.items() if isinstance(group, Mapping) else ():
            yield from _entry_faults(str(name), entry)


def _entry_faults(name: str, entry: Any) -> Iterator[str]:
    if isinstance(entry, Mapping):
        yield from _unknown_keys(f"key of {name}", entry, Margin)
    margin = entry.get("margin") if isinstance(entry, Mapping) else entry
    if entry is None:
        return
    if isinstance(margin, bool) or not isinstance(margin, (int, float)):
        yield f"margin of {name}: must be a number, got {margin!r} (YAML reads 1.0e-2, not 1e-2)"
    elif not (math.isfinite(margin) and margin >= 0):
        yield f"margin of {name}: must be 0 or more, got {margin}"


def _unknown_keys(what: str, told: Mapping[Any, Any], kind: type[Struct]) -> Iterator[str]:
    for key in told:
        if key not in kind.__struct_fields__:
            yield unknown(what, str(key), kind.__struct_fields__)


def _values(told: Any) -> Iterable[Any]:
    return told.values() if isinstance(told, Mapping) else ()
