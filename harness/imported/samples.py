"""A task's documents: from lm-eval's lines, one a document and filter, to ours."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from jinja2 import TemplateError

from harness.base_task import cluster_by
from harness.data import doc_hash
from harness.errors import ConfigError, RecordError
from harness.imported.written import Answer, Sample, TaskConfig, read_sample
from harness.scoring import choice_evidence

log = logging.getLogger(__name__)
AGAIN = "copy it again, or run it again"
NO_MEAN = "%s: %s is left out: it is no mean over documents"
NO_GAIN = "%s: %s is left out: it is not the gain of its parts"


class _Line(NamedTuple):
    number: int
    sample: Sample
    values: dict[str, Any]


def read_samples(file: Path, task: str, config: TaskConfig, documents: int) -> list[dict[str, Any]]:
    """Read a task's documents in our form, each with a value per metric, None: does not apply.

    A metric for which lm-eval notes no numbers is left out, and a gain: what lm-eval notes of it is
    no value of the document. The second of two equal documents
    gets a hash of its own, the same in every run, and shares the cluster "doc" with the first.

    Raises:
        RecordError: the file is damaged, or lacks documents; names the line.
    """
    by_document = _by_document(file, _lines(file))
    if len(by_document) != documents:
        raise RecordError(
            f"{file}: holds {len(by_document)} documents, the results tell of {documents}; {AGAIN}"
        )
    metrics = _metrics(task, list(by_document.values()), config.gains)
    samples = [
        _document(file, config, lines, values)
        for lines, values in zip(by_document.values(), metrics, strict=True)
    ]
    _tell_apart(task, samples)
    return samples


def _lines(file: Path) -> list[_Line]:
    try:
        with file.open("rb") as lines:
            return [_line(file, number, line) for number, line in enumerate(lines, 1)]
    except OSError as err:
        raise RecordError(f"{file}: cannot be read: {err.strerror}; {AGAIN}") from err


def _line(file: Path, number: int, line: bytes) -> _Line:
    try:
        return _Line(number, *read_sample(line))
    except (ValueError, RecursionError) as err:
        raise RecordError(
            f"{file}, line {number}: is no sample of lm-eval: {err}; {AGAIN}"
        ) from err


def _by_document(file: Path, lines: Sequence[_Line]) -> dict[int, dict[str, _Line]]:
    """Group the lines by document, in the documents' order, then by filter.

    Raises:
        RecordError: a document is there twice for a filter, or lacks one.
    """
    found: dict[int, dict[str, _Line]] = {}
    for line in lines:
        sample = line.sample
        known = found.setdefault(sample.doc_id, {})
        if sample.filter in known:
            raise RecordError(
                f"{file}, line {line.number}: document {sample.doc_id} is there twice for the "
                f"filter {sample.filter!r}, in line {known[sample.filter].number} too; {AGAIN}"
            )
        known[sample.filter] = line
    _check_filters(file, found)
    return dict(sorted(found.items()))


def _check_filters(file: Path, found: Mapping[int, Mapping[str, _Line]]) -> None:
    filters = dict.fromkeys(name for known in found.values() for name in known)
    for document, known in found.items():
        if set(known) != set(filters):
            lacking = ", ".join(repr(name) for name in filters if name not in known)
            raise RecordError(f"{file}: document {document} lacks the filter {lacking}; {AGAIN}")


def _metrics(
    task: str, documents: Sequence[Mapping[str, _Line]], gains: Collection[str]
) -> list[dict[str, float | None]]:
    """Give each document a value for every metric that is a number wherever it applies."""
    told = [
        {
            f"{name},{chosen}" if len(lines) > 1 else name: value
            for chosen, line in lines.items()
            for name, value in line.values.items()
            if name not in gains
        }
        for lines in documents
    ]
    names = dict.fromkeys(name for values in told for name in values)
    odd = {name for name in names if not all(_is_number(one.get(name)) for one in told)}
    for name in names:
        if name in odd:
            log.warning(NO_MEAN, task, name)
    return [
        {name: _number(values.get(name)) for name in names if name not in odd} for values in told
    ]


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float))


def _number(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:
        return float("inf")


def _document(
    file: Path,
    config: TaskConfig,
    lines: Mapping[str, _Line],
    metrics: Mapping[str, float | None],
) -> dict[str, Any]:
    rows = [line.sample for line in lines.values()]
    doc = _strict(rows[0].doc)
    where = f"{file}: document {rows[0].doc_id}"
    try:
        cluster = cluster_by(config.cluster)(doc)
    except (KeyError, TemplateError, ConfigError) as err:
        raise RecordError(f"{where}: cluster {config.cluster!r}: {err}; {AGAIN}") from err
    try:
        evidence = _evidence(config, rows)
    except (ValueError, TypeError, LookupError) as err:
        raise RecordError(f"{where}: holds no answers as our tasks give: {err}; {AGAIN}") from err
    return {
        "doc_id": rows[0].doc_id,
        "doc_hash": doc_hash(doc),
        "cluster": cluster,
        "doc": doc,
        "target": rows[0].target,
        "metrics": dict(metrics),
        **evidence,
    }


def _strict(doc: dict[str, Any]) -> dict[str, Any]:
    """Make a document strict JSON, as it is written: NaN becomes null."""
    text = json.dumps(doc)
    if "NaN" not in text and "Infinity" not in text:
        return doc
    return dict(json.loads(text, parse_constant=lambda _: None))


def _evidence(config: TaskConfig, rows: Sequence[Sample]) -> dict[str, Any]:
    answers = rows[0].filtered_resps or []
    ours = config.conditions is not None
    if ours and answers and isinstance(answers[0], str):
        told = msgspec.convert(json.loads(answers[0]), Answer)
        return {"stages": told.stages, "read": told.read}
    asked = [tuple(one.values()) for one in (rows[0].arguments or {}).values()]
    if ours:
        scores = [(float(score), str(greedy) == "True") for score, greedy in answers]
        return choice_evidence(asked, scores, "acc_answer_only" in rows[0].metrics)
    return {"asked": asked, "answers": [row.filtered_resps for row in rows]}


def _tell_apart(task: str, samples: Sequence[dict[str, Any]]) -> None:
    seen: Counter[str] = Counter()
    for sample in samples:
        digest = sample["doc_hash"]
        seen[digest] += 1
        if seen[digest] > 1:
            again = {"doc": sample["doc"], "repeat": seen[digest]}
            sample["doc_hash"] = doc_hash(again)
    repeated = len(samples) - len(seen)
    if repeated:
        log.warning("%s: %d documents repeat an earlier one; both count", task, repeated)
