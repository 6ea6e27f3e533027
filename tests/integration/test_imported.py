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
from harness.compare.pairing import incomparable
from harness.data import tasks_path
from harness.errors import RecordError
from harness.evaluate import run
from harness.imported import read_output
from harness.plan import Plan
from harness.run_files import read_run, write_run
from harness.runs import TaskRun

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


def test_import_marks_as_unknown_what_lm_eval_does_not_tell(output, tmp_path):
    record = read_output(output).record
    assert record.imported.startswith("results_")
    assert record.model.fingerprint is None and record.environment.command is None
    assert record.environment.packages["lm-eval"] == "0.4.13"
    assert record.settings.limit == 5 and record.settings.apply_chat_template is False
    assert record.tasks["stock"].source is None and "fingerprint" not in record.tasks["stock"].data


def test_import_of_a_stock_task_has_a_metric_per_filter(output):
    task = read_output(output).record.tasks["stock"]
    assert list(task.metrics) == ["exact_match,plain", "exact_match,lower"]
    assert task.documents == 4 and task.metrics["exact_match,plain"].n == 4
    assert task.metrics["exact_match,plain"].higher_is_better is True


def test_import_command_writes_and_shows(output, tmp_path, capsys):
    folder = tmp_path / "run"
    assert main(["import", str(output), "--output", str(folder)]) == 0
    assert "exact_match,plain" in capsys.readouterr().out
    assert set(read_run(folder).tasks) == {*OURS, "stock"}


