from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cache import (
    SCHEMA,
    ResponseCache,
    cache_home,
    default_path,
    request_key,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "answers.sqlite"


def set_aside(file: Path) -> list[Path]:
    return [f for f in file.parent.glob("*.unusable-*") if not f.name.endswith(("-wal", "-shm"))]


def test_cache_home_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELFCHECK_HOME", str(tmp_path))
    assert cache_home() == tmp_path
    monkeypatch.delenv("SELFCHECK_HOME")
    assert cache_home().name == "selfcheck"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "home/answers.sqlite"), ("own", "own/answers.sqlite"), ("off", None)],
)
def test_default_path_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str | None, expected: str | None
) -> None:
    monkeypatch.setenv("SELFCHECK_HOME", "home")
    monkeypatch.delenv("SELFCHECK_CACHE")
    if value:
        monkeypatch.setenv("SELFCHECK_CACHE", value)
    assert default_path() == (Path(expected) if expected else None)


def test_request_key_depends_on_kind_and_arguments_not_on_their_containers() -> None:
    key = request_key("generate_until", ("a", {"x": 1, "until": ["b"]}))
    assert key == request_key("generate_until", ["a", {"until": ["b"], "x": 1}])
    others = [
        request_key("loglikelihood", ("a", {"x": 1, "until": ["b"]})),
        request_key("generate_until", ("a", {"x": 2, "until": ["b"]})),
        request_key("generate_until", ("ab", {"x": 1, "until": ["b"]})),
    ]
    assert len({key, *others}) == 4


def test_request_key_half_a_surrogate_pair_has_one() -> None:
    assert len(request_key("generate_until", ("\ud83d", {}))) == 64


def test_get_many_gives_back_what_was_put_by_model_and_kind(file: Path) -> None:
    with ResponseCache.open(file) as cache:
        cache.put("model", "generate_until", "k", 'An "answer" – \ud83d\n')
        cache.put("model", "loglikelihood", "k", (-0.1 - 0.2, True))
        cache.put("other", "generate_until", "k", "")
    with ResponseCache.open(file) as cache:
        assert cache.get_many("model", "generate_until", ["k", "no"]) == {
            "k": 'An "answer" – \ud83d\n'
        }
        assert cache.get_many("model", "loglikelihood", ["k"]) == {"k": (-0.1 - 0.2, True)}
        assert cache.get_many("other", "generate_until", ["k"]) == {"k": ""}
        assert cache.get_many("third", "generate_until", ["k"]) == {}


def test_get_many_thousands_of_keys_are_found(file: Path) -> None:
    with ResponseCache.open(file) as cache:
        for number in range(1200):
            cache.put("model", "generate_until", str(number), str(number))
        keys = [str(number) for number in range(2500)]
        assert cache.get_many("model", "generate_until", keys) == {k: k for k in keys[:1200]}
        assert cache.get_many("model", "generate_until", []) == {}


def test_put_again_keeps_the_later_answer(file: Path) -> None:
    with ResponseCache.open(file) as cache:
        cache.put("model", "generate_until", "k", "first")
        cache.put("model", "generate_until", "k", "second")
        assert cache.get_many("model", "generate_until", ["k"]) == {"k": "second"}


def test_put_nan_raises(file: Path) -> None:
    with ResponseCache.open(file) as cache, pytest.raises(ValueError, match="JSON"):
        cache.put("model", "loglikelihood", "k", (float("nan"), False))


def test_put_two_connections_see_each_others_answers(file: Path) -> None:
    with ResponseCache.open(file) as one, ResponseCache.open(file) as two:
        one.put("model", "generate_until", "a", "from one")
        two.put("model", "generate_until", "b", "from two")
        expected = {"a": "from one", "b": "from two"}
        assert one.get_many("model", "generate_until", ["a", "b"]) == expected
        assert two.get_many("model", "generate_until", ["a", "b"]) == expected


