"""Output of plain lm-eval becomes a run like any other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.commands import main
from harness.compare import compare
from harness.data import tasks_path
from harness.errors import RecordError
from harness.evaluate import Plan, run
from harness.imported import read_output
from harness.run_files import read_run, write_run

OURS = ("sample_importance_sentiment", "sample_counterfactual_choice", "sample_truthfulness_mc1")
DATE = "2026-01-02T03-04-05.678901"
STOCK = """\
task: stock
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 8}
filter_list:
  - {name: plain, filter: [{function: take_first}]}
  - {name: lower, filter: [{function: lowercase}, {function: take_first}]}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory, tiny_gpt2) -> Path:
    """What the command `lm_eval` leaves, for three tasks of ours and one of its own."""
    folder = tmp_path_factory.mktemp("lm-eval")
    rows = [{"question": f"{n} + 1 =", "answer": str(n + 1)} for n in range(4)]
    (folder / "data.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shutil.copytree(tasks_path(), folder / "tasks")
    (folder / "tasks" / "stock.yaml").write_text(STOCK.replace("DATA", str(folder / "data.json")))
    line = [sys.executable, "-m", "lm_eval", "--model", "hf", "--batch_size", "4"]
    line += ["--model_args", f"pretrained={tiny_gpt2}", "--limit", "5", "--log_samples"]
    line += ["--output_path", str(folder / "out"), "--tasks", ",".join([*OURS, "stock"])]
    line += ["--include_path", str(folder / "tasks")]
    told = subprocess.run(
        line, capture_output=True, text=True, env={**os.environ, "SELFCHECK_CACHE": "off"}
    )
    assert told.returncode == 0, told.stderr[-3000:]
    return folder / "out"


@pytest.mark.slow
def test_import_gives_what_selfcheck_run_records(output, tiny_gpt2, tmp_path):
    imported = read_run(write_run(read_output(output), tmp_path / "imported"))
    plan = Plan("hf", OURS, {"pretrained": str(tiny_gpt2)}, batch_size=4, options={"limit": 5})
    direct = read_run(write_run(run(plan), tmp_path / "direct"))
    for name in OURS:
        ours, theirs = imported.tasks[name], direct.tasks[name]
        assert ours.metrics == theirs.metrics
        assert ours.conditions == theirs.conditions and ours.data == theirs.data
        assert (ours.version, ours.source) == (theirs.version, theirs.source)
        assert ours.headline == theirs.headline and ours.tokens_in in (None, theirs.tokens_in)
        told = [{**one, "target": str(one["target"])} for one in direct.samples(name)]
        assert list(imported.samples(name)) == told, "lm-eval writes targets as text"
    told = compare(direct, imported)
    assert {row.difference for row in told.rows} <= {0.0, None} and told.flips == []
    assert len(told.rows) == 9 + 9 + 4


@pytest.mark.slow
def test_import_marks_as_unknown_what_lm_eval_does_not_tell(output, tmp_path):
    record = read_output(output).record
    assert record.imported.startswith("results_")
    assert record.model.fingerprint is None and record.environment.command is None
    assert record.environment.packages["lm-eval"] == "0.4.13"
    assert record.settings.limit == 5 and record.settings.apply_chat_template is False
    assert record.tasks["stock"].source is None and "fingerprint" not in record.tasks["stock"].data


@pytest.mark.slow
def test_import_of_a_stock_task_has_a_metric_per_filter(output):
    task = read_output(output).record.tasks["stock"]
    assert list(task.metrics) == ["exact_match,plain", "exact_match,lower"]
    assert task.documents == 4 and task.metrics["exact_match,plain"].n == 4
    assert task.metrics["exact_match,plain"].higher_is_better is True


@pytest.mark.slow
def test_import_command_writes_and_shows(output, tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["import", str(output), "--output", str(folder)]) == 0
    assert "exact_match,plain" in capsys.readouterr().out
    assert set(read_run(folder).tasks) == {*OURS, "stock"}


def made_up(folder: Path, rows: list[dict] | None, results: dict | None = None) -> Path:
    """The files of lm-eval for one stock task."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "results": {"t": results or {"acc,none": 0.5, "acc_stderr,none": 0.25}},
        "configs": {"t": {"task": "t", "output_type": "multiple_choice"}},
        "versions": {"t": 1.0},
        "n-shot": {"t": 0},
        "higher_is_better": {"t": {"acc": True}},
        "n-samples": {"t": {"original": 9, "effective": 4}},
        "config": {"model": "hf", "model_args": "pretrained=m,api_key=sk-1", "batch_size": "4"},
        "date": 1.8e9,
    }
    (folder / f"results_{DATE}.json").write_text(json.dumps(told))
    if rows is not None:
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"samples_t_{DATE}.jsonl").write_text(lines)
    return folder


def sample(number: int, acc: object, **more: object) -> dict:
    return {
        "doc_id": number,
        "doc": {"q": number},
        "target": 0,
        "arguments": {"gen_args_0": {"arg_0": "q", "arg_1": "a"}},
        "filtered_resps": [["-1.0", "False"]],
        "filter": "none",
        "metrics": ["acc"],
        "acc": acc,
        **more,
    }


ROWS = [sample(number, float(number % 2)) for number in range(4)]


def test_import_blanks_secrets(tmp_path):
    record = read_output(made_up(tmp_path, ROWS)).record
    assert record.model.args == {"pretrained": "m", "api_key": "***"}


def test_import_without_samples_keeps_the_aggregated_numbers(tmp_path):
    run = read_output(made_up(tmp_path, None))
    metric = run.record.tasks["t"].metrics["acc"]
    assert (metric.value, metric.n) == (0.5, 4)
    assert metric.interval.low == pytest.approx(0.5 - 1.959964 * 0.25)
    assert run.samples == {}


def test_import_leaves_out_what_is_no_mean_over_documents(tmp_path, caplog):
    rows = [{**row, "f1": 1.0, "metrics": ["acc", "f1"]} for row in ROWS]
    results = {"acc,none": 0.5, "f1,none": 0.7}
    assert list(read_output(made_up(tmp_path, rows, results)).record.tasks["t"].metrics) == ["acc"]
    assert "t: f1 is left out: it is no mean over documents" in caplog.text


def test_import_nan_is_a_failed_task_and_no_number(tmp_path):
    rows = [*ROWS[:3], sample(3, float("nan"))]
    task = read_output(made_up(tmp_path, rows, {"acc,none": float("nan")})).record.tasks["t"]
    assert task.failed == "lm-eval recorded a value that is not finite" and task.metrics == {}


def test_import_booleans_are_numbers_and_other_things_are_no_values(tmp_path):
    rows = [sample(number, number % 2 == 1, other=[1, 2]) for number in range(4)]
    told = read_output(made_up(tmp_path, rows)).record.tasks["t"].metrics["acc"]
    assert (told.value, told.bounds) == (0.5, (0.0, 1.0))


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda text: text[:-30], r"line 4: is no sample of lm-eval"),
        (lambda text: "".join(text.splitlines(keepends=True)[:3]), "holds 3 documents.*tell of 4"),
        (lambda text: text.replace('"doc_id": 2', '"id": 2'), "line 3: .*no doc_id"),
        (lambda text: "[1]\n" + text, "line 1"),
    ],
)
def test_import_of_damaged_samples_says_where(tmp_path, damage, complaint):
    file = made_up(tmp_path, ROWS) / f"samples_t_{DATE}.jsonl"
    file.write_text(damage(file.read_text()))
    with pytest.raises(RecordError, match=complaint):
        read_output(tmp_path)


def test_import_needs_one_results_file(tmp_path):
    with pytest.raises(RecordError, match="there is no such folder"):
        read_output(tmp_path / "missing")
    with pytest.raises(RecordError, match="--log_samples"):
        read_output(tmp_path)
    made_up(tmp_path / "a", ROWS)
    made_up(tmp_path / "b", ROWS)
    with pytest.raises(RecordError, match="several results"):
        read_output(tmp_path)
    assert read_output(tmp_path / "a" / f"results_{DATE}.json").record.tasks["t"].documents == 4


@pytest.mark.parametrize("text", ["{", "[]", '{"results": {}}'])
def test_import_of_another_file_is_refused(tmp_path, text):
    (tmp_path / f"results_{DATE}.json").write_text(text)
    with pytest.raises(RecordError, match=f"results_{DATE}.json"):
        read_output(tmp_path)
