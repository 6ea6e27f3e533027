"""Secrets are in no log, no error and no traceback, and what is printed commands no terminal."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from finetune.watching.scorer import run_command
from harness.commands import evaluating, main
from harness.errors import ConfigError
from harness.logs import secrets_kept
from tests.records import LIFT, store

KEY = "sk-" + "proj1234567890abcdef"
HOSTILE = "a\x1b[2J\x1b]8;;http://x\x07[bold]b[/bold][link=http://x]c[/link]\x9b31m"
TOLD = [
    (f"base_url=https://me:{KEY}@host/v1?api_key={KEY}", ()),
    ("Headers: %s", ({"Authorization": f"Bearer {KEY}", "x-api-key": KEY},)),
    ("The server said: %s. Going on", (f"Incorrect API key: {KEY}",)),
    ("--model_args %s", (f"model=m,api_key={KEY}",)),
    ("token: %s", (f"hf_{'a1' * 17}",)),
    ("%s %d", (f"api_key={KEY}",)),  # a faulty call of a library
]


@pytest.mark.parametrize(("message", "args"), TOLD)
@pytest.mark.parametrize("name", ["harness", "lm_eval.models.api_models", "LiteLLM", "aiohttp"])
def test_what_any_logger_is_told_has_no_secret(message, args, name) -> None:
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(logging.Formatter().format(record))
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        with secrets_kept():
            logger.error(message, *args)
            try:
                raise ValueError(f"GET https://h/v1?api_key={KEY}")
            except ValueError:
                logger.exception("failed")
    finally:
        logger.removeHandler(handler)
    text = "\n".join(said)
    assert len(said) == 2 and "***" in text and "ValueError" in text
    assert KEY not in text and "a1a1a1" not in text


def test_loggers_are_as_they_were_afterwards() -> None:
    before = logging.getLogRecordFactory()
    with secrets_kept():
        assert logging.getLogRecordFactory() is not before
    assert logging.getLogRecordFactory() is before


@pytest.mark.parametrize("kind", [ConfigError, ValueError])
def test_an_error_and_a_traceback_have_no_secret(monkeypatch, capsys, kind) -> None:
    def fail(*_: object) -> None:
        raise kind(f"POST https://host/v1 failed: api_key={KEY} \x1b[2J")

    monkeypatch.setattr("harness.demo.demo_model", fail)
    monkeypatch.setattr("harness.models.demo_model", fail)
    assert main(["demo-model"]) == 1
    told = capsys.readouterr().err
    assert "api_key=***" in told and KEY not in told and "\x1b" not in told
    assert ("Traceback" in told) == (kind is ValueError)
    assert evaluating.demo_model


def test_a_wrong_command_line_is_not_repeated_with_its_secret(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["show", "run", f"--api_key={KEY}"])
    told = capsys.readouterr().err
    assert KEY not in told and "unrecognized arguments" in told


def test_the_log_of_a_scoring_has_no_secret(tmp_path) -> None:
    """What `watch` keeps of the process that scores, which fails here."""
    args = json.dumps({"pretrained": str(tmp_path / "nothing"), "token": KEY, "api_key": KEY})
    line = [sys.executable, "-P", "-m", "harness.commands", "run", "--model", "hf"]
    line += ["--model-args", args, "--tasks", "sample_truthfulness_mc1", "--device", "cpu"]
    log = tmp_path / "logs" / "x.log"
    told = run_command([*line, "--output", str(tmp_path / "run")], log)
    assert told and KEY not in told
    assert "cannot be loaded" in log.read_text() and KEY not in log.read_text()


def hostile_runs(folder: Path) -> list[str]:
    """Write two runs whose every name and text would like to be more."""
    task = HOSTILE.replace("/", "")
    places = []
    for name, shift in (("base", 0), ("candidate", 1)):
        values = {HOSTILE: [float((place + shift) % 3 == 0) for place in range(24)]}
        run = store(folder / name, {task: values}, bounds={HOSTILE: LIFT}, fingerprint=name)
        told = (run.folder / "run.json").read_text().replace("made/up", json.dumps(HOSTILE)[1:-1])
        (run.folder / "run.json").write_text(told)
        file = run.folder / f"samples_{task}.jsonl"
        file.write_text(file.read_text().replace("document ", json.dumps(HOSTILE)[1:-1]))
        places.append(str(run.folder))
    return places


COMMANDS = [
    ["compare", "BASE", "CANDIDATE"],
    ["compare", "BASE", "CANDIDATE", "--format", "csv"],
    ["gate", "--baseline", "BASE", "--candidate", "CANDIDATE", "--config", "MARGINS"],
    ["show", "BASE"],
    ["show", "BASE", "--task", HOSTILE.replace("/", "")],
    ["show", "BASE", "--document", "4e07408562be"],
    ["board", "BASE", "CANDIDATE", "--output", "BOARD"],
]


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("line", COMMANDS, ids=[" ".join(c[:1]) for c in COMMANDS])
def test_nothing_a_run_holds_is_markup_or_an_escape(
    tmp_path, monkeypatch, capsys, line, terminal
) -> None:
    base, candidate = hostile_runs(tmp_path)
    (tmp_path / "gate.yaml").write_text(f"margins: {{{json.dumps(HOSTILE)}: 0.1}}\n")
    places = {"BASE": base, "CANDIDATE": candidate, "MARGINS": str(tmp_path / "gate.yaml")}
    places["BOARD"] = str(tmp_path / "board")
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    main([places.get(word, word) for word in line])
    told = capsys.readouterr()
    text = told.out + told.err
    for escape in ("\x1b[2J", "\x1b]8", "\x07", "\x9b"):
        assert escape not in text
    assert text.strip()


def test_an_imported_run_is_shown_as_it_is(tmp_path, capsys) -> None:
    name = HOSTILE.replace("/", "")
    told = {
        "results": {name: {f"{HOSTILE},none": 0.5}},
        "configs": {name: {"task": name}},
        "higher_is_better": {name: {HOSTILE: True}},
        "n-samples": {name: {"original": 9, "effective": 4}},
        "config": {"model": "hf", "model_args": f"pretrained={HOSTILE}"},
    }
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results_2026-01-02T03-04-05.678901.json").write_text(json.dumps(told))
    assert main(["import", str(tmp_path / "out"), "--output", str(tmp_path / "run")]) == 0
    text = "".join(capsys.readouterr())
    assert "\x1b" not in text and "\x9b" not in text and "[bold]" in text


def test_templates_of_results_of_others_execute_nothing(tmp_path, capsys) -> None:
    """lm-eval's file names how our documents are clustered: a template."""
    canary = tmp_path / "canary"
    reach = "cycler.__init__.__globals__.os.mkdir"
    told = {
        "results": {"t": {"acc,none": 0.5}},
        "configs": {"t": {"task": "t", "cluster": f"{{{{ {reach}({str(canary)!r}) }}}}"}},
        "n-samples": {"t": {"original": 1, "effective": 1}},
        "config": {"model": "hf"},
    }
    row = {"doc_id": 0, "doc": {"q": 1}, "metrics": ["acc"], "acc": 1.0, "filter": "none"}
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "results_2026-01-02T03-04-05.678901.json").write_text(json.dumps(told))
    (folder / "samples_t_2026-01-02T03-04-05.678901.jsonl").write_text(json.dumps(row) + "\n")
    assert main(["import", str(folder), "--output", str(tmp_path / "run")]) == 1
    assert "unsafe" in capsys.readouterr().err and not canary.exists()


def test_a_process_that_breaks_tells_no_secret(tmp_path) -> None:
    code = (
        "import harness.models, sys\n"
        f"def fail(*_): raise RuntimeError('api_key={KEY}')\n"
        "harness.models.demo_model = fail\n"
        "from harness.commands import main\nsys.exit(main(['demo-model']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "RuntimeError: api_key=***" in done.stderr
