from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from harness import hashes
from harness.hashes import file_sha256


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SELFCHECK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read, as they are."""
    seen: list[Path] = []
    read = hashes.read_sha256
    monkeypatch.setattr(hashes, "read_sha256", lambda path: seen.append(path) or read(path))
    return seen


def make(file: Path, content: bytes = b"x", age: int = 100) -> Path:
    file.write_bytes(content)
    os.utime(file, (file.stat().st_mtime - age,) * 2)
    return file


def test_file_sha256_second_look_does_not_read(tmp_path: Path, reads: list[Path]) -> None:
    file = make(tmp_path / "a")
    assert file_sha256(file) == file_sha256(file) == hashlib.sha256(b"x").hexdigest()
    assert reads == [file]


def test_file_sha256_changed_file_is_read_again(tmp_path: Path, reads: list[Path]) -> None:
    file = make(tmp_path / "a")
    file_sha256(file)
    make(file, b"y", age=50)  # of the same size
    assert file_sha256(file) == hashlib.sha256(b"y").hexdigest()
    make(file, b"yy", age=50)
    assert file_sha256(file) == hashlib.sha256(b"yy").hexdigest()
    assert len(reads) == 3


def test_file_sha256_file_just_written_is_not_remembered(tmp_path: Path, reads: list[Path]) -> None:
    file = make(tmp_path / "a", age=0)
    file_sha256(file)
    file_sha256(file)
    assert len(reads) == 2


def test_file_sha256_link_is_remembered_as_its_target(tmp_path: Path, reads: list[Path]) -> None:
    file = make(tmp_path / "a")
    (tmp_path / "link").symlink_to(file)
    assert file_sha256(tmp_path / "link") == file_sha256(file)
    assert len(reads) == 1


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_file_sha256_broken_memo_is_made_again(
    tmp_path: Path, home: Path, reads: list[Path], content: bytes
) -> None:
    home.mkdir()
    (home / "hashes.json").write_bytes(content)
    file = make(tmp_path / "a")
    assert file_sha256(file) == file_sha256(file)
    assert len(reads) == 1


def test_file_sha256_memo_forgets_files_that_are_gone(tmp_path: Path, home: Path) -> None:
    gone = make(tmp_path / "a")
    file_sha256(gone)
    gone.unlink()
    file_sha256(make(tmp_path / "b"))
    assert list(hashes._read_memo()) == [str(tmp_path / "b")]
    assert [entry.name for entry in home.iterdir()] == ["hashes.json"]


def test_file_sha256_home_that_cannot_be_written_still_hashes(tmp_path: Path, home: Path) -> None:
    home.touch()
    assert file_sha256(make(tmp_path / "a")) == hashlib.sha256(b"x").hexdigest()
