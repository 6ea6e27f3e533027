"""Make a file of frozen follow-ups: from the explanations of a run, by a simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from harness.cache import ResponseCache
from harness.consistency_task import ConsistencyTask
from harness.data import doc_hash
from harness.dialogue import REQUEST, DialogueInstance, Talk, converse
from harness.errors import CheckError, ConfigError, RecordError, unknown
from harness.follow_ups import Header, Row, Written, write_follow_ups
from harness.questions import MODEL, SIMULATOR
from harness.run_files import StoredRun
from harness.selection import build_manager, load_tasks, match_names
from harness.simulator import UNIDENTIFIED
from harness.whole_files import partial_of


def freeze_follow_ups(
    run: StoredRun,
    patterns: Sequence[str],
    metadata: Mapping[str, Any],
    file: Path,
    include_path: Sequence[Path] = (),
) -> list[Row]:
    """Let a simulator write follow-ups to a run's explanations, guess blind, and keep both.

    Args:
        run: has samples of the tasks.
        patterns: names of tasks, or glob patterns; consistency tasks of the run.
        metadata: names the simulator, and perhaps how many follow-ups, as for a run.
        file: a new file.
        include_path: further folders of task files.

    Raises:
        ConfigError: the file is there or cannot be written, no simulator is named, or a task is
            none of the run's.
        RecordError: the run's samples are damaged, or hold no explanations.
        ModelError: the simulator cannot be loaded, or fails; what it has answered is kept.
    """
    import harness.planted  # noqa: F401  (registers the planted models)

    _check_absent(file)
    tasks = _tasks(run, patterns, build_manager(include_path, metadata))
    explained = {name: _explanations(run, name) for name in tasks}
    simulator = next(iter(tasks.values())).simulator
    if simulator.model is None:
        raise ConfigError("name a simulator: it writes the follow-ups (--simulator)")
    with ResponseCache.default() as cache:
        backend = simulator.load(cache)
        if str(simulator.identity).startswith(UNIDENTIFIED):
            raise ConfigError(
                f"{simulator.label} cannot be identified, so no later run could be shown to have "
                "the same simulator (see `harness.models.fingerprint`); name another one"
            )
        talks = [
            Talk(_request(tasks[name], doc, explanation))
            for name, docs in explained.items()
            for doc, explanation in docs
        ]
        converse(talks, {MODEL: backend, SIMULATOR: backend})
    rows = [_row(talk) for talk in talks]
    first = next(iter(tasks.values()))
    header = Header(
        created=datetime.now(tz=UTC).isoformat(timespec="seconds"),
        simulator=str(simulator.identity),
        simulator_label=simulator.label,
        simulator_chat_template=simulator.chat_template,
        count=first.count,
        explanations=run.id,
        tasks={name: task.written_as for name, task in tasks.items()},
    )
    write_follow_ups(file, header, rows)
    return rows


def _check_absent(file: Path) -> None:
    if file.exists():
        raise ConfigError(f"{file} is there already; give --output another name")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial_of(file).touch()
        partial_of(file).unlink()
    except OSError as err:
        raise ConfigError(f"--output {file}: cannot be written: {err.strerror}") from err


def _tasks(run: StoredRun, patterns: Sequence[str], manager: Any) -> dict[str, ConsistencyTask]:
    names = match_names(patterns, manager)
    for name in names:
        if name not in run.tasks:
            raise ConfigError(f"{run.name}: {unknown('task of the run', name, run.tasks)}")
    tasks = load_tasks(names, manager)
    for name, task in tasks.items():
        if not isinstance(task, ConsistencyTask):
            raise ConfigError(f"{name} has no follow-ups: it is no task of explanation consistency")
    return tasks


def _explanations(run: StoredRun, name: str) -> list[tuple[dict[str, Any], str]]:
    """Give the documents of a task in the run, each with the explanation of its answer."""
    if not run.has_samples(name):
        raise RecordError(f"{run.folder}: holds no samples of {name}, so no explanations")
    told = []
    for sample in run.samples(name):
        read = sample.get("read")
        if not isinstance(read, dict) or not isinstance(read.get("explanation"), str):
            raise RecordError(f"{run.folder}: a sample of {name} has no explanation; run it again")
        told.append((sample["doc"], read["explanation"]))
    return told


def _request(task: ConsistencyTask, doc: dict[str, Any], explanation: str) -> DialogueInstance:
    return DialogueInstance(
        request_type=REQUEST,
        doc=doc,
        arguments=("", {}),
        idx=0,
        metadata=(task.task_name, 0, 1),
        start=lambda: task.start_freezing(doc, explanation),
        simulator=task.simulator,
    )


def _row(talk: Talk) -> Row:
    if talk.outcome is None:
        raise CheckError(f"{talk.task}: a dialogue failed; the log says why")
    read = talk.outcome.read
    written = msgspec.convert(read["follow_ups"], list[Written])
    dropped = msgspec.convert(read["dropped"], dict[str, int])
    explained = bool(read["explanation"])
    return Row(talk.task, doc_hash(talk.request.doc), explained, written, dropped)
