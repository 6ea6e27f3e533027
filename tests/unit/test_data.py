from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import data, hub
from harness.data import DataRef, doc_hash, load_split, missing, tasks_path
from harness.errors import ConfigError, DataError, MissingDataError

IMDB = DataRef("stanfordnlp/imdb", "test", "plain_text")
ROWS = [{"text": "Good.", "label": 1}, {"text": "Bad – é \u2028 .", "label": 0}]


@pytest.fixture(autouse=True)
def _nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    data._read_file.cache_clear()
    data._read_hub.cache_clear()
    monkeypatch.setattr(hub, "_hub_answers", lambda: False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_real_data: None) -> Path:
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    return tmp_path


def write(file: Path, rows: list[Any] | bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = rows if isinstance(rows, bytes) else "\n".join(map(json.dumps, rows)).encode()
    file.write_bytes(lines)
    return file


def imdb_file(folder: Path) -> Path:
    return folder / "stanfordnlp__imdb" / "plain_text" / "test.jsonl"


def test_str_data_ref_with_config_names_it_in_brackets() -> None:
    assert str(IMDB) == "stanfordnlp/imdb [plain_text] test"
    assert str(DataRef("google/boolq", "validation")) == "google/boolq validation"


def test_doc_hash_equals_sha256_of_canonical_json() -> None:
    # sorted keys, no spaces, characters as they are
    expected = hashlib.sha256('{"a":[1,null],"b":"é"}'.encode()).hexdigest()
    assert doc_hash({"b": "é", "a": [1, None]}) == expected


def test_doc_hash_nan_raises() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        doc_hash({"a": float("nan")})


@given(st.permutations([{"text": str(number)} for number in range(5)]))
def test_load_split_other_order_has_same_fingerprint(rows: list[dict[str, str]]) -> None:
    found = data._Rows([], [], [], [], "x")
    for row in rows:
        found.add("x", row, doc_hash(row))
    expected = hashlib.sha256(
        "\n".join(sorted(doc_hash({"text": str(n)}) for n in range(5))).encode()
    ).hexdigest()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SELFCHECK_DATA", raising=False)
        patch.setattr(data, "_read_hub", lambda ref: found)
        assert load_split(IMDB).fingerprint == expected


def test_load_split_local_file_gives_docs_hashes_and_source(folder: Path) -> None:
    write(imdb_file(folder), ROWS)
    split = load_split(IMDB)
    assert split.docs == ROWS
    assert split.hashes == [doc_hash(row) for row in ROWS]
    assert split.source == "SELFCHECK_DATA/stanfordnlp__imdb/plain_text/test.jsonl"
    assert (split.ref, split.dropped_duplicates) == (IMDB, 0)


def test_load_split_file_without_config_folder_is_taken(folder: Path) -> None:
    write(folder / "stanfordnlp__imdb" / "test.jsonl", ROWS)
    assert load_split(IMDB).source == "SELFCHECK_DATA/stanfordnlp__imdb/test.jsonl"


def test_load_split_both_places_prefers_the_config_folder(folder: Path) -> None:
    write(folder / "stanfordnlp__imdb" / "test.jsonl", ROWS[:1])
    write(imdb_file(folder), ROWS)
    assert len(load_split(IMDB).docs) == 2


def test_load_split_without_config_does_not_look_into_configs(folder: Path) -> None:
    write(imdb_file(folder), ROWS)
    with pytest.raises(MissingDataError, match=re.escape("stanfordnlp__imdb/test.jsonl")):
        load_split(DataRef("stanfordnlp/imdb", "test"))


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\n\n"])
def test_load_split_byte_order_mark_and_line_ends_are_read(folder: Path, ending: bytes) -> None:
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in ROWS]
    write(imdb_file(folder), b"\xef\xbb\xbf" + ending.join([*lines, b""]))
    assert load_split(IMDB).docs == ROWS


