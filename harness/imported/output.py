"""lm-eval's results file, and what it tells of the whole run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import RecordError
from harness.imported.task import ImportedTask
from harness.runs import Environment, Model, Record, Run, Settings
from harness.secrets import without_secrets

RESULTS = re.compile(r".+_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d+)\.json")


def read_output(place: Path) -> Run:
    """Read lm-eval's output; what it does not tell is None in the record.

    Tasks that lm-eval logged no samples for are kept as aggregated numbers.

    Args:
        place: the folder given as `--output_path` (or one in it), or a `results_*.json`.

    Raises:
        RecordError: there are no results or several, or a file is damaged or lacks documents.
    """
    file = _find_results(place)
    told = _load(file)
    config, names = told["config"], list(told["n-samples"])
    date = RESULTS.fullmatch(file.name)
    tasks = {
        name: ImportedTask(
            name, told, file.with_name(f"samples_{name}_{date[1] if date else ''}.jsonl")
        )
        for name in names
    }
    samples = {name: task.samples() for name, task in tasks.items() if task.has_samples}
    record = Record(
        created=_iso(told.get("date")),
        seconds=round(float(told.get("total_evaluation_time_seconds") or 0), 1),
        imported=file.name,
        environment=_environment(told),
        model=_model(config),
        settings=_settings(told, names),
        tasks={name: task.record(samples.get(name)) for name, task in tasks.items()},
    )
    return Run(record, samples)


def _find_results(place: Path) -> Path:
    if place.is_file():
        return place
    if not place.is_dir():
        raise RecordError(f"{place}: there is no such folder; give that of --output_path")
    found = sorted(file for file in place.rglob("*.json") if RESULTS.fullmatch(file.name))
    if len(found) == 1:
        return found[0]
    if not found:
        raise RecordError(
            f"{place}: holds no results_<date>.json; run lm_eval with --output_path and "
            "--log_samples, and give that folder"
        )
    listed = "\n".join(f"  {file}" for file in found)
    raise RecordError(f"{place}: holds several results; give one of them:\n{listed}")


def _load(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        missing = {"results", "configs", "n-samples", "config"} - set(told)
    except (OSError, ValueError, TypeError) as err:
        raise RecordError(f"{file}: cannot be read as lm-eval's results: {err}") from err
    if missing:
        raise RecordError(f"{file}: is no results file of lm-eval: no {', '.join(sorted(missing))}")
    return dict(told)


def _iso(seconds: Any) -> str:
    return datetime.fromtimestamp(float(seconds or 0), tz=UTC).isoformat(timespec="seconds")


def _environment(told: Mapping[str, Any]) -> Environment:
    packages = {"lm-eval": "lm_eval_version", "transformers": "transformers_version"}
    return Environment(
        command=None,
        packages={name: told.get(key) for name, key in packages.items()},
        python=None,
        platform=None,
    )


def _model(config: Mapping[str, Any]) -> Model:
    args = config.get("model_args") or {}
    if isinstance(args, str):
        args = dict(part.partition("=")[::2] for part in args.split(",") if part)
    size = config.get("batch_size")
    return Model(
        backend=str(config.get("model")),
        args=without_secrets(args),
        fingerprint=None,
        device=config.get("device"),
        dtype=config.get("model_dtype"),
        batch_size=size if isinstance(size, int) else None if size is None else str(size),
    )


def _settings(told: Mapping[str, Any], names: list[str]) -> Settings:
    config = told["config"]
    seeds = ("random_seed", "numpy_seed", "torch_seed", "fewshot_seed")
    return Settings(
        tasks=names,
        limit=config.get("limit"),
        apply_chat_template=told.get("chat_template") is not None,
        fewshot_as_multiturn=told.get("fewshot_as_multiturn"),
        system_instruction=told.get("system_instruction"),
        gen_kwargs=without_secrets(config.get("gen_kwargs")),
        **{name: config.get(name) for name in seeds},
    )
