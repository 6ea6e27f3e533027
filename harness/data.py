"""Where the documents come from: our samples, a local folder, or the Hugging Face hub.

In this order, and nothing else is ever put in their place:

1. `selfcheck-sample/<name>`: the files that come with this package, in `tasks/sample/`.
2. The folder that `SELFCHECK_DATA` names: `<owner>__<name>/[<config>/]<split>.jsonl`, one JSON
   object per line in the hub's schema. The file may lie without the config's folder, too.
3. The Hugging Face cache or hub, at the data set's pinned revision.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness import hub
from harness.errors import ConfigError, DataError, MissingDataError, unknown

log = logging.getLogger(__name__)

SAMPLES = "selfcheck-sample/"
MOST_FAULTS = 5
Doc = dict[str, Any]


@dataclass(frozen=True)
class DataRef:
    """A split of a data set: its name on the hub, config, split and revision.

    Attributes:
        data_dir: stands in the place of the config where the hub's repository has folders instead
            of configs: the parquet revision of a script data set.
        where: columns and values; only rows that have them all belong to it.
    """

    path: str
    split: str
    name: str | None = None
    revision: str = "main"
    data_dir: str | None = None
    where: tuple[tuple[str, Any], ...] = ()

    @property
    def config(self) -> str | None:
        """The config's name or folder."""
        return self.name or self.data_dir

    def __str__(self) -> str:
        config = f" [{self.config}]" if self.config else ""
        where = "".join(f", {column} = {value}" for column, value in self.where)
        return f"{self.path}{config} {self.split}{where}"


@dataclass(frozen=True)
class Split:
    """The documents of a split.

    Attributes:
        ref: what was asked for.
        docs: the documents, in the order of their source; shared, not to be changed.
        hashes: `doc_hash` of each.
        fingerprint: identifies the documents together; independent of their order, because local
            files and the hub order them differently.
        source: where they were really loaded from.
        dropped_duplicates: repetitions left out (hub; in a local file they are an error).
    """

    ref: DataRef
    docs: list[Doc]
    hashes: list[str]
    fingerprint: str
    source: str
    dropped_duplicates: int

    def describe(self) -> dict[str, Any]:
        """Give what a record needs to tell this split from another."""
        return {
            "path": self.ref.path,
            "name": self.ref.config,
            "split": self.ref.split,
            "where": dict(self.ref.where),
            "revision": self.ref.revision,
            "loaded_from": self.source,
            "fingerprint": self.fingerprint,
            "documents": len(self.docs),
            "dropped_duplicates": self.dropped_duplicates,
        }


@dataclass(frozen=True)
class _Rows:
    docs: list[Doc]
    hashes: list[str]
    places: list[str]
    faults: list[str]
    source: str
    dropped: int = 0

    def add(self, place: str, doc: Doc, digest: str) -> None:
        self.docs.append(doc)
        self.hashes.append(digest)
        self.places.append(place)