def test_load_split_local_or_sample_never_asks_the_network(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("asked the hub")

    monkeypatch.setattr(hub, "fetch", refuse)
    write(imdb_file(folder), ROWS)
    assert len(load_split(IMDB).docs) == 2


def test_load_split_second_time_does_not_read_until_the_file_changes(folder: Path) -> None:
    file = write(imdb_file(folder), ROWS)
    assert load_split(IMDB).docs is load_split(IMDB).docs
    write(file, ROWS[:1])
    os.utime(file, (1, 1))
    assert load_split(IMDB).docs == ROWS[:1]


def test_load_split_other_folder_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(imdb_file(folder), ROWS)
    write(imdb_file(folder / "other"), ROWS[:1])
    assert len(load_split(IMDB).docs) == 2
    monkeypatch.setenv("SELFCHECK_DATA", str(folder / "other"))
    assert len(load_split(IMDB).docs) == 1


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"text": "\xff"}', "not UTF-8: byte 0xff at 11"),
        (b'{"text": ', "not JSON: Expecting value at column 10"),
        (b'{"text": NaN}', "not JSON: NaN"),
        (b'{"text": 1e999}', "Out of range float values are not JSON compliant"),
        (b'["text"]', "not an object but a list; each line is one {...}"),
        (b'{"text": "\\ud83d"}', "not text: half a surrogate pair ('\\ud83d')"),
        (b'{"text": "Good.", "label": 1}', "is the same as line 1; remove one of them"),
        (b'{"label":1,"text":"Good."}', "is the same as line 1; remove one of them"),
    ],
)
def test_load_split_bad_line_names_file_and_line(folder: Path, line: bytes, fault: str) -> None:
    file = write(imdb_file(folder), json.dumps(ROWS[0]).encode() + b"\n\n" + line)
    with pytest.raises(DataError) as caught:
        load_split(IMDB)
    assert str(caught.value).startswith(f"{file}:3: {fault}")


def test_load_split_problem_of_the_domain_names_file_and_line(folder: Path) -> None:
    file = write(imdb_file(folder), ROWS)
    with pytest.raises(DataError) as caught:
        load_split(IMDB, lambda doc: "'label' is 0; allowed: 1" if doc["label"] != 1 else None)
    assert str(caught.value) == f"{file}:2: 'label' is 0; allowed: 1"


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_load_split_empty_file_raises(folder: Path, content: bytes) -> None:
    file = write(imdb_file(folder), content)
    with pytest.raises(DataError) as caught:
        load_split(IMDB)
    assert str(caught.value) == f"{file}: is empty"


def test_load_split_many_faults_lists_five_and_counts_the_rest(folder: Path) -> None:
    file = write(imdb_file(folder), b"\n".join([b"x"] * 6 + [b'{"text": ""}']))
    with pytest.raises(DataError) as caught:
        load_split(IMDB, lambda doc: "'text' is empty")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines[:5]] == [f"{file}:{n}" for n in range(1, 6)]
    assert lines[5:] == ["and 2 more"]


def test_load_split_data_folder_that_is_none_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_real_data: None
) -> None:
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path / "typo"))
    with pytest.raises(ConfigError, match=r"SELFCHECK_DATA is '.*typo', which is no folder"):
        load_split(IMDB)


def test_load_split_nowhere_says_both_ways_and_the_samples(folder: Path) -> None:
    with pytest.raises(MissingDataError) as caught:
        load_split(IMDB)
    told = str(caught.value)
    assert "stanfordnlp/imdb [plain_text] test: neither here nor on the hub" in told
    assert "ConnectionError: no network in this test" in told
    assert str(imdb_file(folder)) in told
    assert "stanfordnlp/imdb, revision main" in told
    assert "selfcheck-sample need no download" in told
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_load_split_nowhere_without_folder_names_the_variable(no_real_data: None) -> None:
    with pytest.raises(MissingDataError) as caught:
        load_split(IMDB)
    told = str(caught.value)
    assert "SELFCHECK_DATA/stanfordnlp__imdb/plain_text/test.jsonl" in told
    assert "the variable SELFCHECK_DATA must hold the folder's path" in told