def test_put_while_another_writes_waits(file: Path) -> None:
    with ResponseCache.open(file) as cache:
        other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.3, other.execute, ["COMMIT"])
        timer.start()
        cache.put("model", "generate_until", "k", "waited")
        timer.join()
        other.close()
        assert cache.get_many("model", "generate_until", ["k"]) == {"k": "waited"}


def test_put_from_another_thread_is_kept(file: Path) -> None:
    with ResponseCache.open(file) as cache:
        thread = threading.Thread(target=cache.put, args=("model", "generate_until", "k", "x"))
        thread.start()
        thread.join()
        assert cache.get_many("model", "generate_until", ["k"]) == {"k": "x"}


WRITER = """
import sys
from pathlib import Path
from harness.cache import ResponseCache
cache = ResponseCache.open(Path(sys.argv[1]))
for number in range(100_000):
    cache.put("model", "generate_until", f"{sys.argv[2]}-{number}", "x" * 300)
    print(f"{sys.argv[2]}-{number}", flush=True)
"""


def start_writer(file: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(file), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_put_writers_killed_lose_no_answer(file: Path) -> None:
    writers = [start_writer(file, name) for name in ("one", "two")]
    told: list[str] = []
    for writer in writers:
        assert writer.stdout is not None
        told += [writer.stdout.readline().strip() for _ in range(300)]
    for writer in writers:
        os.kill(writer.pid, signal.SIGKILL)
        rest, _ = writer.communicate()
        told += rest.splitlines()[:-1]  # the last line may be cut
    with ResponseCache.open(file) as cache:
        found = cache.get_many("model", "generate_until", told)
    assert len(told) >= 600
    assert set(found) == set(told)
    assert not set_aside(file)


def test_open_many_processes_at_once_begin_one_file(file: Path) -> None:
    code = WRITER.replace("100_000", "20")
    command = [sys.executable, "-c", code, str(file)]
    names = ["a", "b", "c", "d"]
    writers = [subprocess.Popen([*command, n], stdout=subprocess.DEVNULL) for n in names]
    assert [writer.wait() for writer in writers] == [0] * 4
    with ResponseCache.open(file) as cache:
        keys = [f"{name}-{number}" for name in names for number in range(20)]
        assert len(cache.get_many("model", "generate_until", keys)) == 80
    assert not set_aside(file)


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from harness.cache import ResponseCache
left = int(sys.argv[2])
class Connection(sqlite3.Connection):
    def execute(self, *args):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(*args)
connect = sqlite3.connect
sqlite3.connect = lambda *args, **options: connect(*args, factory=Connection, **options)
ResponseCache.open(Path(sys.argv[1]))
"""


def test_open_killed_while_the_file_is_begun_the_next_one_finishes_it(file: Path) -> None:
    killed = 0
    for statements in range(20):
        command = [sys.executable, "-c", KILLED, str(file), str(statements)]
        if subprocess.run(command).returncode == 0:
            break
        killed += 1
        with ResponseCache.open(file) as cache:
            cache.put("model", "generate_until", "k", "x")
            assert cache.get_many("model", "generate_until", ["k"]) == {"k": "x"}
        assert not set_aside(file)
        for left in file.parent.iterdir():
            left.unlink()
    assert 5 < killed < 20


def test_open_corrupt_file_is_set_aside_with_a_warning(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    file.write_bytes(b"no database" * 1000)
    with ResponseCache.open(file) as cache:
        cache.put("model", "generate_until", "k", "x")
        assert cache.get_many("model", "generate_until", ["k"]) == {"k": "x"}
    assert [f.read_bytes()[:11] for f in set_aside(file)] == [b"no database"]
    assert str(file) in caplog.text
    assert "file is not a database" in caplog.text


@pytest.mark.parametrize(("step", "age"), [(1, "a newer"), (-1, "an older")])
def test_open_other_schema_is_set_aside_with_a_warning(
    file: Path, caplog: pytest.LogCaptureFixture, step: int, age: str
) -> None:
    begin_other_schema(file, step).close()
    with ResponseCache.open(file) as cache:
        assert cache.get_many("model", "generate_until", ["k"]) == {}
        cache.put("model", "generate_until", "k", "x")
        assert cache.get_many("model", "generate_until", ["k"]) == {"k": "x"}
    assert len(set_aside(file)) == 1
    assert f"written by {age} version (schema {SCHEMA + step}, known {SCHEMA})" in caplog.text


def test_open_newer_schema_in_use_leaves_its_writer_whole_and_apart(file: Path) -> None:
    newer = begin_other_schema(file, 1)
    with ResponseCache.open(file) as cache:
        newer.execute(INSERT, ("late",))
        cache.put("model", "generate_until", "k", "x")
        newer.close()  # the last one to have the old file open tidies its log away, not ours
        with ResponseCache.open(file) as other:
            other.put("model", "generate_until", "l", "y")
        expected = {"k": "x", "l": "y"}
        assert cache.get_many("model", "generate_until", ["k", "l", "late"]) == expected
    with ResponseCache.open(file) as cache:
        assert cache.get_many("model", "generate_until", ["k", "l"]) == expected
    [old] = set_aside(file)
    rows = sqlite3.connect(old).execute("SELECT request FROM answers").fetchall()
    assert rows == [("k",), ("late",)]


INSERT = "INSERT INTO answers VALUES ('model', 'generate_until', ?, '\"other\"', 0)"


def begin_other_schema(file: Path, step: int) -> sqlite3.Connection:
    ResponseCache.open(file).close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute(f"PRAGMA user_version = {SCHEMA + step}")
    other.execute(INSERT, ("k",))
    return other


def test_open_database_of_something_else_is_set_aside(file: Path) -> None:
    file.parent.mkdir()
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE answers (x)")
    other.close()
    with ResponseCache.open(file) as cache:
        cache.put("model", "generate_until", "k", "x")
    assert len(set_aside(file)) == 1


DAMAGES: dict[str, Callable[[bytearray, random.Random], bytes | bytearray]] = {
    "a byte": lambda c, r: overwrite(c, r.randrange(len(c)), bytes([r.randrange(256)])),
    "the head": lambda c, r: overwrite(c, r.randrange(100), bytes([r.randrange(256)])),
    "a hole": lambda c, r: overwrite(c, r.randrange(len(c)), bytes(4096)),
    "noise": lambda c, r: overwrite(c, r.randrange(len(c)), r.randbytes(500)),
    "the end": lambda c, r: c[: r.randrange(len(c))],
}


def overwrite(content: bytearray, place: int, piece: bytes) -> bytearray:
    return content[:place] + piece[: len(content) - place] + content[place + len(piece) :]


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_anywhere_never_raises_and_never_gives_a_wrong_answer(file: Path, kind: str) -> None:
    told = {str(number): "x" * 20 * number for number in range(50)}
    with ResponseCache.open(file) as cache:
        for key, answer in told.items():
            cache.put("model", "generate_until", key, answer)
        cache.put("model", "loglikelihood", "k", (-0.5, True))
    sound = file.read_bytes()
    harmed = 0
    for seed in range(40):
        file.write_bytes(DAMAGES[kind](bytearray(sound), random.Random(seed)))
        with ResponseCache.open(file) as cache:
            found = cache.get_many("model", "generate_until", list(told))
            scores = cache.get_many("model", "loglikelihood", ["k"])
            cache.put("model", "generate_until", "new", "new")
        assert found.items() <= told.items(), seed
        assert scores in ({}, {"k": (-0.5, True)}), seed
        harmed += len(found) < len(told) or bool(set_aside(file))
        for left in file.parent.iterdir():
            left.unlink()
    assert harmed > 0, "no damage was met"


def test_get_many_answer_that_is_not_as_it_was_written_is_set_aside(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ResponseCache.open(file) as cache:
        cache.put("one", "generate_until", "k", "yes")
        cache._file.connection.execute("UPDATE answers SET fingerprint = 'two'")
        assert cache.get_many("two", "generate_until", ["k"]) == {}
        cache.put("two", "generate_until", "k", "no")
        assert cache.get_many("two", "generate_until", ["k"]) == {"k": "no"}
    assert len(set_aside(file)) == 1
    assert "an answer is not as it was written" in caplog.text


def test_put_damaged_file_that_two_have_open_is_set_aside_once_and_both_go_on(file: Path) -> None:
    begin_damaged(file)
    with ResponseCache.open(file) as one, ResponseCache.open(file) as two:
        for cache, key in ((one, "a"), (two, "b")):
            cache.get_many("model", "generate_until", [str(number) for number in range(500)])
            cache.put("model", "generate_until", key, key)
        for cache in (one, two):
            assert cache.get_many("model", "generate_until", ["a", "b"]) == {"a": "a", "b": "b"}
    assert len(set_aside(file)) == 1


def begin_damaged(file: Path) -> None:
    with ResponseCache.open(file) as cache:
        for number in range(500):
            cache.put("model", "generate_until", str(number), "x" * 500)
    content = bytearray(file.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    file.write_bytes(content)


def test_get_many_damaged_inside_is_set_aside_and_goes_on(file: Path) -> None:
    begin_damaged(file)
    with ResponseCache.open(file) as cache:
        assert cache.get_many("model", "generate_until", ["1"]) == {}
        cache.put("model", "generate_until", "1", "new")
        assert cache.get_many("model", "generate_until", ["1"]) == {"1": "new"}
    assert len(set_aside(file)) == 1


def test_put_file_that_takes_no_more_warns_once_and_goes_on(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ResponseCache.open(file) as cache:
        cache.put("model", "generate_until", "kept", "x")
        cache._file.connection.execute("PRAGMA max_page_count = 3")
        for number in range(50):
            cache.put("model", "generate_until", str(number), "x" * 1000)
        assert cache.get_many("model", "generate_until", ["kept"]) == {"kept": "x"}
    assert caplog.text.count("Answers are no longer kept") == 1
    assert "full" in caplog.text


def test_default_turned_off_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFCHECK_CACHE", "off")
    with ResponseCache.default() as cache:
        assert cache is None


def test_default_place_that_cannot_be_written_warns_and_gives_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SELFCHECK_CACHE", str(tmp_path / "file"))
    with ResponseCache.default() as cache:
        assert cache is None
    assert "set SELFCHECK_CACHE to another folder" in caplog.text


def test_default_opens_the_users_file() -> None:
    with ResponseCache.default() as cache:
        assert cache is not None
        assert cache.path == default_path()


def test_put_disk_full_warns_and_the_run_goes_on(file: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from harness.cache import ResponseCache
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
with ResponseCache.open(Path(sys.argv[1])) as cache:
    for number in range(300):
        cache.put("model", "generate_until", str(number), "x" * 1000)
    told = cache.get_many("model", "generate_until", [str(number) for number in range(300)])
    print(len(told), 0 in map(int, told))
"""
    command = [sys.executable, "-c", code, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kept, first = done.stdout.split()
    assert 0 < int(kept) < 300
    assert first == "True"
    assert done.stderr.count("Answers are no longer kept") == 1
    with ResponseCache.open(file) as cache:
        keys = [str(number) for number in range(300)]
        assert len(cache.get_many("model", "generate_until", keys)) == int(kept)
    assert not set_aside(file)


def test_damaged_file_that_cannot_be_replaced_keeps_nothing_and_does_not_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("read-only file system")

    with ResponseCache.open(tmp_path / "answers.sqlite") as cache:
        monkeypatch.setattr("harness.cache._open", refuse)
        cache.put("model", "generate_until", "key", "lost")
        cache._file.connection.execute("DROP TABLE answers")
        for _ in range(2):
            cache.put("model", "generate_until", "key", "answer")
            assert cache.get_many("model", "generate_until", ["key"]) == {}
    assert caplog.text.count("Answers are no longer kept") == 1