def doc_hash(doc: Mapping[str, Any]) -> str:
    """Hash a document: sha256 of its canonical JSON.

    Raises:
        TypeError, ValueError: it holds what JSON has no word for (NaN, bytes, dates).

    >>> doc_hash({"a": 1, "b": "x"}) == doc_hash({"b": "x", "a": 1})
    True
    """
    text = json.dumps(
        doc, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def load_split(ref: DataRef, problem: Callable[[Doc], str | None] | None = None) -> Split:
    """Load a split; a second call does not read it again unless its file has changed.

    Args:
        ref: which one.
        problem: says what keeps a document from being used, or None.

    Raises:
        ConfigError: there is no such sample, or `SELFCHECK_DATA` is no folder.
        DataError: names the first five faults, with file and line.
        MissingDataError: it is nowhere to be had; says how to get it.
    """
    file, source = _find_file(ref)
    if file is not None:
        state = file.stat()
        rows = _read_file(file, source, state.st_mtime_ns, state.st_size)
    else:
        rows = _read_hub(replace(ref, where=()))
    rows = _keep(rows, ref.where)
    faults = rows.faults + [
        f"{place}: {found}"
        for place, doc in zip(rows.places, rows.docs, strict=True)
        if problem and (found := problem(doc))
    ]
    if not rows.docs and not faults:
        faults = [f"{file or ref}: is empty" if not ref.where else f"{ref}: there is no such row"]
    if faults:
        more = [f"and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
        raise DataError("\n".join(faults[:MOST_FAULTS] + more))
    fingerprint = hashlib.sha256("\n".join(sorted(rows.hashes)).encode()).hexdigest()
    return Split(ref, rows.docs, rows.hashes, fingerprint, rows.source, rows.dropped)


def missing(refs: Iterable[DataRef]) -> dict[DataRef, MissingDataError]:
    """Try each split; give those that are nowhere to be had.

    Raises:
        ConfigError, DataError: as `load_split`.
    """
    lacking = {}
    for ref in dict.fromkeys(refs):
        try:
            load_split(ref)
        except MissingDataError as err:
            lacking[ref] = err
    return lacking


def tasks_path() -> Path:
    """Give the folder of the task files: in an installed package, or in the repository.

    Raises:
        ConfigError: it is in neither place.
    """
    here = Path(__file__).resolve().parent
    for place in (here / "_tasks", here.parent / "tasks"):
        if (place / "sample").is_dir():
            return place
    raise ConfigError(f"no task files in {here / '_tasks'}: install selfcheck-harness again")


def _find_file(ref: DataRef) -> tuple[Path | None, str]:
    if ref.path.startswith(SAMPLES):
        return _find_sample(ref), f"{ref.path}/{ref.split}.jsonl"
    folder = _local_folder()
    for place in _local_places(ref):
        if ".." in Path(place).parts or Path(place).is_absolute():
            raise ConfigError(f"{ref}: leads out of SELFCHECK_DATA: {place}; correct the task file")
        if folder and (folder / place).is_file():
            return folder / place, f"SELFCHECK_DATA/{place}"
    return None, ""


def _find_sample(ref: DataRef) -> Path:
    folder = tasks_path() / "sample"
    name = ref.path.removeprefix(SAMPLES)
    names = [entry.name for entry in folder.iterdir() if entry.is_dir()]
    if name not in names:
        raise ConfigError(unknown("sample data set", name, names))
    splits = [entry.stem for entry in (folder / name).glob("*.jsonl")]
    if ref.split not in splits:
        raise ConfigError(unknown(f"split of {ref.path}", ref.split, splits))
    return folder / name / f"{ref.split}.jsonl"


def _local_folder() -> Path | None:
    told = os.environ.get("SELFCHECK_DATA")
    if not told:
        return None
    folder = Path(told).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"SELFCHECK_DATA is {told!r}, which is no folder")
    return folder


def _local_places(ref: DataRef) -> list[str]:
    base, file = ref.path.replace("/", "__"), f"{ref.split}.jsonl"
    return ([f"{base}/{ref.config}/{file}"] if ref.config else []) + [f"{base}/{file}"]


@lru_cache(maxsize=64)
def _read_file(file: Path, source: str, mtime_ns: int, size: int) -> _Rows:
    rows = _Rows([], [], [], [], source)
    try:
        lines = file.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as err:
        raise DataError(f"{file}: cannot be read: {err.strerror}") from err
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            _read_line(rows, f"{file}:{number}", line, seen, number)
    return rows


def _read_line(rows: _Rows, place: str, line: bytes, seen: dict[str, int], number: int) -> None:
    try:
        doc = _parse(line)
        digest = doc_hash(doc)
    except (ValueError, RecursionError) as err:
        rows.faults.append(f"{place}: {err}")
        return
    first = seen.setdefault(digest, number)
    if first == number:
        rows.add(place, doc, digest)
    else:
        rows.faults.append(f"{place}: is the same as line {first}; remove one of them")


def _parse(line: bytes) -> Doc:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as err:
        raise ValueError(f"not UTF-8: byte {line[err.start]:#04x} at {err.start + 1}") from err
    try:
        doc = json.loads(text, parse_constant=_refuse)
        json.dumps(doc, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as err:
        raise ValueError(f"not JSON: {err.msg} at column {err.colno}") from err
    except UnicodeEncodeError as err:
        raise ValueError(f"not text: half a surrogate pair ({err.object[err.start]!a})") from err
    if not isinstance(doc, dict):
        raise ValueError(f"not an object but a {type(doc).__name__}; each line is one {{...}}")
    return doc


def _keep(rows: _Rows, where: tuple[tuple[str, Any], ...]) -> _Rows:
    if not where:
        return rows
    kept = _Rows([], [], [], rows.faults, rows.source, rows.dropped)
    for place, doc, digest in zip(rows.places, rows.docs, rows.hashes, strict=True):
        if all(column in doc and doc[column] == value for column, value in where):
            kept.add(place, doc, digest)
    return kept


def _refuse(constant: str) -> None:
    raise ValueError(f"not JSON: {constant}")


@lru_cache(maxsize=64)
def _read_hub(ref: DataRef) -> _Rows:
    try:
        fetched = hub.fetch(ref)
    except Exception as err:
        raise MissingDataError(_how_to_get(ref, err)) from err
    rows = _Rows([], [], [], [], fetched.source)
    seen: set[str] = set()
    for number, doc in enumerate(fetched.rows):
        _take_row(rows, f"{ref}, row {number}", doc, seen)
    dropped = len(fetched.rows) - len(rows.docs) - len(rows.faults)
    if dropped:
        log.warning("%s: %d exact duplicates of other rows are left out", ref, dropped)
    return _Rows(rows.docs, rows.hashes, rows.places, rows.faults, rows.source, dropped)


def _take_row(rows: _Rows, place: str, doc: Doc, seen: set[str]) -> None:
    try:
        digest = doc_hash(doc)
    except (TypeError, ValueError) as err:
        rows.faults.append(f"{place}: {err}")
        return
    if digest not in seen:
        seen.add(digest)
        rows.add(place, doc, digest)


def _how_to_get(ref: DataRef, err: Exception) -> str:
    folder = _local_folder()
    wanted = (folder or Path("SELFCHECK_DATA")) / _local_places(ref)[0]
    how = "" if folder else "; the variable SELFCHECK_DATA must hold the folder's path"
    reason = (str(err).strip().splitlines() or ["no reason given"])[0]
    return (
        f"{ref}: neither here nor on the hub ({type(err).__name__}: {reason}). Either put it at\n"
        f"  {wanted} (one JSON object per line{how}),\n"
        f"or let the hub be reached: {ref.path}, revision {ref.revision}. This makes that file:\n"
        f"  {hub.how_to_save(ref, wanted)}\n"
        "Tasks with the tag selfcheck-sample need no download."
    )