def test_missing_gives_an_error_for_each_split_that_is_nowhere(folder: Path) -> None:
    write(imdb_file(folder), ROWS)
    boolq, rte = DataRef("google/boolq", "validation"), DataRef("nyu-mll/glue", "validation", "rte")
    lacking = missing([boolq, IMDB, rte, boolq])
    assert list(lacking) == [boolq, rte]
    assert "nyu-mll/glue [rte] validation" in str(lacking[rte])


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package, whose modules say that they lie in `site/harness`."""
    home = tmp_path / "site" / "harness"
    home.mkdir(parents=True)
    monkeypatch.setattr(data, "__file__", str(home / "data.py"))
    return home


def test_load_split_sample_is_read_from_the_package(package: Path, no_real_data: None) -> None:
    write(package / "_tasks" / "sample" / "sentiment" / "test.jsonl", ROWS)
    split = load_split(DataRef("selfcheck-sample/sentiment", "test"))
    assert split.docs == ROWS
    assert split.source == "selfcheck-sample/sentiment/test.jsonl"


def test_load_split_unknown_sample_offers_the_nearest(package: Path) -> None:
    write(package / "_tasks" / "sample" / "sentiment" / "test.jsonl", ROWS)
    with pytest.raises(ConfigError, match=r"got 'sentimant'\. Did you mean 'sentiment'"):
        load_split(DataRef("selfcheck-sample/sentimant", "test"))
    with pytest.raises(ConfigError, match="split of selfcheck-sample/sentiment: got 'tset'"):
        load_split(DataRef("selfcheck-sample/sentiment", "tset"))


def test_tasks_path_installed_package_comes_before_the_repository(package: Path) -> None:
    (package.parent / "tasks" / "sample").mkdir(parents=True)
    assert tasks_path() == package.parent / "tasks"
    (package / "_tasks" / "sample").mkdir(parents=True)
    assert tasks_path() == package / "_tasks"


def test_tasks_path_nowhere_raises(package: Path) -> None:
    (package.parent / "tasks").mkdir()  # somebody else's
    with pytest.raises(ConfigError, match=r"no task files in .*_tasks"):
        tasks_path()


def test_load_split_real_data_every_file_is_sound(real_data: Path) -> None:
    for file in real_data.rglob("*.jsonl"):
        name, *config, _ = file.relative_to(real_data).parts
        ref = DataRef(name.replace("__", "/"), file.stem, config[0] if config else None)
        assert len(load_split(ref).docs) == len(file.read_bytes().strip().split(b"\n"))


def test_import_data_loads_nothing_heavy() -> None:
    code = "import sys, harness.data; print({'torch', 'datasets', 'lm_eval'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_load_split_rows_that_are_not_asked_for_are_left_out_and_not_checked(folder: Path) -> None:
    rows = [{"text": "a", "task": 1}, {"text": "", "task": 2}, {"text": "b", "task": 1}]
    write(folder / "o__n" / "test.jsonl", rows)
    ref = DataRef("o/n", "test", where=(("task", 1),))
    split = load_split(ref, lambda doc: None if doc["text"] else "is empty")
    assert [doc["text"] for doc in split.docs] == ["a", "b"] and len(split.hashes) == 2
    assert split.fingerprint != load_split(DataRef("o/n", "test")).fingerprint
    assert split.describe()["where"] == {"task": 1} and str(ref) == "o/n test, task = 1"
    with pytest.raises(DataError, match="o/n test, task = 3: there is no such row"):
        load_split(DataRef("o/n", "test", where=(("task", 3),)))


def test_load_split_folder_of_the_hub_stands_for_a_config(folder: Path) -> None:
    ref = DataRef("o/n", "test", revision="refs/convert/parquet", data_dir="mc500")
    file = write(folder / "o__n" / "mc500" / "test.jsonl", ROWS)
    assert load_split(ref).docs == ROWS and str(ref) == "o/n [mc500] test"
    file.unlink()
    with pytest.raises(MissingDataError, match="data_dir='mc500'"):
        load_split(ref)
