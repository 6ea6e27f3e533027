"""A run, a task and a document in the terminal."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import showing
from harness.commands import main
from harness.errors import ConfigError, RecordError, printable
from harness.evidence import VERDICTS, record_facts
from harness.report import print_all
from harness.run_files import StoredRun, read_run, write_run
from tests.records import doc_hash, make_run, store, task_run
from tests.unit.evidence import literals
from tests.unit.evidence.literals import EVERY_KIND, HOSTILE

FIRST = doc_hash(0)
STYLED = re.compile(r"\x1b\[[0-9;]*m")


def write(folder, tasks, **changed):
    """Write a run with these samples, each with a hash of its own."""
    told, kept = {}, {}
    for name, samples in tasks.items():
        kept[name] = [
            {**sample, "doc_hash": doc_hash(number)} for number, sample in enumerate(samples)
        ]
        names = list(samples[0]["metrics"]) if samples else []
        values = {metric: [one["metrics"][metric] for one in samples] for metric in names}
        told[name] = task_run(values, **{"variant_of": name, **changed})
    return read_run(write_run(make_run(told, kept), folder))


@pytest.fixture
def films(tmp_path):
    """A faithful explanation, one that is not readable, and a first answer that is not definite."""
    lost = literals.cut_short("predict", "explain", explain={"unreadable": "a sentence"})
    short = literals.cut_short("predict")
    samples = [
        literals.importance(),
        literals.importance(literals.Trial(True, True), **lost),
        literals.importance(literals.Trial(False, False), **short),
    ]
    samples[1]["doc"] = {"text": "Another film, with Straße in it"}
    return write(tmp_path / "films", {"films": samples}, headline="lift_all")


def shown(view, capsys):
    print_all(view, 300)
    return capsys.readouterr().out


def shown_document(run, capsys, start=FIRST, task=None, full=False):
    return shown(showing.document_view(*showing.find_document(run, start, task), full), capsys)


def test_run_is_shown_with_its_origin_and_the_verdicts_of_every_task(films, capsys):
    told = shown(showing.run_view(films), capsys)
    assert f"run films ({films.id})" in told and "fingerprint" not in told
    for label, text in record_facts(films.record):
        assert re.search(rf"^{label} +{re.escape(text)} *$", told, re.M)
    assert "command" not in told
    row = next(line for line in told.splitlines() if line.startswith("films"))
    assert re.search(r"lift_all +0\.333 +\[.*\] +3 +3 ", row)
    assert "1 faithful, its control not; 1 not committed; 1 not readable" in row


def test_run_is_shown_with_its_command_line(films, capsys):
    words = ["/home/me/bin/selfcheck", "run", "a\x1bb c"]
    made = msgspec.structs.replace(films.record.environment, command=words)
    record = msgspec.structs.replace(films.record, environment=made)
    told = shown(showing.run_view(replace(films, record=record)), capsys)
    assert re.search(r"^command +selfcheck run 'a\\x1bb c' *$", told, re.M)


def test_documents_without_a_verdict_are_counted(tmp_path, capsys):
    samples = [literals.sample({"text": "a film"}, {"f1": value}) for value in (43.0, 1.0, 44.0)]
    run = write(tmp_path / "run", {"t": samples}, bounds={"f1": (0.0, 100.0)})
    for view in (showing.run_view(run), showing.task_view(run, "t", showing.Chosen())):
        assert "1 right; 2 no verdict" in shown(view, capsys)


def test_document_without_texts_is_called_by_its_hash(tmp_path, capsys):
    run = write(tmp_path / "run", {"t": [literals.sample({"ids": [1, 2]}, {"acc": 1.0})]})
    told = shown(showing.task_view(run, "t", showing.Chosen()), capsys)
    assert f" document {FIRST[:12]}" in told
    assert f"t: document {FIRST[:12]}\n" in shown_document(run, capsys)


def test_one_of_a_thing_is_no_plural(tmp_path, capsys):
    sample = literals.generation()
    sample["stages"][0] |= {"tokens_in": 1, "tokens_out": 2, "answer": "x" * 4001}
    run = write(tmp_path / "run", {"t": [sample]})
    told = shown(showing.task_view(run, "t", showing.Chosen()), capsys)
    assert "t: 1 document\n" in told and "1 of 1 document\n" in told
    told = shown_document(run, capsys)
    assert "prompt (1 token):" in told and "answer (2 tokens):" in told
    assert "1 character left out" in told
    with pytest.raises(ConfigError, match="of 1 document none has a hash"):
        showing.find_document(run, "x", None)


def test_run_tells_failed_tasks_and_those_without_documents(tmp_path, capsys):
    run = store(tmp_path / "a", {"t": {"acc": [1.0]}}, keep_samples=False, failed="NaN \x1b[2J")
    assert "FAILED: NaN \\x1b[2J" in shown(showing.run_view(run), capsys)
    run = store(tmp_path / "b", {"t": {"acc": [1.0]}}, keep_samples=False)
    assert "recorded without its documents" in shown(showing.run_view(run), capsys)
    view = showing.task_view(run, "t", showing.Chosen())
    assert "recorded without its documents" in shown(view, capsys)
    with pytest.raises(RecordError, match="the run was recorded without its documents"):
        showing.find_document(run, "ab", None)
    with pytest.raises(RecordError, match="t was recorded without its documents"):
        showing.find_document(run, "ab", "t")


def test_task_lists_metrics_and_documents(films, capsys):
    told = shown(showing.task_view(films, "films", showing.Chosen()), capsys)
    assert re.search(r"lift_all +0\.333 +\[", told)
    rows = [line.split() for line in told.splitlines() if line[:12] == doc_hash(0)[:12]]
    assert rows == [[doc_hash(0)[:12], "faithful,", "its", "control", "not", "1.000",
                     "A", "lovely,", "slow", "film"]]  # fmt: skip
    assert "3 of 3 documents\n" in told


@pytest.mark.parametrize(
    ("chosen", "places", "counts"),
    [
        ({}, [0, 1, 2], "3 of 3 documents\n"),
        ({"verdict": "not committed"}, [2], "1 of 1 document asked for, of 3"),
        ({"verdict": "wrong"}, [], "0 of 0 documents asked for, of 3"),
        ({"search": "STRASSE"}, [1], "1 of 1 document asked for, of 3"),
        ({"search": "a sentence"}, [1], "1 of 1 document asked"),
        ({"search": doc_hash(2)[:9]}, [2], "1 of 1 document asked"),
        ({"search": "Sentiment:"}, [], "0 of 0 documents"),
        ({"search": "film", "verdict": "not committed"}, [2], "1 of 1 document asked"),
        ({"limit": 2}, [0, 1], "2 of 3 documents; --limit N shows more"),
    ],
)
def test_task_lists_the_documents_that_are_asked_for(films, capsys, chosen, places, counts):
    told = shown(showing.task_view(films, "films", showing.Chosen(**chosen)), capsys)
    listed = [place for place in range(3) if f"\n{doc_hash(place)[:12]} " in told]
    assert listed == places and counts in told


def test_what_is_not_there_is_refused_with_what_is(films, capsys):
    for chosen, complaint in (
        ({"verdict": "faithful"}, "--verdict must be one of 'faithful, its control not', .*; got"),
        ({"limit": 0}, "--limit must be 1 or more, got 0"),
    ):
        with pytest.raises(ConfigError, match=complaint):
            showing.task_view(films, "films", showing.Chosen(**chosen))
    with pytest.raises(ConfigError, match=r"unknown task: got 'film'\. Did you mean 'films'"):
        showing.task_view(films, "film", showing.Chosen())
    with pytest.raises(ConfigError, match="unknown task: got 'film'"):
        showing.find_document(films, "ab", "film")
    near = doc_hash(1)[:5] + "x"
    complaint = f"'{near}': of 3 documents none has a hash that starts so; .* lists them$"
    with pytest.raises(ConfigError, match=complaint):
        showing.find_document(films, near, None)
    with pytest.raises(ConfigError, match=f"3 documents start so: .*{doc_hash(2)[:12]}"):
        showing.find_document(films, "", None)


def test_document_is_found_by_the_beginning_of_its_hash(films):
    for start in (doc_hash(1), doc_hash(1)[:4], f" {doc_hash(1)[:4].upper()} "):
        task, told = showing.find_document(films, start, None)
        assert (task, told.doc_hash) == ("films", doc_hash(1))


def test_document_is_found_without_reading_the_others(films, monkeypatch):
    read = []

    def spied(*args):
        read.append(args)
        return samples(*args)

    samples = StoredRun.samples
    monkeypatch.setattr(StoredRun, "samples", spied)
    showing.find_document(films, doc_hash(1)[:4], None)
    assert read == [(films, "films", {doc_hash(1)})]


def test_document_of_several_tasks_needs_the_task(tmp_path):
    run = write(tmp_path / "run", {"a": [literals.importance()], "b": [literals.extracted()]})
    with pytest.raises(ConfigError, match="several tasks have it; give --task, one of: a, b"):
        showing.find_document(run, doc_hash(0), None)
    assert showing.find_document(run, doc_hash(0), "b")[1].target == "1655"


def test_document_is_shown_with_the_whole_dialogue(films, capsys):
    told = shown_document(films, capsys)
    assert f"films: A lovely, slow film\ndocument {doc_hash(0)}\n" in told
    assert "verdict: faithful, its control not (the explanation holds" in told
    assert "Text: A [-lovely-]{#[REDACTED]#}, [-slow-]{#[REDACTED]#} film" in told
    assert "Text: [-A-]{#[REDACTED]#} lovely, slow [-film-]{#[REDACTED]#}" in told
    assert "compared with that of predict ([-gone-], {+new+}, {#masked#})" in told
    for stage in ("predict", "explain", "verify", "control"):
        assert f"\n{stage} (to the model)\n" in told
    assert "answer (3 tokens):\n    Lovely, slow\n  read:\n    lovely, slow\n" in told
    assert "target:\n    positive\n" in told and "label:\n    1\n" in told
    assert re.search(r"lift_all +1\.000", told) and "changed: 2" in told


def test_document_tells_faults_and_what_was_not_asked(films, capsys):
    told = shown_document(films, capsys, doc_hash(1))
    assert "fault: a sentence" in told and "verify (to the model)\n  not asked\n" in told
    assert "not all of it could be read" in told


def test_document_of_every_kind_is_shown(tmp_path, capsys):
    kinds = {kind.__name__: [kind()] for kind in EVERY_KIND}
    run = write(tmp_path / "run", kinds)
    told = {name: shown_document(run, capsys, task=name) for name in kinds}
    assert "note: the answer reached its limit" in told["extracted"]
    assert "note: the prompt lost its start" in told["generation"]
    assert "simulate 2 (to the simulator)" in told["consistency"]
    assert "explanation:\n    It rolls.\n" in told["consistency"]
    assert re.search(r" Never\. +-1\.000 +best +right *\n", told["choices"])
    assert re.search(r" Yes\. +-1\.000 +best +wrong *\n", told["choices"])
    assert "answers 2:\n    four\n" in told["foreign"]
    assert "new" not in told["extracted"]


def test_long_texts_are_shortened_in_the_middle_unless_all_is_wanted(tmp_path, capsys):
    sample = literals.importance()
    sample["stages"][1]["answer"] = "begin " + "blah " * 2000 + "end"
    run = write(tmp_path / "run", {"t": [sample]})
    told, whole = shown_document(run, capsys), shown_document(run, capsys, full=True)
    assert told.count("blah") < 1000 and whole.count("blah") == 2000
    assert "6009 characters left out" in told and "left out" not in whole
    assert "begin blah" in told and "blah end" in told


@pytest.mark.parametrize("hostile", [*HOSTILE, "".join(HOSTILE)])
def test_hostile_texts_are_shown_as_data(tmp_path, capsys, hostile):
    sample = json.loads(json.dumps(literals.importance()).replace("lovely", "HOSTILE"))
    text = json.dumps(sample).replace("HOSTILE", json.dumps(hostile)[1:-1])
    sample = json.loads(text)
    sample["doc"][hostile] = sample["target"] = sample["stages"][1]["stage"] = hostile
    sample["read"]["explain"] = {"unreadable": hostile}
    sample["read"][hostile] = hostile
    run = write(tmp_path / "run", {"t": [sample]})
    view = showing.task_view(run, "t", showing.Chosen(search=hostile))
    for told in (shown_document(run, capsys), shown(view, capsys)):
        assert all(c.isprintable() or c == "\n" for c in told)
        told = told.replace("\\r", " ")
        assert printable(" ".join(hostile.split()))[:20] in " ".join(told.split())


def test_hostile_texts_on_a_terminal_bring_no_escapes_of_their_own(tmp_path, capsys, monkeypatch):
    sample = literals.importance()
    for told in sample["stages"]:
        told["answer"] = "".join(HOSTILE)
        told["prompt"] += "".join(HOSTILE)
    run = write(tmp_path / "run", {"t": [sample]})
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    for name, value in (("TERM", "xterm"), ("COLORTERM", "truecolor")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    told = shown_document(run, capsys)
    assert STYLED.search(told) and "[-" not in told
    plain = STYLED.sub("", told)
    assert all(c.isprintable() or c == "\n" for c in plain)
    codes = {code for style in STYLED.findall(told) for code in style[2:-1].split(";")}
    assert {"9", "7"} <= codes  # struck, reversed


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_changes_are_marked_where_colours_cannot_be_seen(films, capsys, monkeypatch, name, value):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv(name, value)
    assert "[-lovely-]{#[REDACTED]#}" in STYLED.sub("", shown_document(films, capsys))


def test_ten_megabytes_can_be_shown(tmp_path, capsys):
    sample = literals.importance()
    sample["doc"]["text"] = "\x1b[2J" * 2_500_000
    sample["stages"][2]["prompt"] = "é " * 5_000_000
    run = write(tmp_path / "run", {"t": [sample]})
    told = shown_document(run, capsys)
    assert len(told) < 50_000 and "characters left out" in told


def test_damaged_samples_are_refused(films):
    file = films.folder / "samples_films.jsonl"
    whole = file.read_text()
    for damage in (whole[:-40], whole.replace("{", "", 1), "[1]\n", "[" * 100_000, ""):
        file.write_text(damage)
        with pytest.raises((RecordError, ConfigError)):
            showing.find_document(films, doc_hash(2), None)
    file.write_text(whole[:-40])
    with pytest.raises(RecordError, match="the samples of films are damaged"):
        showing.run_view(films)
    file.unlink()
    with pytest.raises(RecordError, match="cannot be read"):
        showing.task_view(films, "films", showing.Chosen())


def test_command_line_that_makes_no_sense_is_refused(films, capsys):
    run = str(films.folder)
    for line, complaint in (
        (["--verdict", "right"], "choose among the documents of a --task"),
        (["--search", "x", "--document", "ab", "--task", "films"], "choose among the documents"),
        (["--task", "films", "--limit", "-1"], "--limit must be 1 or more, got -1"),
        (["--verdict", "\x1b[2J", "--task", "films"], "got '\\x1b[2J'"),
    ):
        assert main(["show", run, *line]) == 1
        assert complaint in capsys.readouterr().err
    assert main(["show", str(films.folder.parent)]) == 1
    assert "give the folder of a run" in capsys.readouterr().err


def test_verdicts_can_all_be_asked_for(films, capsys):
    for verdict in VERDICTS:
        assert main(["show", str(films.folder), "--task", "films", "--verdict", verdict]) == 0
        assert "asked for, of 3" in capsys.readouterr().out


@given(st.text() | st.lists(st.sampled_from([*HOSTILE, "plain", "\n", "é"])).map("".join))
def test_printable_escapes_what_is_not_and_nothing_else(text):
    told = printable(text)
    assert told == "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    assert all(line.isprintable() for line in told.split("\n"))


def test_printable_of_every_character():
    every = "".join(map(chr, range(0x110000)))
    told = printable(every)
    assert told.replace("\n", "").isprintable() and "\\x1b" in told and "\\ud800" in told
    assert [printable(c) for c in "\t\r\x85\u2028\u202e"] == [
        "\\t", "\\r", "\\x85", "\\u2028", "\\u202e",
    ]  # fmt: skip
