"""Where a run is from."""

from __future__ import annotations

import shlex

import msgspec

from harness.evidence import command_line, record_facts
from harness.runs import Environment
from tests.records import make_run, task_run


def record(command=None, **changed):
    told = make_run({"t": task_run({})}, settings={"subset": 4}).record
    made = Environment(
        command=command, packages={"lm-eval": "0.4.13", "peft": None}, python="3.11", platform=None
    )
    return msgspec.structs.replace(told, environment=made, **changed)


def test_record_facts_tell_what_is_known_and_leave_out_what_is_not():
    assert record_facts(record()) == [
        ("began", "2026-01-01T00:00:00+00:00"),
        ("took", "1 s"),
        ("backend", "hf"),
        ("model arguments", "pretrained=made/up"),
        ("device", "cpu"),
        ("dtype", "float32"),
        ("batch size", "1"),
        ("settings", 'tasks=["t"], subset=4'),
        ("selfcheck", record().selfcheck),
        ("packages", "lm-eval 0.4.13"),
        ("Python", "3.11"),
    ]
    assert ("made from lm-eval's results", "results.json") in record_facts(
        record(imported="results.json")
    )


def test_record_facts_are_the_whole_raw_texts():
    long = "\x1b" * 100_000
    model = msgspec.structs.replace(record().model, args={"pretrained": long})
    assert dict(record_facts(record(model=model)))["model arguments"] == f"pretrained={long}"


def test_command_line_can_be_split_again_and_names_the_program():
    words = ["/home/me/bin/selfcheck", "run", "--model-args", "pretrained=a b", "'\n"]
    told = command_line(record(words))
    assert shlex.split(told) == ["selfcheck", *words[1:]]
    assert command_line(record()) is None and command_line(record([])) is None
