"""Run records on disk: complete or absent, and read strictly."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RecordError
from harness.evaluate import run
from harness.plan import Plan
from harness.run_files import read_run, write_run
from harness.runs import SCHEMA
from tests.records import LIFT, doc_hash, make_run, samples, store, task_run

ROOT = Path(__file__).parents[2]
VALUES = {"t": {"acc": [1.0, 0.0, None], "lift": [1.0, -1.0, 0.5]}}


def change(folder: Path, edit: Any) -> Path:
    record = json.loads((folder / "run.json").read_text())
    edit(record)
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def lines(folder: Path, task: str = "t") -> list[str]:
    return (folder / f"samples_{task}.jsonl").read_text().splitlines()


def rewrite(folder: Path, told: list[str], task: str = "t") -> None:
    (folder / f"samples_{task}.jsonl").write_text("".join(f"{line}\n" for line in told))


def test_read_run_gives_back_what_was_written(tmp_path):
    tasks = {"t": task_run(VALUES["t"], bounds={"lift": LIFT})}
    run = make_run(tasks, {"t": samples(VALUES["t"])}, fingerprint="f")
    read = read_run(write_run(run, tmp_path / "a name"))
    assert read.tasks["t"].sampled
    assert read.tasks == {"t": msgspec.structs.replace(tasks["t"], sampled=True)}
    assert msgspec.structs.replace(read.record, tasks={}) == msgspec.structs.replace(
        run.record, tasks={}
    )
    assert read.name == "a name" and len(read.id) == 12
    scores = read.scores("t")
    assert scores.hashes == scores.clusters == [doc_hash(number) for number in range(3)]
    np.testing.assert_array_equal(scores.values["acc"], [1.0, 0.0, math.nan])
    assert [sample["doc"]["text"] for sample in read.samples("t")][2] == "document 2"


@given(text=st.text(st.characters(), max_size=50), cluster=st.text(st.characters(), max_size=20))
def test_hostile_texts_come_back_as_they_were(tmp_path_factory, text, cluster):
    told = samples({"acc": [1.0]}, clusters=[cluster])
    told[0]["stages"] = [{"answer": text}]
    folder = tmp_path_factory.mktemp("runs") / "run"
    tasks = {"t": task_run({"acc": [1.0]}, clusters=[cluster])}
    read = read_run(write_run(make_run(tasks, {"t": told}), folder))
    assert next(iter(read.samples("t")))["stages"][0]["answer"] == text
    assert read.scores("t").clusters == [cluster]


@pytest.mark.parametrize("answer", ["\ud800", "\x00\x1b[2J", '"}\n{', "\u2028 \x85 \r"])
def test_answers_that_break_lines_or_encodings_do_not_break_the_file(tmp_path, answer):
    told = samples({"acc": [1.0, 0.0]}, clusters=[answer, "b"])
    told[0]["answer"] = answer
    tasks = {"t": task_run({"acc": [1.0, 0.0]}, clusters=[answer, "b"])}
    read = read_run(write_run(make_run(tasks, {"t": told}), tmp_path / "run"))
    assert read.scores("t").clusters == [answer, "b"]
    assert next(iter(read.samples("t")))["answer"] == answer


@pytest.mark.parametrize(
    ("schema", "complaint"),
    [(SCHEMA + 1, "a newer selfcheck.*upgrade"), (SCHEMA - 1, "an older selfcheck.*run it again")],
)
def test_read_run_of_another_schema_says_so(tmp_path, schema, complaint):
    folder = store(tmp_path / "run", VALUES).folder
    change(folder, lambda record: record.update(schema=schema, added={"later": 1}))
    with pytest.raises(RecordError, match=complaint):
        read_run(folder)


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        (lambda record: record.update(extra=1), "extra"),
        (lambda record: record.pop("model"), "model"),
        (lambda record: record["tasks"]["t"].update(documents="3"), r"documents|tasks"),
        (lambda record: record["tasks"]["t"]["metrics"]["acc"].update(n=2.5), "metrics"),
        (lambda record: record["tasks"]["t"]["metrics"]["acc"].update(value="0.5"), "metrics"),
        (lambda record: record["settings"].update(subset="all"), "subset"),
        (lambda record: record["tasks"]["t"].update(documents=-1), "documents|tasks"),
        (lambda record: record["tasks"]["t"]["metrics"]["acc"].update(n=-1), "metrics"),
        (lambda record: record.update(tasks={}), "the run has no tasks"),
    ],
)
def test_read_run_refuses_what_the_schema_does_not_have(tmp_path, edit, place):
    folder = store(tmp_path / "run", VALUES).folder
    with pytest.raises(RecordError, match=place) as caught:
        read_run(change(folder, edit))
    assert str(folder / "run.json") in str(caught.value)


def test_read_run_without_record_tells_what_to_give(tmp_path):
    with pytest.raises(RecordError, match="selfcheck import"):
        read_run(tmp_path)


def test_read_run_nan_is_no_number(tmp_path):
    folder = store(tmp_path / "run", VALUES).folder
    file = folder / "run.json"
    file.write_text(file.read_text().replace('"value": 0.5', '"value": NaN'))
    with pytest.raises(RecordError, match="is no record of a run"):
        read_run(folder)


@pytest.mark.parametrize("name", ["../t", "a/b", "", "..", "a\0b", "a" * 400])
def test_read_run_task_names_lead_out_of_no_folder(tmp_path, name):
    folder = store(tmp_path / "run", VALUES).folder
    change(folder, lambda record: record["tasks"].update({name: record["tasks"]["t"]}))
    with pytest.raises(RecordError, match="is no file name"):
        read_run(folder)


def test_scores_of_a_truncated_line_names_it(tmp_path):
    run = store(tmp_path / "run", VALUES)
    told = lines(run.folder)
    rewrite(run.folder, [*told[:2], told[2][:40]])
    with pytest.raises(RecordError, match=r"samples_t.jsonl, line 3: .*damaged"):
        run.scores("t")


def test_scores_of_too_few_lines_says_how_many(tmp_path):
    run = store(tmp_path / "run", VALUES)
    rewrite(run.folder, lines(run.folder)[:2])
    with pytest.raises(RecordError, match="holds 2 documents, the record tells of 3"):
        run.scores("t")


def test_scores_of_a_document_twice_names_it(tmp_path):
    run = store(tmp_path / "run", VALUES)
    told = lines(run.folder)
    rewrite(run.folder, [told[0], told[1], told[1]])
    with pytest.raises(RecordError, match=f"line 3: document {doc_hash(1)[:12]} is there twice"):
        run.scores("t")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"acc": 1.0', '"acc": NaN', "line 1"),
        ('"acc": 1.0', '"acc": 1e999', "line 1"),
        ('"acc": 1.0', '"acc": true', r"line 1.*bool"),
        ('"acc": 1.0, ', "", "line 1: no value for acc"),
        ('"acc": 1.0', '"acc": 0.0', "acc is 0.0 over 2 documents here, but 0.5 over 2"),
        ('"acc": 1.0', '"acc": null', "acc is 0.0 over 1 documents here"),
        ('"cluster"', '"claster"', r"line 1.*cluster"),
    ],
)
def test_scores_that_are_not_what_the_record_tells_are_refused(tmp_path, old, new, complaint):
    run = store(tmp_path / "run", VALUES)
    told = lines(run.folder)
    assert old in told[0]
    rewrite(run.folder, [told[0].replace(old, new), *told[1:]])
    with pytest.raises(RecordError, match=complaint):
        run.scores("t")


def test_a_run_without_samples_says_so_and_a_lost_file_is_damage(tmp_path):
    assert not store(tmp_path / "aggregated", VALUES, keep_samples=False).has_samples("t")
    run = store(tmp_path / "run", VALUES)
    (run.folder / "samples_t.jsonl").unlink()
    assert run.has_samples("t")
    with pytest.raises(RecordError, match="cannot be read"):
        run.scores("t")


def test_id_tells_runs_apart(tmp_path):
    one = store(tmp_path / "one", VALUES)
    same = store(tmp_path / "two", VALUES)
    other = store(tmp_path / "three", VALUES, fingerprint="other")
    assert one.id == same.id != other.id


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_write_run_refuses_a_value_that_is_no_number(tmp_path, value):
    told = samples({"acc": [value, 1.0]})
    run = make_run({"t": task_run({"acc": [0.0, 1.0]})}, {"t": told})
    with pytest.raises(ValueError, match=f"t, document {doc_hash(0)[:12]}: acc is {value}"):
        write_run(run, tmp_path / "runs" / "run")
    assert list((tmp_path / "runs").iterdir()) == []


def test_write_run_fills_a_folder_that_is_there_and_keeps_it(tmp_path, monkeypatch):
    run = make_run({"t": task_run(VALUES["t"])}, {"t": samples(VALUES["t"])})
    for name in ("empty", "linked", "here"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "linked")
    monkeypatch.chdir(tmp_path / "here")
    for folder in (tmp_path / "empty", tmp_path / "link", Path()):
        before = folder.stat().st_ino
        assert read_run(write_run(run, folder)).scores("t").hashes
        assert folder.stat().st_ino == before
        assert {file.name for file in folder.iterdir()} == {"run.json", "samples_t.jsonl"}


@pytest.mark.slow
def test_write_run_killed_leaves_no_run(tmp_path):
    # at every file operation in turn: whatever is left behind is not read as a run
    code = """
