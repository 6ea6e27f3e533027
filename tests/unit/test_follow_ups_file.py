"""Frozen follow-ups on disk: written whole or not at all, read strictly."""

from __future__ import annotations

import hashlib
import json

import pytest

from harness.domains import Posed
from harness.errors import ConfigError
from harness.follow_ups import (
    AGAIN,
    FORMAT,
    Header,
    Row,
    TaskVersion,
    Written,
    read_follow_ups_file,
    write_follow_ups,
)
from tests.records import doc_hash

TASKS = {"t": TaskVersion("1.0", "abc"), "u": TaskVersion("2.0", "def")}
HOSTILE = [
    "Is \"this\" a \\quote\\ or 'that'?",
    "Is there\na second line,\r\na third and a \u2028 fourth?",
    "Half a \ud83d pair, the other \ude00 half?",
    "Is \x00\x1b[31m\x7f printable, or \u202e this?",
    "¿Está 😀 aquí?",
    "",
]


def header(**changed) -> Header:
    told = {
        "created": "2026-01-01T00:00:00+00:00",
        "simulator": "s" * 64,
        "simulator_label": "hf: org/name",
        "simulator_chat_template": True,
        "count": 5,
        "explanations": "0123456789ab",
        "tasks": TASKS,
    }
    return Header(**{**told, **changed})


def rows() -> list[Row]:
    return [
        Row(
            "t", doc_hash(0), True, [Written("Is it?", [], "yes"), Written("So?", [], "")], {"x": 2}
        ),
        Row("u", doc_hash(0), True, [Written("Which?", ["one", "two"], "B")], {}),
        Row("t", doc_hash(1), True, [], {"not a question": 5}),
    ]


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "follow-ups.jsonl"
    write_follow_ups(place, header(), rows())
    return place


def read(file):
    return read_follow_ups_file(str(file))


def test_round_trip_gives_questions_and_blind_guesses_by_task_and_document(file):
    told = read(file)
    assert told.header == header() and told.place == str(file)
    assert told.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    both = told.of("t")[doc_hash(0)]
    assert [(one.posed, one.blind) for one in both] == [
        (Posed("Is it?"), "yes"),
        (Posed("So?"), ""),
    ]
    assert told.of("u")[doc_hash(0)][0].posed == Posed("Which?", ("one", "two"))
    assert told.of("t")[doc_hash(1)] == [] and set(told.of("u")) == {doc_hash(0)}


def test_round_trip_whatever_models_write_stays_what_it_is(tmp_path):
    place = tmp_path / "hostile.jsonl"
    shown = [f"{text}?" for text in HOSTILE]  # an empty question is damage, an empty guess is not
    pairs = list(zip(shown, HOSTILE, strict=True))
    written = [Written(question, [question, "b"], text) for question, text in pairs]
    write_follow_ups(
        place,
        header(count=9, simulator_label=HOSTILE[2]),
        [Row("t", doc_hash(0), True, written, {HOSTILE[0]: 1})],
    )
    assert len(place.read_bytes().splitlines()) == 2, "one line each, whatever the text holds"
    told = read(place)
    found = told.of("t")[doc_hash(0)]
    assert [(one.posed.question, one.blind) for one in found] == pairs
    assert [one.posed.options[0] for one in found] == shown
    assert told.header.simulator_label == HOSTILE[2]


def test_read_no_rows_is_a_file_of_no_documents(tmp_path):
    write_follow_ups(tmp_path / "none", header(), [])
    assert read(tmp_path / "none").of("t") == {}


def test_read_is_done_again_only_if_the_file_has_changed(file):
    first = read(file)
    assert read(file) is first
    write_follow_ups(file, header(count=6), rows())
    assert read(file).header.count == 6 and read(file).digest != first.digest


def change(line: int, **changed):
    """Damage: other fields in one line of the file (counted from 1)."""

    def damage(lines):
        lines[line - 1] = json.dumps({**json.loads(lines[line - 1]), **changed})
        return lines

    return damage


def drop(line: int, key: str):
    def damage(lines):
        told = json.loads(lines[line - 1])
        told.pop(key)
        lines[line - 1] = json.dumps(told)
        return lines

    return damage


def put(line: int, text: str):
    return lambda lines: [*lines[: line - 1], text, *lines[line:]]