def made_up(
    folder: Path, rows: list[dict] | None, numbers: dict | None = None, **changes: object
) -> Path:
    """The files of lm-eval for one stock task; changes are keys of the results file."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "results": {"t": numbers or {"acc,none": 0.5, "acc_stderr,none": 0.25}},
        "configs": {"t": {"task": "t", "output_type": "multiple_choice"}},
        "versions": {"t": 1.0},
        "n-shot": {"t": 0},
        "higher_is_better": {"t": {"acc": True}},
        "n-samples": {"t": {"original": 9, "effective": 4}},
        "config": {"model": "hf", "model_args": "pretrained=m,api_key=sk-1", "batch_size": "4"},
        "date": 1.8e9,
        **changes,
    }
    (folder / f"results_{DATE}.json").write_text(json.dumps(told))
    if rows is not None:
        write_rows(folder / f"samples_t_{DATE}.jsonl", rows)
    return folder


def write_rows(file: Path, rows: list[dict]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def task_of(folder: Path) -> TaskRun:
    """The one task of an output, written and read like any other run."""
    run = read_run(write_run(read_output(folder), folder / "run"))
    assert not run.has_samples("t") or run.tasks["t"].failed or run.scores("t")
    return run.tasks["t"]


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
    folder = write_run(read_output(made_up(tmp_path / "out", ROWS)), tmp_path / "run")
    assert read_run(folder).record.model.args == {"pretrained": "m", "api_key": "***"}
    assert "sk-1" not in (folder / "run.json").read_text()


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
        (lambda text: text.replace('"doc_id": 2', '"id": 2'), "line 3: .*`doc_id`"),
        (lambda text: "[1]\n" + text, "line 1"),
        (lambda text: text.replace('"doc_id": 2', '"doc_id": "x"'), r"line 3: .*int.*str"),
        (lambda text: text.replace('"doc_id": 2', '"doc_id": -2'), "line 3: .*>= 0"),
        (lambda text: text.replace('["acc"]', "5", 1), r"line 1: .*array.*int"),
        (lambda text: text.replace('["acc"]', '["f1"]', 1), "line 1: .*no value of f1"),
        (lambda text: text.replace('{"q": 1}', '"q"'), r"line 2: .*object.*str"),
        (lambda text: text + text.splitlines()[1], "line 5: document 1 .*twice .*line 2"),
        (lambda text: "[" * 99_999, "line 1: is no sample"),
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


def test_import_of_samples_that_are_no_utf8_says_where(tmp_path):
    file = made_up(tmp_path, ROWS) / f"samples_t_{DATE}.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"q": 2', b'"q\xff": 2'))
    with pytest.raises(RecordError, match=r"line 3: .*utf-8"):
        read_output(tmp_path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"date": "yesterday"}, r"\$\.date"),
        ({"date": 1e30}, r"\$\.date"),
        ({"date": float("nan")}, r"\$\.date"),
        ({"n-samples": {"t": 4}}, "n-samples"),
        ({"n-samples": {"t": {"effective": -4}}}, ">= 0"),
        ({"n-samples": ["t"]}, "n-samples"),
        ({"n-samples": {}}, "no task"),
        ({"n-samples": {"a/b": {"effective": 1}}}, "'a/b'"),
        ({"configs": None}, r"\$\.configs"),
        ({"configs": {"t": []}}, r"\$\.configs"),
        ({"configs": {"t": {"repeats": "x"}}}, r"configuration of t .*\$\.repeats"),
        ({"configs": {"t": {"conditions": {}}}}, "configuration of t .*array"),
        ({"configs": {"t": {"conditions": {}, "metric_list": []}}}, "metric_list of t lacks acc"),
        ({"results": []}, r"\$\.results"),
        ({"config": None}, r"\$\.config"),
        ({"config": {"model_args": 5}}, "model_args"),
        ({"total_evaluation_time_seconds": "x"}, "total_evaluation_time_seconds"),
        ({"higher_is_better": {"t": {"acc": "yes"}}}, "higher_is_better"),
    ],
)
def test_import_of_malformed_results_is_refused(tmp_path, changes, complaint):
    with pytest.raises(RecordError, match=rf"results_{DATE}\.json(.|\n)*{complaint}"):
        read_output(made_up(tmp_path, None, **changes))


def test_import_reads_when_it_was_and_how_long_it_took(tmp_path):
    record = read_output(made_up(tmp_path, ROWS, total_evaluation_time_seconds="42.06")).record
    assert (record.created, record.seconds) == ("2027-01-15T08:00:00+00:00", 42.1)


@pytest.mark.parametrize("error", [0.0, float("nan"), "N/A", None])
def test_import_of_aggregated_numbers_without_an_error_knows_no_interval(tmp_path, error):
    results = {"acc,none": 1.0} | ({} if error is None else {"acc_stderr,none": error})
    metric = task_of(made_up(tmp_path, None, results)).metrics["acc"]
    assert (metric.value, metric.n) == (1.0, 4)
    assert metric.interval.low is None and metric.interval.high is None
    assert "standard error" in metric.interval.method


def test_import_of_an_aggregated_nan_is_no_value(tmp_path):
    results = {"acc,none": float("nan"), "acc_stderr,none": 0.1, "bypass,none": 999}
    (metric,) = task_of(made_up(tmp_path, None, results)).metrics.values()
    assert (metric.value, metric.n, metric.interval.low) == (None, 0, None)


def ours(names: list[str], **more: object) -> dict:
    """The configuration of a task of ours, as far as it is read."""
    entries = [{"metric": name} for name in names if name not in ("lift", "lift_all")]
    entries += [{"metric": name, "range": [-1, 1]} for name in ("lift", "lift_all")]
    return {"t": {"conditions": {}, "metric_list": entries, "cluster": "doc", **more}}


def test_import_of_our_aggregated_numbers_keeps_those_over_all_documents(tmp_path, caplog):
    names = ["accuracy", "committed", "lift_all", "lift", "faithfulness"]
    results = {f"{name},none": 0.75 for name in names}
    results |= {f"{name}_stderr,none": 0.25 for name in names}
    configs = ours(names, check="importance", headline="lift_all")
    metrics = task_of(made_up(tmp_path / "a", None, results, configs=configs)).metrics
    assert list(metrics) == ["accuracy", "committed", "lift_all"]
    assert "t: lift is left out" in caplog.text and "t: faithfulness is left out" in caplog.text
    assert metrics["accuracy"].bounds == (0.0, 1.0) and metrics["lift_all"].bounds == (-1.0, 1.0)
    assert metrics["accuracy"].interval.high == metrics["lift_all"].interval.high == 1.0
    assert metrics["accuracy"].interval.low == pytest.approx(0.75 - 1.959964 * 0.25)
    choice = made_up(tmp_path / "b", None, results, configs=ours(names, builtin="x"))
    assert set(task_of(choice).metrics) == {"accuracy", "committed", "lift_all", "lift"}


def test_import_clips_our_aggregated_intervals_at_the_lower_bound_too(tmp_path):
    results = {"lift,none": -0.9, "lift_stderr,none": 0.5}
    metric = task_of(made_up(tmp_path, None, results, configs=ours([]))).metrics["lift"]
    assert (metric.interval.low, metric.interval.high) == (-1.0, pytest.approx(0.079982))


def test_import_tells_equal_documents_apart_the_same_in_every_run(tmp_path, caplog):
    runs = []
    for name, docs in (("a", [0, 0, 0, 1]), ("b", [1, 0, 0, 0])):
        rows = [{**row, "doc": {"q": docs[row["doc_id"]]}} for row in ROWS]
        run = read_output(made_up(tmp_path / name, rows))
        runs.append(read_run(write_run(run, tmp_path / f"run-{name}")))
    assert "t: 2 documents repeat an earlier one" in caplog.text
    first, second = (run.scores("t") for run in runs)
    assert len(set(first.hashes)) == 4 and set(first.hashes) == set(second.hashes)
    assert len(set(first.clusters)) == 2, "equal documents are one source"
    assert compare(*runs).rows[0].n == 4


def test_import_of_a_document_with_nan_reads_it_as_null(tmp_path):
    rows = [{**row, "doc": {"q": row["doc_id"], "x": float("nan")}} for row in ROWS]
    run = read_output(made_up(tmp_path, rows))
    assert run.samples["t"][1]["doc"] == {"q": 1, "x": None} and task_of(tmp_path).documents == 4


@pytest.mark.parametrize("value", [[0, 1], "a", {"a": 1}])
def test_import_of_a_task_without_numbers_is_kept_without_metrics(tmp_path, caplog, value):
    rows = [{**row, "f1": value, "metrics": ["f1"]} for row in ROWS]
    task = task_of(made_up(tmp_path, rows, {"f1,none": 0.7, "f1_stderr,none": 0.1}))
    assert (task.metrics, task.failed, task.headline) == ({}, None, None)
    assert "t: f1 is left out: it is no mean over documents" in caplog.text


def test_import_null_in_a_task_of_ours_does_not_apply(tmp_path):
    rows = [{**row, "lift": None, "metrics": ["acc", "lift"]} for row in ROWS]
    rows[0]["lift"] = -1.0
    rows = [{**row, "filtered_resps": ['{"stages": []}']} for row in rows]
    results = {"acc,none": 0.5, "lift,none": -1.0}
    task = task_of(made_up(tmp_path, rows, results, configs=ours(["acc"], check="importance")))
    assert {name: metric.n for name, metric in task.metrics.items()} == {"acc": 4, "lift": 1}


def test_import_nulls_are_no_value_only_where_lm_eval_has_none(tmp_path, caplog):
    rows = [{**row, "odd": None, "none": None, "metrics": ["acc", "odd", "none"]} for row in ROWS]
    results = {"acc,none": 0.5, "odd,none": 0.5, "none,none": float("nan")}
    task = task_of(made_up(tmp_path, rows, results))
    assert {name: metric.value for name, metric in task.metrics.items()} == {
        "acc": 0.5,
        "none": None,
    }
    assert "t: odd is left out" in caplog.text


@pytest.mark.parametrize(("recorded", "kept"), [(0.5, True), (0.5001, False), (None, False)])
def test_import_keeps_a_metric_only_if_lm_eval_gives_the_same_mean(tmp_path, recorded, kept):
    results = {"acc,none": recorded} if recorded else {"other,none": 0.5}
    assert bool(task_of(made_up(tmp_path, ROWS, results)).metrics) == kept


def test_import_of_renamed_results_finds_the_samples_beside_them(tmp_path, caplog):
    folder = made_up(tmp_path, ROWS)
    renamed = (folder / f"results_{DATE}.json").rename(folder / "results.json")
    write_rows(folder / f"samples_t_hard_{DATE}.jsonl", [])
    assert len(read_output(renamed).samples["t"]) == 4 and caplog.text == ""
    write_rows(folder / "samples_t_2026-01-02T03-04-05.jsonl", ROWS)
    run = read_output(renamed)
    assert run.samples == {} and run.record.tasks["t"].metrics["acc"].value == 0.5
    assert "t: several samples files" in caplog.text


def test_import_says_that_a_task_has_no_samples_and_takes_none_of_another_date(tmp_path, caplog):
    folder = made_up(tmp_path, None)
    write_rows(folder / "samples_t_2020-01-02T03-04-05.678901.jsonl", ROWS)
    assert read_output(folder).samples == {}
    assert f"t: no samples file beside results_{DATE}.json" in caplog.text


def filtered(number: int, chosen: str, **more: object) -> dict:
    return sample(number, float(number % 2), filter=chosen, **more)


def test_import_of_filters_with_other_documents_is_refused(tmp_path):
    rows = [filtered(number, chosen) for chosen in "ab" for number in range(4)]
    with pytest.raises(RecordError, match="document 3 lacks the filter 'b'; copy it again"):
        read_output(made_up(tmp_path, rows[:-1]))


def test_import_a_metric_that_a_document_lacks_does_not_apply_to_it(tmp_path):
    rows = [filtered(number, chosen) for chosen in "ab" for number in range(4)]
    rows[-1] = {**rows[-1], "metrics": []}
    results = {"acc,a": 0.5, "acc,b": 1 / 3}
    metrics = task_of(made_up(tmp_path, rows, results)).metrics
    assert {name: metric.n for name, metric in metrics.items()} == {"acc,a": 4, "acc,b": 3}


ASKED = {
    "doc_to_text": "</home/a/utils.Asker object at 0x7f0a>",
    "process_docs": "def prepare(docs):\n    return docs\n",
    "metric_list": [{"metric": "acc", "ignore_case": True}],
    "fewshot_config": {"doc_to_text": "<function text at 0x7f1b>", "sampler": "default"},
    "target_delimiter": " ",
    "fewshot_delimiter": "\n\n",
    "repeats": 3,
    "generation_kwargs": {"until": ["x"]},
}


def stock_task(folder: Path, **changes: object) -> TaskRun:
    more = {key: changes.pop(key) for key in ("n-shot", "config") if key in changes}
    return task_of(made_up(folder, ROWS, configs={"t": {**ASKED, **changes}}, **more))


def test_import_of_one_task_twice_can_be_compared(tmp_path):
    moved = {
        "doc_to_text": "</mnt/b/utils.Asker object at 0x55c>",
        "fewshot_config": {"sampler": "default", "doc_to_text": "<function text at 0x9>"},
    }
    assert incomparable(stock_task(tmp_path / "a"), stock_task(tmp_path / "b", **moved)) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("doc_to_text", "</home/a/utils.Teller object at 0x7f0a>"),
        ("process_docs", "def prepare(docs):\n    return docs[1:]\n"),
        ("process_results", "def process_results(doc, results): ..."),
        ("metric_list", [{"metric": "acc"}]),
        ("fewshot_config", {"doc_to_text": "<function text at 0x7f1b>", "sampler": "first_n"}),
        ("target_delimiter", ""),
        ("fewshot_delimiter", "\n"),
        ("fewshot_split", "train"),
        ("gen_prefix", "Answer:"),
        ("filter_list", [{"name": "a", "filter": []}]),
        ("description", "Answer."),
    ],
)
def test_import_of_a_task_asked_otherwise_cannot_be_compared(tmp_path, key, value):
    base, other = stock_task(tmp_path / "a"), stock_task(tmp_path / "b", **{key: value})
    (fault,) = incomparable(base, other)
    assert fault.startswith("other definition")


def test_import_of_a_stock_task_tells_what_its_scores_depend_on(tmp_path):
    told = stock_task(tmp_path / "a").conditions
    assert told.pop("definition") and told == {
        "generation": {"until": ["x"]},
        "num_fewshot": 0,
        "repeats": 3,
    }
    shots = {"n-shot": {"t": 5}, "config": {"model": "hf", "fewshot_seed": 7}}
    told = stock_task(tmp_path / "b", **shots).conditions
    assert (told["num_fewshot"], told["fewshot_seed"]) == (5, 7)


def test_import_without_a_configuration_does_not_know_what_was_asked(tmp_path):
    told = task_of(made_up(tmp_path, ROWS, configs={})).conditions
    assert told == {"definition": None, "generation": None, "num_fewshot": 0, "repeats": None}


@pytest.mark.parametrize(
    "answer",
    ["no JSON", "{}", '{"stages": 5}', '{"stages": [{"tokens_in": "x"}, {"tokens_in": 1}]}'],
)
def test_import_of_answers_that_none_of_our_tasks_gives_is_refused(tmp_path, answer):
    rows = [{**row, "filtered_resps": [answer]} for row in ROWS]
    with pytest.raises(RecordError, match=f"samples_t_{DATE}.*again"):
        read_output(made_up(tmp_path, rows, configs=ours(["acc"], check="importance")))
