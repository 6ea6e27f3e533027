"""The answers that models have already given, and where things are kept.

Everything lies in one folder of the user's cache: `SELFCHECK_HOME`, or the platform's usual place.
`SELFCHECK_CACHE` puts the answers into another folder; its value `off` keeps none.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

log = logging.getLogger(__name__)

SCHEMA = 1
BUSY_SECONDS = 30
CHUNK = 500  # keys per query; SQLite's oldest limit is 999 variables

TABLE = """
CREATE TABLE answers (
    fingerprint TEXT, kind TEXT, request TEXT, answer TEXT NOT NULL,
    PRIMARY KEY (fingerprint, kind, request)
) WITHOUT ROWID
"""

Answer = str | tuple[Any, ...]


def cache_home() -> Path:
    """Give the folder under which everything is kept; it need not exist yet."""
    import platformdirs

    return Path(os.environ.get("SELFCHECK_HOME") or platformdirs.user_cache_dir("selfcheck"))


def default_path() -> Path | None:
    """Give the file of the response cache, or None if it is turned off."""
    folder = os.environ.get("SELFCHECK_CACHE")
    if folder == "off":
        return None
    return (Path(folder) if folder else cache_home()) / "answers.sqlite"


def request_key(kind: str, args: Iterable[Any]) -> str:
    """Give the key of a request: its kind ("generate_until", ...) and its `Instance.args`.

    The chat prompt of an API model (`JsonChatStr`) counts as a list of its one string.

    >>> request_key("loglikelihood", ("a", "b")) == request_key("loglikelihood", ["a", "b"])
    True
    """
    text = json.dumps([kind, list(args)], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


class ResponseCache:
    """Answers of models that can be identified, in an SQLite file that processes may share.

    A file that is damaged, or that a newer version wrote, is renamed and a new one begun. When the
    file can no longer be written (full disk), a warning is logged and the run goes on.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.Lock()
        self._writes = True

    @classmethod
    def open(cls, path: Path) -> ResponseCache:
        """Open the cache in this file, or begin it.

        Raises:
            OSError, sqlite3.OperationalError: the place cannot be written.
        """
        return cls(path, _open(path))

    @classmethod
    @contextmanager
    def default(cls) -> Iterator[ResponseCache | None]:
        """Open the user's cache for a while; None if it is turned off or cannot be opened."""
        path = default_path()
        try:
            cache = cls.open(path) if path else None
        except (OSError, sqlite3.Error) as err:
            log.warning(
                "No answers are kept: %s: %s; set SELFCHECK_CACHE to another folder", path, err
            )
            cache = None
        try:
            yield cache
        finally:
            if cache is not None:
                cache.close()

    def get_many(self, fingerprint: str, kind: str, keys: Sequence[str]) -> dict[str, Answer]:
        """Look up a model's answers by `request_key`; keys without an answer are left out."""
        with self._lock:
            try:
                return self._select(fingerprint, kind, keys)
            except sqlite3.DatabaseError as err:
                self._recover(err)
                return {}

    def put(self, fingerprint: str, kind: str, key: str, answer: Answer | Sequence[Any]) -> None:
        """Keep an answer; when this returns, a kill of the process does not lose it.

        Raises:
            ValueError: the answer is NaN or infinite.
        """
        row = (fingerprint, kind, key, json.dumps(answer, allow_nan=False))
        with self._lock:
            if not self._writes:
                return
            try:
                self._insert(row)
            except sqlite3.DatabaseError as err:
                self._recover(err)
                if self._writes:
                    self._insert(row)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> ResponseCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _select(self, fingerprint: str, kind: str, keys: Sequence[str]) -> dict[str, Answer]:
        found: dict[str, Answer] = {}
        for start in range(0, len(keys), CHUNK):
            chunk = keys[start : start + CHUNK]
            query = (
                "SELECT request, answer FROM answers WHERE fingerprint = ? AND kind = ? "
                f"AND request IN ({','.join('?' * len(chunk))})"
            )
            for key, text in self._connection.execute(query, (fingerprint, kind, *chunk)):
                answer = json.loads(text)
                found[key] = answer if isinstance(answer, str) else tuple(answer)
        return found

    def _insert(self, row: tuple[str, str, str, str]) -> None:
        self._connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", row)

    def _recover(self, err: sqlite3.DatabaseError) -> None:
        if isinstance(err, sqlite3.OperationalError):  # locked, full, read-only: the file is sound
            log.warning("Answers are no longer kept: %s: %s", self.path, err)
            self._writes = False
            return
        self._connection.close()
        try:
            self._connection = _open(self.path, check=True)
        except (OSError, sqlite3.Error, _UnusableError) as again:
            log.warning("Answers are no longer kept: %s: %s", self.path, again)
            self._writes = False
            self._connection = sqlite3.connect(":memory:", check_same_thread=False)
            _prepare(self._connection)


class _UnusableError(Exception):
    """The file is no cache of this version."""


def _open(path: Path, check: bool = False) -> sqlite3.Connection:
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=BUSY_SECONDS):  # SQLite's own does not cover the set-up
        try:
            return _connect(path, check)
        except _UnusableError as err:
            _set_aside(path, err)
            return _connect(path)


def _connect(path: Path, check: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(connection)
        if check and (faults := connection.execute("PRAGMA quick_check").fetchall()) != [("ok",)]:
            raise _UnusableError(f"damaged: {faults[0][0]}")
    except sqlite3.OperationalError:
        connection.close()
        raise
    except (sqlite3.DatabaseError, _UnusableError) as err:
        connection.close()
        raise _UnusableError(str(err)) from err
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    version = _check_version(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if version == 0:
        connection.execute(TABLE)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _check_version(connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA:
        raise _UnusableError(f"written by a newer version (schema {version}, known {SCHEMA})")
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise _UnusableError("an SQLite file of something else")
    return version


def _set_aside(path: Path, reason: Exception) -> None:
    suffix = f".unusable-{time.time_ns()}"
    for part in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{path}{part}").rename(f"{path}{suffix}{part}")
    log.warning(
        "The cache of answers is begun anew; %s is set aside as *%s: %s", path, suffix, reason
    )


class Hook(Protocol):
    """What lm-eval calls as a model's answers arrive."""

    def add_partial(self, attr: str, req: Iterable[Any], res: Any) -> None:
        """Take the answer to a request."""


class AnswerHook:
    """Stands in for lm-eval's `CacheHook`: tells somebody of each answer as it arrives.

    HF and API models hand over a request as it stands in `Instance.args`, so that its key is
    `request_key(attr, req)`. vLLM hands over completed settings, and SGLang those of the batch's
    last request: whoever listens must check the request against those that were sent.

    Args:
        inner: the model's hook so far; is called first.
        heard: is given the kind of request, its arguments, and the answer.
    """

    def __init__(self, inner: Hook, heard: Callable[[str, Iterable[Any], Any], None]) -> None:
        self.inner = inner
        self.heard = heard

    def add_partial(self, attr: str, req: Iterable[Any], res: Any) -> None:
        """Take the answer to a request."""
        req = tuple(req)
        self.inner.add_partial(attr, req, res)
        self.heard(attr, req, res)