@pytest.mark.parametrize(
    ("damage", "line", "complaint"),
    [
        (put(1, ""), 1, ""),
        (put(1, "{}"), 1, "format"),
        (drop(1, "created"), 1, "created"),
        (put(1, "no json"), 1, ""),
        (put(3, "no json"), 3, ""),
        (put(3, ""), 3, ""),
        (put(3, '{"task": NaN}'), 3, ""),
        (put(2, "[" * 100_000), 2, ""),
        (lambda lines: [*lines[:-1], lines[-1][:-9]], 4, ""),
        (lambda lines: lines[1:], 1, ""),
        (change(1, count=0), 1, "count"),
        (change(1, count="5"), 1, "count"),
        (change(1, tasks=["t"]), 1, "tasks"),
        (change(1, more=1), 1, "more"),
        (drop(1, "simulator"), 1, "simulator"),
        (drop(3, "dropped"), 3, "dropped"),
        (change(2, follow_ups=["Is it?"]), 2, "follow_ups"),
        (change(2, follow_ups=[{"question": "a?", "options": []}]), 2, "blind"),
        (change(2, follow_ups=[{"question": "a?", "options": "ab", "blind": ""}]), 2, "options"),
        (change(2, follow_ups=[{"question": None, "options": [], "blind": ""}]), 2, "question"),
        (change(3, task="v"), 3, f"document {doc_hash(0)[:12]}: 'v' is no task of the file"),
        (change(4, doc_hash=doc_hash(0)), 4, f"document {doc_hash(0)[:12]}: is there twice"),
        (lambda lines: [*lines, lines[0]], 5, ""),
    ],
)
def test_read_damaged_file_names_file_line_fault_and_cure(file, damage, line, complaint):
    file.write_text("\n".join(damage(file.read_text().splitlines())) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read(file)
    told = str(caught.value)
    assert told.startswith(f"{file}, line {line}: is no file of follow-ups: ")
    assert complaint in told and told.endswith(AGAIN)


@pytest.mark.parametrize(
    "follow_ups",
    [
        [{"question": f"Is it {n}?", "options": [], "blind": ""} for n in range(6)],  # count is 5
        [{"question": "Which?", "options": list(map(str, range(27))), "blind": ""}],  # A to Z
        [{"question": "Which?", "options": ["one"], "blind": ""}],
    ],
)
def test_read_follow_ups_that_no_simulator_can_have_written_are_damage(file, follow_ups):
    text = "\n".join(change(2, follow_ups=follow_ups)(file.read_text().splitlines()))
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="line 2: is no file of follow-ups"):
        read(file)


def test_read_bytes_that_are_no_text_are_damage(file):
    file.write_bytes(file.read_bytes().replace(b"Is it?", b"\xff\xfe"))
    with pytest.raises(ConfigError, match=r"line 2: is no file of follow-ups"):
        read(file)


def test_read_other_format_is_named_with_what_to_do(file):
    file.write_text(file.read_text().replace(FORMAT, "selfcheck follow-ups 2"), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"'selfcheck follow-ups 2', not '{FORMAT}'; {AGAIN}"):
        read(file)


def test_read_later_format_with_other_fields_is_named_as_that(file):
    text = "\n".join(
        change(1, format="selfcheck follow-ups 2", seed=1)(file.read_text().split("\n"))
    )
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is of the format 'selfcheck follow-ups 2'"):
        read(file)


def test_read_missing_file_or_folder_is_named(tmp_path):
    for place, reason in ((tmp_path / "none", "No such file"), (tmp_path, "directory")):
        with pytest.raises(ConfigError, match=rf"follow-ups cannot be read: .*{reason}") as caught:
            read(place)
        assert str(caught.value).startswith(str(place))


def test_check_task_same_version_and_definition_is_fine(file):
    read(file).check_task("t", TASKS["t"])


@pytest.mark.parametrize(
    ("name", "told", "complaint"),
    [
        ("tt", TASKS["t"], "unknown task: got 'tt'. Did you mean 't'? Known: t, u."),
        ("t", TaskVersion("1.1", "abc"), "made with t 1.0 (abc), this is 1.1 (abc)"),
        ("t", TaskVersion("1.0", "abd"), "made with t 1.0 (abc), this is 1.0 (abd)"),
    ],
)
def test_check_task_other_task_version_or_definition_is_refused(file, name, told, complaint):
    with pytest.raises(ConfigError) as caught:
        read(file).check_task(name, told)
    assert str(caught.value).startswith(f"{file}: ") and complaint in str(caught.value)


def test_check_simulator_same_identity_and_template_is_fine(file):
    read(file).check_simulator("s" * 64, True)


@pytest.mark.parametrize(
    ("identity", "template"), [("r" * 64, True), ("s" * 64, False), (None, True)]
)
def test_check_simulator_another_one_is_refused_and_both_are_named(file, identity, template):
    with pytest.raises(ConfigError) as caught:
        read(file).check_simulator(identity, template)
    told = str(caught.value)
    assert told.startswith(f"{file}: written by another simulator: hf: org/name")
    assert "s" * 64 in told and str(identity) in told and AGAIN in told


def broken_rows():
    yield rows()[0]
    raise OSError(28, "No space left on device")


def test_write_that_fails_leaves_no_file(tmp_path):
    place = tmp_path / "follow-ups.jsonl"
    with pytest.raises(OSError, match="No space left"):
        write_follow_ups(place, header(), broken_rows())
    assert not place.exists()


def test_write_that_fails_leaves_an_older_file_as_it_was(file):
    before = file.read_bytes()
    with pytest.raises(OSError, match="No space left"):
        write_follow_ups(file, header(count=9), broken_rows())
    assert file.read_bytes() == before


def test_write_that_fails_leaves_no_part_behind(tmp_path):
    with pytest.raises(OSError, match="No space left"):
        write_follow_ups(tmp_path / "follow-ups.jsonl", header(), broken_rows())
    assert list(tmp_path.iterdir()) == []
