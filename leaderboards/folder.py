"""The files of a board: all of them are written, or none.

long.csv    a row per model, task and metric
wide.csv    a row per model
board.md    the same for people
board.html  the web page, where it was asked for
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from harness.errors import ConfigError
from harness.whole_files import claimed
from leaderboards.board import Board
from leaderboards.markdown import board_page
from leaderboards.tables import LONG, long_frame, wide_frame, write_csv

FILES = ("long.csv", "wide.csv", "board.md")
PAGE = "board.html"
DRAFT = ".draft"
PATIENCE = 60  # seconds to wait for another process that writes the same board
OWN = ",".join(list(LONG)[:3])  # how every long.csv begins, also an older one


def check_output(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier board, or cannot be written.

    Raises:
        ConfigError: so it is.
    """
    try:
        if folder.exists() and not _is_free(folder):
            raise ConfigError(
                f"--output {folder}: holds something other than a board; give a new folder, an "
                "empty one, or that of an earlier board"
            )
        place = folder.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=place.parent).close()
    except OSError as err:
        raise ConfigError(f"--output {folder}: cannot be written: {err.strerror}") from err


def write_board(board: Board, folder: Path, page: str | None = None) -> list[Path]:
    """Write a board, in place of an earlier one if there is one; gives its files.

    The files are written into a folder of a temporary name beside it, and that is renamed: whatever
    goes wrong, the folder holds the whole new board or what it held before. What a killed process
    left beside it is removed; if that was in the instant between two renames, the earlier board is
    put back first.

    Args:
        page: the web page (`leaderboards.page.render_page`), if there is to be one.

    Raises:
        ConfigError: the folder holds something else, or cannot be written, or another process has
            been writing it for long.
    """
    check_output(folder)
    place = folder.resolve()  # a link stays one
    try:
        with claimed(folder, place.with_name(f".{place.name}.lock"), PATIENCE):
            _put_back(place)
            check_output(folder)
            _write(board, place, page)
    except OSError as err:
        raise ConfigError(f"--output {folder}: cannot be written: {err.strerror}") from err
    return [folder / name for name in (*FILES, PAGE) if name != PAGE or page is not None]


def _write(board: Board, place: Path, page: str | None) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f".{place.name}-", suffix=DRAFT, dir=place.parent))
    try:
        (draft / "new").mkdir()
        write_csv(long_frame(board.lines), draft / "new" / "long.csv")
        write_csv(wide_frame(board), draft / "new" / "wide.csv")
        (draft / "new" / "board.md").write_text(board_page(board), encoding="utf-8")
        if page is not None:
            (draft / "new" / PAGE).write_text(page, encoding="utf-8")
        _exchange(draft / "new", place, draft / "old")
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _put_back(place: Path) -> None:
    """Tidy up after a killed process: the earlier board, if moved away, returns; drafts go."""
    draft = re.compile(rf"\.{re.escape(place.name)}-\w{{8}}{re.escape(DRAFT)}")
    for path in place.parent.iterdir():
        if draft.fullmatch(path.name):
            old = path / "old"
            if old.exists() and not place.exists() and _is_free(old):
                old.rename(place)
            shutil.rmtree(path, ignore_errors=True)


def _is_free(folder: Path) -> bool:
    """Whether nothing is lost if a board is written there."""
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else {""}
    if not held:
        return True
    if held - {PAGE} != set(FILES):
        return False
    with (folder / "long.csv").open("rb") as long:
        return long.read(len(OWN)) == OWN.encode()


def _exchange(new: Path, place: Path, old: Path) -> None:
    """Put a folder in the place of another, which goes back if that fails."""
    try:
        if place.exists():
            place.rename(old)
        new.rename(place)
    except BaseException:
        if old.exists() and not place.exists():
            old.rename(place)
        raise
