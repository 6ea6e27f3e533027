"""Training rows on disk: whole or not at all, read strictly, used again only if nothing changed."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import msgspec
import pytest

from finetune.formats import Completion, Preference
from finetune.writing.row_files import FORMAT, Header, read_rows, write_rows
from harness.errors import DataError, TrainingError

KEY = "k" * 64
HOSTILE = [
    "Is \"this\" a \\quote\\ or 'that'?",
    "A second line,\r\na third and a \u2028 fourth?",
    "Half a \ud83d pair, the other \ude00 half?",
    "\x00\x1b[31m\x7f printable, or \u202e this?",
    "",
]
PREFERENCES = [Preference(f"Q: {text}", "A:", text, f"not {text}", "h") for text in HOSTILE]
COMPLETIONS = [Completion("Is it?", "", "It is. So the answer is yes.", "h")]


def header(**changed) -> Header:
    told = {
        "method": "grath",
        "name": "round-1",
        "data": {"path": "owner/set", "documents": 3},
        "teacher": f"hf: {HOSTILE[2]}",
        "teacher_identity": "t" * 64,
        "prompts": "p" * 64,
        "documents": 3,
        "dropped": {"refused": 2},
        "leaked": ["a" * 64],
        "key": KEY,
    }
    return Header(**{**told, **changed})


@pytest.fixture
def file(tmp_path) -> Path:
    place = tmp_path / "data" / "rows.jsonl"
    write_rows(place, header(), PREFERENCES)
    return place


@pytest.mark.parametrize("rows", [PREFERENCES, COMPLETIONS], ids=["preference", "completion"])
def test_round_trip_gives_header_and_rows_whatever_models_write(tmp_path, rows):
    place = tmp_path / "rows.jsonl"
    told = write_rows(place, header(), rows)
    assert len(place.read_bytes().splitlines()) == len(rows) + 1
    assert read_rows(place, KEY) == (told, rows)
    assert told.rows == len(rows) and told.kind == type(rows[0]).__name__.lower()
    assert told.created.startswith("20") and told.format == FORMAT


def test_read_absent_file_is_none(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    assert read_rows(tmp_path / "none.jsonl", KEY) is None
    assert "not there yet" in caplog.text


def test_read_other_key_is_none_and_the_log_says_why(file, caplog):
    caplog.set_level(logging.INFO)
    assert read_rows(file, "other") is None
    assert f"{file}: was made of other data" in caplog.text and "made again" in caplog.text


def test_read_other_format_is_made_again(file, caplog):
    caplog.set_level(logging.INFO)
    file.write_text(file.read_text().replace(FORMAT, "selfcheck training rows 2"))
    assert read_rows(file, KEY) is None and "'selfcheck training rows 2'" in caplog.text


def test_read_header_without_a_key_that_matches_needs_no_sound_rows(file):
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], "no json"]) + "\n")
    assert read_rows(file, "other") is None


def change(line: int, **changed):
    def damage(lines):
        lines[line - 1] = json.dumps({**json.loads(lines[line - 1]), **changed})
        return lines

    return damage


def put(line: int, text: str):
    return lambda lines: [*lines[: line - 1], text, *lines[line:]]


@pytest.mark.parametrize(
    ("damage", "line", "complaint"),
    [
        (put(1, ""), 1, ""),
        (put(1, "no json"), 1, ""),
        (put(1, "{}"), 1, "format"),
        (change(1, more=1), 1, "more"),
        (change(1, kind="other"), 1, "kind"),
        (change(1, dropped={"refused": "2"}), 1, "dropped"),
        (put(3, "no json"), 3, ""),
        (put(3, ""), 3, ""),
        (put(2, "[" * 100_000), 2, ""),
        (put(2, '{"text": NaN}'), 2, ""),
        (change(2, chosen=None), 2, "chosen"),
        (change(2, answer="x"), 2, "answer"),
        (change(1, kind="completion"), 2, ""),
        (lambda lines: lines[:-1], 5, "ends after 4 of 5 rows"),
        (lambda lines: [*lines[:-1], lines[-1][:-9]], 6, ""),
        (lambda lines: [*lines, lines[-1]], 7, "ends after 6 of 5 rows"),
        (lambda lines: lines[1:], 1, ""),
    ],
)
def test_read_damaged_file_names_file_line_and_fault(file, damage, line, complaint):
    file.write_text("\n".join(damage(file.read_text().splitlines())) + "\n")
    with pytest.raises(DataError) as caught:
        read_rows(file, KEY)
    told = str(caught.value)
    assert told.startswith(f"{file}, line {line}: is no file of training rows: ")
    assert complaint in told and "remove it" in told


def test_read_folder_or_bytes_that_are_no_text_are_told(file, tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_rows(tmp_path, KEY)
    file.write_bytes(file.read_bytes().replace(b"quote", b"\xff\xfe", 1))
    with pytest.raises(DataError, match="line 2"):
        read_rows(file, KEY)


def test_write_full_disk_leaves_the_older_file_and_no_part(file, monkeypatch):
    before = file.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.whole_files.os.fsync", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*kept") as caught:
        write_rows(file, header(name="other"), COMPLETIONS)
    assert str(caught.value).startswith(str(file))
    assert file.read_bytes() == before and list(file.parent.iterdir()) == [file]


def test_write_no_rows_or_two_kinds_is_a_bug(tmp_path):
    for rows in ([], [*PREFERENCES, *COMPLETIONS]):
        with pytest.raises(ValueError, match="rows of one kind"):
            write_rows(tmp_path / "rows.jsonl", header(), rows)
    assert list(tmp_path.iterdir()) == []


def test_header_holds_what_a_reader_needs_to_know(file):
    told = json.loads(file.read_text().splitlines()[0])
    assert set(told) == set(msgspec.structs.asdict(header())) and told["leaked"] == ["a" * 64]
