from __future__ import annotations

import os

import pytest

from harness.errors import ConfigError
from leaderboards import folder as folder_module
from leaderboards.board import build_board
from leaderboards.folder import FILES, write_board
from leaderboards.tables import read_long
from tests.unit.leaderboards.making import plain

BOARD = build_board([plain("a", t=0.5)])
OTHER = build_board([plain("b", t=0.5), plain("c", t=0.4)])


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_write_board_makes_three_files_in_a_new_folder(tmp_path):
    files = write_board(BOARD, tmp_path / "new" / "board")
    assert [file.name for file in files] == list(FILES) and all(file.is_file() for file in files)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["board"]


def test_write_board_takes_the_place_of_an_earlier_board(tmp_path):
    write_board(BOARD, tmp_path / "board")
    write_board(OTHER, tmp_path / "board")
    assert list(read_long(tmp_path / "board" / "long.csv")["model"]) == ["b", "c"]
    assert [path.name for path in tmp_path.iterdir()] == ["board"]


def test_write_board_same_board_gives_the_same_bytes(tmp_path):
    for name in ("1", "2"):
        write_board(OTHER, tmp_path / name)
    assert content(tmp_path / "1") == content(tmp_path / "2")


@pytest.mark.parametrize("held", ["run.json", "long.csv", "board.md"])
def test_write_board_folder_with_something_else_is_refused_and_kept(tmp_path, held):
    (tmp_path / held).write_text("mine")
    with pytest.raises(ConfigError, match="something other than a board"):
        write_board(BOARD, tmp_path)
    assert content(tmp_path) == {held: b"mine"}


def test_write_board_equal_names_that_are_no_board_are_refused(tmp_path):
    for name in FILES:
        (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match="something other than a board"):
        write_board(BOARD, tmp_path)


def test_write_board_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "board").write_text("mine")
    for place in (tmp_path / "board", tmp_path / "board" / "below"):
        with pytest.raises(ConfigError, match="--output"):
            write_board(BOARD, place)
    assert content(tmp_path) == {"board": b"mine"}


def test_write_board_link_stays_a_link(tmp_path):
    write_board(BOARD, tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_board(OTHER, tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and len(read_long(tmp_path / "real" / "long.csv")) == 2


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("failing", ["board_page", "wide_frame"])
def test_write_board_failure_half_way_leaves_what_was_there(
    tmp_path, monkeypatch, earlier, failing
):
    if earlier:
        write_board(BOARD, tmp_path / "board")
    before = content(tmp_path / "board") if earlier else None

    def fail(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(folder_module, failing, fail)
    with pytest.raises(KeyboardInterrupt):
        write_board(OTHER, tmp_path / "board")
    assert [path.name for path in tmp_path.iterdir()] == (["board"] if earlier else [])
    assert not earlier or content(tmp_path / "board") == before


def test_write_board_failing_exchange_puts_the_earlier_board_back(tmp_path, monkeypatch):
    write_board(BOARD, tmp_path / "board")
    before, rename = content(tmp_path / "board"), os.rename

    def fail_for_the_new(source, target):
        if str(source).endswith("new"):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_for_the_new)
    with pytest.raises(ConfigError, match="No space left"):
        write_board(OTHER, tmp_path / "board")
    assert content(tmp_path / "board") == before