import os, pathlib, sys
from tests.records import *
count, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
def counted(real):
    def call(*args, **kwargs):
        global count
        count -= 1
        if count < 0:
            os._exit(9)
        return real(*args, **kwargs)
    return call
pathlib.Path.open = counted(pathlib.Path.open)
pathlib.Path.write_text = counted(pathlib.Path.write_text)
pathlib.Path.rename = counted(pathlib.Path.rename)
pathlib.Path.mkdir = counted(pathlib.Path.mkdir)
values = {"acc": [1.0, 0.0]}
tasks = {name: task_run(values) for name in "tu"}
write_run(make_run(tasks, {name: samples(values) for name in "tu"}), folder)
"""
    for filled in (False, True):
        ends = []
        for count in range(20):
            folder = tmp_path / f"{filled}-{count}"
            if filled:
                folder.mkdir()
            line = [sys.executable, "-c", code, str(count), str(folder)]
            ends.append(subprocess.run(line, cwd=ROOT).returncode)
            if ends[-1] == 0:
                assert {len(read_run(folder).scores(name).hashes) for name in "tu"} == {2}
                break
            with pytest.raises(RecordError):
                read_run(folder)
        assert ends[-1] == 0 and ends.count(9) >= 4


SECRET = "hunter2-0123456789abcdef"


def test_no_secret_is_written_anywhere(tmp_path, monkeypatch):
    line = ["selfcheck", "run", "--model-args", f"api_key={SECRET},x=1", "--token", SECRET]
    monkeypatch.setattr(sys, "argv", line)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    plan = Plan(
        "planted",
        ("sample_importance_sentiment",),
        subset=2,
        metadata={"password": SECRET, "headers": {"Authorization": f"Bearer {SECRET}"}},
        options={"gen_kwargs": {"api_token": SECRET}},
    )
    folder = write_run(run(plan), tmp_path / "run")
    assert read_run(folder).record.environment.command[:3] == line[:3]
    for file in folder.iterdir():
        assert SECRET not in file.read_text(), file


def test_the_cause_of_a_failure_is_written_without_secrets(tmp_path):
    failed = f"OSError: https://me:{SECRET}@host/v1?api_key={SECRET} cannot be reached"
    run = make_run({"t": task_run({}, failed=failed)}, args={"api_key": SECRET})
    folder = write_run(run, tmp_path / "run")
    assert SECRET not in (folder / "run.json").read_text()
    assert "cannot be reached" in read_run(folder).tasks["t"].failed
