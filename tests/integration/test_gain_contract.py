"""A gain under plain lm-eval, through whole runs of ours, and imported: always the same number."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from harness.base_task import SelfcheckTask
from harness.data import tasks_path
from harness.dialogue_task import DialogueTask
from harness.errors import ConfigError
from harness.imported import read_output
from harness.measure import measured_documents
from harness.metrics import ClusteredValue, GainValue, applicable_gain, gain_error
from harness.parts import aggregate_metrics
from harness.questions import Outcome, Question
from harness.run_files import read_run, write_run
from harness.runs import TaskRun
from harness.stats import clustered_error, gain_interval, gain_values, normalised_gain
from tests.doubles import FunctionLM
from tests.records import make_run, samples, task_run

OF = ["consistency", "blind"]
GAIN = {
    "metric": "gain",
    "aggregation": "normalised_gain",
    "of": OF,
    "higher_is_better": True,
    "range": None,
}
PLAIN = [
    {"metric": name, "aggregation": "applicable_mean", "higher_is_better": True} for name in OF
]
CONFIG = {
    "task": "agreement",
    "dataset_path": "selfcheck-sample/sentiment",
    "test_split": "test",
    "cluster": "doc",
    "chance": {"consistency": None, "blind": None, "gain": 0},
    "metric_list": [*PLAIN, GAIN],
    "headline": "gain",
    "metadata": {"version": 1.0, "source": "a test"},
}
LIMIT = 30


class Agreement(DialogueTask):
    """The model says three numbers: tenths of both parts, and whether blind applies."""

    def start(self, doc):
        told = yield Question("ask", self.doc_to_text(doc))
        after, before, applies = map(int, told.split())
        blind = before / 10 if applies else None
        return Outcome({"consistency": after / 10, "blind": blind})

    def doc_to_text(self, doc):
        return str(doc["text"])

    def doc_to_target(self, doc):
        return ""

    def problem(self, doc):
        return None


def answer(prompt: str, blind: int = 6) -> str:
    rng = np.random.default_rng(len(prompt))
    return f"{rng.integers(5, 11)} {rng.integers(0, blind)} {int(rng.random() < 0.8)}"


def evaluate(lm=None, **options):
    return simple_evaluate(
        model=lm or FunctionLM(answer),
        tasks=[Agreement(CONFIG)],
        task_manager=TaskManager(include_path=tasks_path(), include_defaults=False),
        limit=LIMIT,
        **options,
    )


@pytest.fixture(scope="module")
def results():
    return evaluate()


def parts(results):
    """After, before and cluster of the documents that have both, from the answers alone."""
    told = []
    for sample in results["samples"]["agreement"]:
        stages = json.loads(sample["filtered_resps"][0])["stages"]
        after, before, applies = map(int, stages[0]["answer"].split())
        if applies:
            told.append((after / 10, before / 10, sample["doc_id"]))
    assert 15 < len(told) < LIMIT
    return zip(*told, strict=True)


def test_lm_eval_table_holds_gain_and_error_of_totals(results):
    after, before, places = parts(results)
    told = results["results"]["agreement"]
    won = sum(after) - sum(before)
    assert told["gain,none"] == pytest.approx(won / (len(after) - sum(before)))
    values = gain_values(after, before)
    assert told["gain_stderr,none"] == pytest.approx(clustered_error(values, places))
    # with one document a cluster: the usual error of a mean
    assert told["gain_stderr,none"] == pytest.approx(np.std(values, ddof=1) / math.sqrt(len(after)))
    assert results["higher_is_better"]["agreement"]["gain"] is True


def test_lm_eval_samples_hold_a_number_per_document_or_nothing(results):
    for sample in results["samples"]["agreement"]:
        if sample["blind"] is None:
            assert sample["gain"] is None and sample["consistency"] is not None
        else:
            assert sample["gain"] == sample["consistency"] - sample["blind"]
        assert set(sample["metrics"]) == {"consistency", "blind", "gain"}
        json.dumps(sample["gain"])


def test_lm_eval_gain_that_is_empty_is_nan_with_an_unknown_error():
    told = evaluate(FunctionLM(lambda prompt: "10 10 1"))["results"]["agreement"]
    assert math.isnan(told["gain,none"]) and told["blind,none"] == 1.0
    assert not isinstance(told["gain_stderr,none"], float) or math.isnan(told["gain_stderr,none"])
    nowhere = evaluate(FunctionLM(lambda prompt: "10 10 0"))["results"]["agreement"]
    assert math.isnan(nowhere["gain,none"])


def test_lm_eval_predict_only_computes_no_gain():
    told = evaluate(predict_only=True)["results"]["agreement"]
    assert told["bypass,none"] == 999 and "gain,none" not in told


def documents_of(results):
    return measured_documents(
        Agreement(CONFIG), results["samples"]["agreement"], FunctionLM(answer)
    )


def test_record_of_a_run_holds_the_gain_with_its_interval(results):
    documents = documents_of(results)
    metrics = aggregate_metrics(Agreement(CONFIG).file, [one.scored for one in documents])
    after, before, places = parts(results)
    gain = metrics["gain"]
    assert gain.value == normalised_gain(after, before)
    assert gain.interval == gain_interval(after, before, places)
    assert gain.interval.method == "cluster bootstrap"
    assert (gain.n, gain.of, gain.chance) == (len(after), tuple(OF), 0)
    assert list(metrics) == [*OF, "gain"] and metrics["blind"].of is None
    assert set(documents[0].sample["metrics"]) == set(OF)


def imported(folder: Path, results) -> TaskRun:
    """What plain lm-eval would leave on disk, made a run of ours, written and read."""
    tracker = EvaluationTracker(output_path=str(folder / "out"))
    told = {key: value for key, value in results.items() if key != "samples"}
    tracker.save_results_aggregated(told, results.get("samples"))
    for name, rows in results.get("samples", {}).items():
        tracker.save_results_samples(name, rows)
    stored = read_run(write_run(read_output(folder / "out"), folder / "run"))
    if stored.has_samples("agreement"):
        assert stored.scores("agreement").metrics == stored.tasks["agreement"].metrics
    return stored.tasks["agreement"]


def test_imported_gain_is_computed_again_from_its_parts(tmp_path, results):
    told = imported(tmp_path, results)
    scored = [one.scored for one in documents_of(results)]
    assert told.metrics == aggregate_metrics(Agreement(CONFIG).file, scored)
    assert told.headline == "gain" and told.metrics["gain"].of == tuple(OF)


def changed(results, **numbers):
    told = {**results["results"]["agreement"], **numbers}
    return {**results, "results": {"agreement": told}}


@pytest.mark.parametrize("name", ["gain,none", "blind,none"])
def test_imported_gain_that_is_not_lm_evals_number_is_left_out(tmp_path, caplog, results, name):
    told = imported(tmp_path, changed(results, **{name: 0.123}))
    assert "gain" not in told.metrics and "consistency" in told.metrics
    assert "agreement: gain is left out: it is not the gain of its parts" in caplog.text


def test_imported_gain_that_is_empty_has_its_reason(tmp_path):
    told = imported(tmp_path, evaluate(FunctionLM(lambda prompt: "10 10 1")))
    gain = told.metrics["gain"]
    assert (gain.value, gain.n) == (None, LIMIT)
    assert gain.interval.method == "the part to be exceeded is 0.99 or more"


def test_imported_gain_without_samples_is_left_out_as_its_number_of_documents_is_unknown(
    tmp_path, caplog, results
):
    told = imported(tmp_path, {key: value for key, value in results.items() if key != "samples"})
    assert told.metrics == {} and "agreement: gain is left out" in caplog.text


def test_gain_value_survives_pickling_between_ranks():
    value = pickle.loads(pickle.dumps(GainValue(0.75, 0.5, "story 1")))
    assert (value, value.after, value.before, value.cluster) == (0.25, 0.75, 0.5, "story 1")


def test_gain_value_needs_both_parts():
    one = ClusteredValue(0.5, "a")
    assert GainValue.over(one, None) is None and GainValue.over(None, one) is None
    assert GainValue.over(one, ClusteredValue(0.25, "a")) == 0.25


def test_applicable_gain_and_error_skip_documents_without_both_parts():
    values = [GainValue(1, 0.5, "a"), None, GainValue(0.5, 0.5, "b"), GainValue(0.75, 0, "b")]
    # won 0.5 + 0 + 0.75 of 0.5 + 0.5 + 1; linear: 1, 0, 0.875 (as in test_stats_gain.py, room 2/3)
    assert applicable_gain(values) == 0.625
    linear = gain_values([1, 0.5, 0.75], [0.5, 0.5, 0])
    assert gain_error(values) == clustered_error(linear, "abb")
    for empty in ([], [None], [GainValue(1, 1, "a")]):
        assert math.isnan(applicable_gain(empty)) and math.isnan(gain_error(empty))


def test_task_file_tells_derived_metrics_from_plain_ones():
    file = Agreement(CONFIG).file
    assert file.metrics == ("consistency", "blind", "gain")
    assert file.plain_metrics == ("consistency", "blind")
    assert file.derived == {"gain": ("consistency", "blind")} and file.ranges["gain"] is None


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([{**GAIN, "aggregation": "mean"}], "aggregation must be 'applicable_mean' or 'norm"),
        ([{**GAIN, "of": None}], "'gain': of must name two metrics, [after, before], got None"),
        ([{**GAIN, "of": ["blind", "blind"]}], "of must name two metrics"),
        ([{**GAIN, "of": "ab"}], "of must name two metrics"),
        ([{**GAIN, "of": [["blind"], "consistency"]}], "of must name two metrics"),
        ([{**GAIN, "of": ["consistency", "blid"]}], "got 'blid'. Did you mean 'blind'?"),
        ([{**GAIN, "of": ["consistency", "gain"]}], "got 'gain'"),
        ([{**GAIN, "range": [0, 1]}], "range must be null: a gain is unbounded below"),
        ([{k: v for k, v in GAIN.items() if k != "range"}], "range must be null"),
        ([GAIN | {"ranges": None}], "Did you mean 'range'?"),
    ],
)
def test_task_file_with_a_wrong_gain_says_what_is_wrong(entries, complaint):
    with pytest.raises(ConfigError) as caught:
        Agreement({**CONFIG, "metric_list": [*PLAIN, *entries]})
    assert complaint in str(caught.value) and str(caught.value).startswith("task 'agreement': ")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"range": [-1, 1]}, "of names 'blind', whose range is not [0, 1]"),
        ({"range": None}, "of names 'blind', whose range is not [0, 1]"),
        ({"of": OF}, "metric 'blind': 'of' belongs to the aggregation 'normalised_gain'"),
    ],
)
def test_task_file_gains_are_of_plain_shares_only(change, complaint):
    with pytest.raises(ConfigError) as caught:
        Agreement({**CONFIG, "metric_list": [PLAIN[0], {**PLAIN[1], **change}, GAIN]})
    assert complaint in str(caught.value)


def test_failed_dialogues_have_no_gain():
    task = Agreement(CONFIG)
    told = SelfcheckTask.process_results(task, task.split.docs[0], ['{"metrics": null}'])
    assert told == {"consistency": None, "blind": None, "gain": None}


def test_run_shown_with_an_empty_gain_prints_the_reason(capsys):
    from harness.report import print_run

    values = {"consistency": [1.0], "blind": [None]}
    tasks = {"t": task_run(values, variant_of="t", gains={"gain": OF})}
    print_run(make_run(tasks, {"t": samples(values)}))
    assert "t: gain is empty: no document has both parts" in capsys.readouterr().out
