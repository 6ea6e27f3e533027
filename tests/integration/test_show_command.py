"""`selfcheck show` on runs of planted models: all that they said is found again."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from harness.commands import main
from harness.evidence import VERDICTS, read_account

TASKS = "sample_counterfactual_sentiment,sample_redaction_yes_no,sample_consistency_yes_no," \
    "sample_truthfulness_mc2,sample_qa"  # fmt: skip


@pytest.fixture(scope="module")
def run(runs):
    """A deceiving model: its explanations do not hold."""
    line = ["run", "--model", "planted", "--model-args", "behaviour=deceiving"]
    return runs("deceiving", [*line, "--tasks", TASKS, "--subset", "4"])


def show(run, capsys, *line):
    assert main(["show", str(run.folder), *line]) == 0
    return capsys.readouterr().out


def test_show_run_tells_who_was_asked_what(run, capsys):
    told = show(run, capsys)
    assert re.search(r"^backend +planted *$", told, re.M)
    assert "behaviour=deceiving" in told and "lm-eval 0.4" in told
    for name, task in run.tasks.items():
        row = re.search(rf"^{name} .*", told, re.M)[0]
        assert f"{task.metrics[task.headline].value:.3f}" in row
        verdicts = [read_account(sample).verdict for sample in run.samples(name)]
        assert set(verdicts) <= set(VERDICTS)
        assert len(verdicts) == task.documents == 4
    assert "not faithful" in told


@pytest.mark.parametrize("task", TASKS.split(","))
def test_show_task_and_every_document(run, capsys, task):
    listed = show(run, capsys, "--task", task)
    for sample in run.samples(task):
        digest = sample["doc_hash"]
        row = re.search(rf"^{digest[:12]} .*", listed, re.M)[0]
        told = show(run, capsys, "--task", task, "--document", digest[:12], "--full")
        account = read_account(sample)
        assert account.verdict in row and f"verdict: {account.verdict} (" in told
        words = " ".join(told.split())
        for stage in sample.get("stages", []):
            assert f"\n{stage['stage']} (to the {stage['to']})\n" in told
            assert " ".join(stage["answer"].split()) in words
        for choice in sample.get("choices", []):
            assert choice["choice"].strip() in words


def test_show_evidence_holds_the_prompts_of_every_stage(run):
    """Diffs lose nothing of real prompts, and every verify differs from its predict."""
    seen = 0
    for name in run.tasks:
        for sample in run.samples(name):
            stages = {stage["stage"]: stage for stage in sample.get("stages", [])}
            for turn in read_account(sample).turns:
                if turn.not_asked:
                    continue
                new = "".join(piece.text for piece in turn.prompt if piece.kind != "gone")
                assert new == stages[turn.stage]["prompt"]
                if turn.against:
                    old = "".join(text for kind, text in turn.prompt if kind in ("", "gone"))
                    assert old == stages[turn.against]["prompt"]
                    kinds = {piece.kind for piece in turn.prompt}
                    assert ("masked" if "redaction" in name else "new") in kinds
                    seen += 1
    assert seen >= 4


def test_show_task_of_a_verdict_lists_those_alone(run, capsys):
    told = show(run, capsys, "--task", "sample_redaction_yes_no", "--verdict", "not faithful")
    known = [read_account(sample) for sample in run.samples("sample_redaction_yes_no")]
    assert known
    for account in known:
        assert (account.doc_hash[:12] in told) == (account.verdict == "not faithful")


def test_show_ends_quietly_when_nobody_reads(run):
    line = [sys.executable, "-m", "harness.commands", "show", str(run.folder)]
    line[1:3] = ["-c", "import sys; from harness.commands import main; sys.exit(main())"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(line, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")
