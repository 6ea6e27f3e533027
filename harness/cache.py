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
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

log = logging.getLogger(__name__)

SCHEMA = 2
BUSY_SECONDS = 30
CHUNK = 500  # keys per query; SQLite's oldest limit is 999 variables

TABLE = """
CREATE TABLE answers (
    fingerprint TEXT, kind TEXT, request TEXT, answer TEXT NOT NULL, seal INTEGER NOT NULL,
    PRIMARY KEY (fingerprint, kind, request)
) WITHOUT ROWID
"""

# errors that say nothing against the file: it cannot be read or written at the moment
PASSING = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
}  # fmt: skip
FAULTS = (sqlite3.DatabaseError, UnicodeDecodeError)  # a message about a damaged name is no UTF-8

T = TypeVar("T")
Answer = str | tuple[Any, ...]


def cache_home() -> Path:
    """Give the folder under which everything is kept; it need not exist yet."""
    import platformdirs

    return Path(os.environ.get("SELFCHECK_HOME") or platformdirs.user_cache_dir("selfcheck"))


def make_home() -> Path:
    """Make that folder, unless it is there, for its user alone: it holds what models were asked.

    Raises:
        OSError: it cannot be made.
    """
    home = cache_home()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


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

    A file that is damaged, or that another version wrote, is renamed and a new one begun; a process
    that has it open then goes on with the renamed one. When the file can no longer be written (full
    disk), a warning is logged and the run goes on.
    """

    def __init__(self, path: Path, file: _File) -> None:
        self.path = path
        self._file = file
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
            return self._tried(lambda: self._select(fingerprint, kind, keys)) or {}

    def put(self, fingerprint: str, kind: str, key: str, answer: Answer | Sequence[Any]) -> None:
        """Keep an answer; when this returns, a kill of the process does not lose it.

        Raises:
            ValueError: the answer is NaN or infinite.
        """
        row = (fingerprint, kind, key, json.dumps(answer, allow_nan=False))
        with self._lock:
            if self._writes:
                self._tried(lambda: self._insert(row))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.connection.close()

    def __enter__(self) -> ResponseCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _select(self, fingerprint: str, kind: str, keys: Sequence[str]) -> dict[str, Answer]:
        found: dict[str, Answer] = {}
        for start in range(0, len(keys), CHUNK):
            chunk = keys[start : start + CHUNK]
            query = (
                "SELECT request, answer, seal FROM answers WHERE fingerprint = ? AND kind = ? "
                f"AND request IN ({','.join('?' * len(chunk))})"
            )
            rows = self._file.connection.execute(query, (fingerprint, kind, *chunk))
            for key, text, seal in rows:
                if seal != _seal(fingerprint, kind, key, text):
                    raise _UnusableError("damaged: an answer is not as it was written")
                answer = json.loads(text)
                found[key] = answer if isinstance(answer, str) else tuple(answer)
        return found

    def _insert(self, row: tuple[str, str, str, str]) -> None:
        self._file.connection.execute(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", (*row, _seal(*row))
        )

    def _tried(self, action: Callable[[], T]) -> T | None:
        """Do it; if the file turns out to be damaged, once more with a new one; None: in vain."""
        for again in (True, False):
            try:
                return action()
            except FAULTS as err:
                if not (again and _is_damage(err) and self._renew(err)):
                    self._stop(err)
                    break
        return None

    def _renew(self, reason: Exception) -> bool:
        self._file.connection.close()
        try:
            self._file = _open(self.path, _Damage(self._file.inode, reason))
        except (OSError, sqlite3.Error) as err:
            self._stop(err)
            return False
        return True

    def _stop(self, reason: Exception) -> None:
        if self._writes:
            log.warning("Answers are no longer kept: %s: %s", self.path, reason)
        self._writes = False


class _UnusableError(sqlite3.DatabaseError):
    """The file is no sound cache of this version."""


class _File(NamedTuple):
    connection: sqlite3.Connection
    inode: int


class _Damage(NamedTuple):
    inode: int
    reason: Exception


def _open(path: Path, damage: _Damage | None = None) -> _File:
    """Open the file, or begin it; the damaged one may have been set aside by another process."""
    from filelock import FileLock

    if path.parent == cache_home():
        make_home()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=BUSY_SECONDS):  # SQLite's own does not cover the set-up
        if damage and path.exists() and path.stat().st_ino == damage.inode:
            _set_aside(path, damage.reason)
        try:
            connection = _connect(path)
        except _UnusableError as err:
            _set_aside(path, err)
            connection = _connect(path)
        return _File(connection, path.stat().st_ino)


def _connect(path: Path) -> sqlite3.Connection:
    if not path.exists():  # its user's alone; SQLite gives -wal and -shm the same permissions
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = lambda content: content.decode("utf-8", "replace")
    try:
        _prepare(connection)
    except FAULTS as err:
        connection.close()
        if _is_damage(err):
            raise _UnusableError(str(err)) from err
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    version = _check_version(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    if version == 0:
        connection.execute("BEGIN")  # a kill in between would leave a file of no version
        connection.execute(TABLE)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute("COMMIT")


def _check_version(connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version not in (0, SCHEMA):
        age = "a newer" if version > SCHEMA else "an older"
        raise _UnusableError(f"written by {age} version (schema {version}, known {SCHEMA})")
    if version == 0 and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        raise _UnusableError("an SQLite file of something else")
    return version


def _is_damage(err: Exception) -> bool:
    code = getattr(err, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF not in PASSING


def _seal(*row: object) -> int:
    """Give the checksum of an answer and what it answers: SQLite has none of its own."""
    return zlib.crc32(repr(row).encode("utf-8", "surrogatepass"))


def _set_aside(path: Path, reason: Exception) -> None:
    number = time.time_ns()
    while Path(f"{path}.unusable-{number}").exists():  # the clock may have been set back
        number += 1
    suffix = f".unusable-{number}"
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
