"""Annotations by people on disk: never overwritten, read strictly, all faults told at once."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from finetune.annotate_command import EXAMPLE
from finetune.writing.annotations import (
    KEYS,
    LONGEST,
    MOST_FAULTS,
    Annotation,
    OpenAnnotation,
    Sheet,
    check_new,
    read_annotations,
    read_open,
    read_sheet,
    write_annotations,
    write_open,
)
from harness.errors import ConfigError, DataError
from tests.unit.finetune.annotated import as_line, filled, open_row, write_lines

HOSTILE = [
    "a \"quoted\" \\ 'one'",
    "a second line,\r\na third and a \u2028 fourth",
    "half a \ud83d pair, the other \ude00 half",
    "\x00\x1b[31m\x7f printable, or \u202e this?",
    "¿Beyoncé 😀 aquí?",
    "",
]
ROW = filled(open_row(0))
READERS = (read_annotations, read_open, read_sheet)


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "annotations.jsonl"


def complaint(read, file) -> str:
    with pytest.raises(DataError) as caught:
        read(file)
    return str(caught.value)


def test_open_round_trip_gives_rows_in_order_whatever_models_write(file):
    rows = [open_row(n, context=text, model_answer=text) for n, text in enumerate(HOSTILE)]
    write_open(file, rows)
    assert len(file.read_bytes().splitlines()) == len(rows), "one line each, whatever is in it"
    assert list(read_open(file).items()) == [(row.id, row) for row in rows]
    assert read_sheet(file) == Sheet(str(file), dict(enumerate(rows, 1)))


def test_open_row_shows_every_key_and_letters_as_they_are(file):
    write_open(file, [open_row(0, context=HOSTILE[4], model_answer=HOSTILE[3])])
    text = file.read_text(encoding="utf-8")
    assert tuple(json.loads(text)) == KEYS
    assert "Beyoncé 😀 aquí" in text and '"is_right": null' in text
    assert text.removesuffix("\n").isprintable()


def test_annotations_round_trip_gives_them_by_document_in_order(file):
    rows = [filled(open_row(n), is_right=bool(n % 2)) for n in (3, 1, 2)]
    write_annotations(file, rows)
    assert list(read_annotations(file).items()) == [(row.id, row) for row in rows]


def test_the_example_of_the_help_is_an_annotation(file):
    (row,) = read_annotations(write_lines(file, EXAMPLE)).values()
    assert not row.is_right and row.right_answer == "the Seine" and row.annotator == "maria"


def test_read_takes_windows_line_ends_and_a_last_line_without_one(file):
    file.write_bytes(f"{as_line(ROW)}\r\n{as_line(filled(open_row(1)))}".encode())
    assert list(read_annotations(file).values()) == [ROW, filled(open_row(1))]


def test_read_takes_other_order_of_keys_lines_and_tabs_in_the_reason(file):
    line = json.dumps(dict(reversed(json.loads(as_line(ROW, why="One,\n\ttwo.")).items())))
    (row,) = read_annotations(write_lines(file, line)).values()
    assert row == msgspec.structs.replace(ROW, why="One,\n\ttwo.")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"more": 1}, "unknown keys: 'more'; allowed: id, context, question, model_answer, is_rig"),
        ({"why": ...}, "keys that are missing: 'why'"),
        ({"id": 7}, "id is to be text, and is a number"),
        ({"is_right": "true"}, "is_right is to be true or false, and is the text 'true'"),
        ({"is_right": 1}, "is_right is to be true or false, and is a number"),
        ({"is_right": None}, "is_right is to be true or false, and is null: fill it in"),
        ({"why": None}, "why is to be text, and is null: fill it in"),
        ({"why": True}, "why is to be text, and is true"),
        ({"why": ["one"]}, "why is to be text, and is a list"),
        ({"context": {}}, "context is to be text, and is a mapping"),
        ({"model_answer": None}, "model_answer is to be text, and is null"),
        ({"annotator": None}, "annotator is to be text, and is null: fill it in"),
        ({"id": " "}, "id is empty"),
        ({"why": " \n"}, "why is empty"),
        ({"right_answer": ""}, 'right_answer is empty: write what would be right, or "unanswerabl'),
        ({"right_answer": "0  MILES "}, "is_right is false, but right_answer is the model's answe"),
        ({"annotator": ""}, "annotator is empty"),
        ({"annotator": "maria "}, "annotator begins or ends with a blank: 'maria '"),
        ({"annotator": "ai"}, "annotator is 'ai', which is the name of no person"),
        ({"annotator": "Human"}, "annotator is 'Human', which is the name of no person"),
        ({"model_answer": " "}, "model_answer is empty"),
        ({"annotator": "Templated"}, "annotator is 'Templated', which is the name of no person"),
        ({"annotator": "m\naria"}, r"annotator has characters that are no text: '\n'"),
        ({"why": "It is \x1b[31mred"}, r"why has characters that are no text: '\x1b'"),
        ({"why": "Half \ud83d"}, r"why has characters that are no text: '\ud83d'"),
        ({"right_answer": "1\x00"}, r"right_answer has characters that are no text: '\x00'"),
    ],
)
def test_read_wrong_field_is_named_with_what_is_allowed(file, changed, told):
    write_lines(file, as_line(filled(open_row(1))), as_line(ROW, **changed))
    for read in (read_annotations, read_sheet):
        said = complaint(read, file)
        assert said.startswith(f"{file}, line 2: {told}") and "\n" not in said


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"", "is blank: remove it"),
        (b" \t\r", "is blank: remove it"),
        (b"no json", "is no JSON: Expecting value (character 1)"),
        (as_line(ROW).encode()[:-9], "is no JSON: "),
        (as_line(ROW).encode() * 2, "is no JSON: Extra data"),
        (b"[1]", "is a list, and is to be a mapping with the keys id, context"),
        (b"null", "is null, and is to be a mapping"),
        (b'"' + b"x" * 9999 + b'"', "is the text 'xxx"),
        (b'{"id": NaN}', "is no JSON: NaN is no number"),
        (b'{"id": -Infinity}', "is no JSON: -Infinity is no number"),
        (b'{"id": ' + b"9" * 5000 + b"}", "is no JSON: Exceeds the limit"),
        (b'{"id": "a", "why": "b", "id": "c"}', "is no JSON: keys that are there more than once: "),
        (b"[" * 100_000, "is no JSON: it is nested too deeply"),
        (b'{"id": ' * 100_000, "is no JSON: it is nested too deeply"),
        (b'{"id": "\xff"}', "is no JSON: it is not UTF-8: byte 9 is 0xff"),
        (b'{"id": "\xed\xa0\xbd"}', "is no JSON: it is not UTF-8: byte 9 is 0xed"),
        (b'{"id": "a\x01"}', "is no JSON: Invalid control character"),
        (b"\xef\xbb\xbf" + as_line(ROW).encode(), "starts with a byte order mark"),
        (as_line(ROW, context="x" * LONGEST).encode(), f"is longer than {LONGEST} bytes"),
        (b"\x00" * (2 * LONGEST + 7), f"is longer than {LONGEST} bytes"),
    ],
    ids=range(20),
)  # fmt: skip
def test_read_line_that_is_no_row_is_named_and_the_next_ones_are_read(file, line, told):
    after = as_line(filled(open_row(1)), why="").encode()
    file.write_bytes(line + b"\n" + after + b"\n")
    for read in (read_annotations, read_sheet):
        first, second = complaint(read, file).split("\n")
        assert first.startswith(f"{file}, line 1: {told}") and len(first) < 400 + len(str(file))
        assert second.startswith(f"{file}, line 2: why is empty")


def test_read_line_of_the_longest_length_is_read(file):
    bare = len(as_line(ROW, why=""))
    line = as_line(ROW, why="w" * (LONGEST - bare))
    assert len(line) == LONGEST
    assert read_annotations(write_lines(file, line))
    assert "is longer" in complaint(read_annotations, write_lines(file, f"{line} "))


def test_read_tells_all_faults_of_a_row_and_of_all_rows_in_order(file):
    write_lines(
        file,
        as_line(ROW, why="", annotator="ai", right_answer=""),
        as_line(ROW, is_right="no", more=1, why=...),
        as_line(open_row(2)),
        as_line(filled(open_row(3))),
        as_line(filled(open_row(3), "tom")),
    )
    told = complaint(read_annotations, file).split("\n")
    numbers = [line.removeprefix(f"{file}, line ").split(":")[0] for line in told]
    assert numbers == ["1", "1", "1", "2", "2", "2", "3", "5"]
    assert told[6].endswith(
        f"document {open_row(2).id[:12]} is not annotated yet: is_right is null"
    )
    assert told[7].endswith(f"document {open_row(3).id[:12]} is there twice, first in line 4")


def test_read_many_faults_are_told_in_part_and_counted(file):
    told = complaint(read_sheet, write_lines(file, *["x"] * (MOST_FAULTS + 7))).split("\n")
    assert len(told) == MOST_FAULTS + 1 and told[-1] == f"{file}: and 7 more faults"


def test_read_what_a_file_says_is_printable_and_cut_in_messages(file):
    line = as_line(ROW, is_right="\x1b[2J\n" * 999, **{"\x1b[2J" * 999: 1})
    told = complaint(read_sheet, write_lines(file, line))
    assert all(part.isprintable() and len(part) < 400 + len(str(file)) for part in told.split("\n"))


def test_read_empty_file_is_refused(file):
    file.touch()
    for read in READERS:
        assert complaint(read, file).startswith(f"{file}: is empty")


def test_read_missing_file_or_folder_is_named(file, tmp_path):
    for read in READERS:
        assert f"{file}: annotations cannot be read: No such file" in complaint(read, file)
        assert f"{tmp_path}: annotations cannot be read: Is a dir" in complaint(read, tmp_path)


def test_read_open_refuses_rows_that_are_filled_in(file):
    write_lines(file, as_line(open_row(0)), as_line(filled(open_row(1))), as_line(open_row(0)))
    first, second = complaint(read_open, file).split("\n")
    assert first == (
        f"{file}, line 2: document {open_row(1).id[:12]} is annotated already: this is not as "
        "exported"
    )
    assert second.endswith("is there twice, first in line 1")


def test_sheet_row_with_a_name_alone_is_open_and_half_a_row_is_a_fault(file):
    write_lines(file, as_line(open_row(0), annotator="maria"), as_line(ROW))
    sheet = read_sheet(file)
    assert sheet.rows == {1: open_row(0, annotator="maria"), 2: ROW}
    write_lines(file, as_line(open_row(0), why="So it says.", annotator="maria"))
    told = complaint(read_sheet, file).split("\n")
    assert [line.split(": ", 1)[1].split(" ")[0] for line in told] == ["is_right", "right_answer"]


@pytest.mark.parametrize("write", [write_open, write_annotations])
def test_write_never_overwrites(file, write):
    file.write_text("somebody's work", encoding="utf-8")
    rows = [open_row(0)] if write is write_open else [ROW]
    with pytest.raises(ConfigError, match="is there already, and may hold people's work"):
        write(file, rows)
    assert file.read_text(encoding="utf-8") == "somebody's work"


def test_check_new_makes_the_folder_and_refuses_what_is_there(tmp_path):
    check_new(tmp_path / "new" / "file")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    cases = {"link": "is there", "new": "is there", "file/of": "cannot", "x" * 300: "cannot"}
    for name, told in cases.items():
        with pytest.raises(ConfigError, match=f"--output .*: {told}"):
            check_new(tmp_path / name)


def test_write_no_rows_or_two_of_one_document_is_a_mistake_of_the_caller(file):
    for rows in ([], [open_row(0), open_row(0)]):
        with pytest.raises(ValueError, match="rows of"):
            write_open(file, rows)
    assert not file.exists()


def test_write_row_too_long_to_read_again_is_refused_by_name(file):
    with pytest.raises(DataError, match=f"document {open_row(1).id[:12]}: has over {LONGEST} byte"):
        write_open(file, [open_row(0), open_row(1, context="é" * (LONGEST // 2))])
    assert not file.exists()


TEXT = st.text(st.characters(codec=None, categories=None), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.fixed_dictionaries(
    {}, optional={key: st.one_of(TEXT, JSON, st.just(getattr(ROW, key))) for key in KEYS}
)
LINES = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda told: json.dumps(told).encode(), st.one_of(ROWS, JSON)),
    st.builds(
        lambda told: json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass"), ROWS
    ),
    st.builds(lambda place: as_line(ROW).encode()[:place], st.integers(0, 300)),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=4).map(b"\n".join))
@example(b"\xff\xfe{\x00}\x00")
@example(b"\n\n")
def test_read_whatever_is_in_a_file_gives_sound_rows_or_names_the_file(file, content):
    file.write_bytes(content)
    for read in READERS:
        try:
            told = read(file)
        except DataError as err:
            lines = str(err).split("\n")
            assert all(line.startswith(str(file)) and line.isprintable() for line in lines)
            continue
        rows = told.rows if isinstance(told, Sheet) else told
        assert rows and all(map(is_sound, rows.values()))


def is_sound(row) -> bool:
    if isinstance(row, OpenAnnotation):
        return row.is_right is None and row.why is None and row.right_answer is None
    text = [row.why, row.right_answer, row.annotator]
    assert isinstance(row, Annotation) and type(row.is_right) is bool
    return all(part.strip() and "\ud83d" not in part and "\x00" not in part for part in text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=4))
def test_open_round_trip_gives_any_text_back(file, texts):
    rows = [
        OpenAnnotation(id=str(n), context=context, question=question, model_answer=answer)
        for n, (context, question, answer) in enumerate(texts)
    ]
    file.unlink(missing_ok=True)
    write_open(file, rows)
    assert list(read_open(file).values()) == rows
