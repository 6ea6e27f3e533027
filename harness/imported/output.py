"""lm-eval's results file, and what it tells of the whole run."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import RecordError
from harness.imported.task import ImportedTask
from harness.imported.written import ModelConfig, Results, read_results
from harness.runs import Environment, Model, Record, Run, Settings

log = logging.getLogger(__name__)
DATE = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?"
RESULTS = re.compile(rf".+_({DATE})\.json")


def read_output(place: Path) -> Run:
    """Read lm-eval's output; what it does not tell is None in the record.

    Tasks that lm-eval logged no samples for are kept as aggregated numbers, with a warning.

    Args:
        place: the folder given as `--output_path` (or one in it), or a results file.

    Raises:
        RecordError: there are no results or several, or a file is damaged or lacks documents.
    """
    file = _find_results(place)
    told = read_results(file)
    tasks = {
        name: ImportedTask(name, told, file, _find_samples(file, name)) for name in told.samples
    }
    documents = {name: task.samples() for name, task in tasks.items()}
    record = Record(
        created=datetime.fromtimestamp(told.date or 0, tz=UTC).isoformat(timespec="seconds"),
        seconds=round(float(told.seconds or 0), 1),
        imported=file.name,
        environment=_environment(told),
        model=_model(told.config),
        settings=_settings(told),
        tasks={name: task.record(documents[name]) for name, task in tasks.items()},
    )
    return Run(record, {name: rows for name, rows in documents.items() if rows is not None})


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


def _find_samples(results: Path, task: str) -> Path | None:
    """Find a task's samples: of the results' date, or if that was renamed away the only ones."""
    date = RESULTS.fullmatch(results.name)
    wanted = re.compile(rf"samples_{re.escape(task)}_{re.escape(date[1]) if date else DATE}\.jsonl")
    found = sorted(file for file in results.parent.iterdir() if wanted.fullmatch(file.name))
    if len(found) == 1:
        return found[0]
    several = ", ".join(file.name for file in found)
    fault = f"several samples files ({several})" if found else "no samples file"
    log.warning("%s: %s beside %s; its numbers are the aggregated ones", task, fault, results.name)
    return None


def _environment(told: Results) -> Environment:
    packages = {"lm-eval": told.lm_eval_version, "transformers": told.transformers_version}
    return Environment(command=None, packages=packages, python=None, platform=None)


def _model(config: ModelConfig) -> Model:
    args = config.model_args or {}
    if isinstance(args, str):
        args = dict(part.partition("=")[::2] for part in args.split(",") if part)
    return Model(
        backend=str(config.model),
        args=args,
        fingerprint=None,
        device=config.device,
        dtype=config.model_dtype,
        batch_size=config.batch_size,
    )


def _settings(told: Results) -> Settings:
    config = told.config
    return Settings(
        tasks=list(told.samples),
        limit=config.limit,
        apply_chat_template=told.chat_template is not None,
        fewshot_as_multiturn=told.fewshot_as_multiturn,
        system_instruction=told.system_instruction,
        gen_kwargs=config.gen_kwargs,
        random_seed=config.random_seed,
        numpy_seed=config.numpy_seed,
        torch_seed=config.torch_seed,
        fewshot_seed=config.fewshot_seed,
    )
