"""Multiple choice: lm-eval's numbers where they are right, and an error where they are not."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from harness import failures
from harness.data import tasks_path
from harness.scoring import best_choice, is_tied
from harness.selection import build_manager
from tests.doubles import FunctionLM
from tests.stock import stock_truthfulqa

MC = ("sample_truthfulness_mc1", "sample_truthfulness_mc2")
SAMPLE = tasks_path() / "sample" / "truthfulness" / "validation.jsonl"


def manager():
    return TaskManager(include_path=tasks_path(), include_defaults=False)


def evaluate(lm, tasks=MC, limit=12, **more):
    return simple_evaluate(model=lm, tasks=list(tasks), task_manager=manager(), limit=limit, **more)


@pytest.mark.parametrize("checkpoint", ["tiny_gpt2", "tiny_t5"])
@pytest.mark.parametrize("name", ["mc1", "mc2"])
def test_scores_equal_stock_lm_eval_document_by_document(checkpoint, name, request):
    lm = HFLM(str(request.getfixturevalue(checkpoint)), device="cpu", batch_size=4, dtype="float32")
    ours = evaluate(lm, [f"sample_truthfulness_{name}"])["samples"][f"sample_truthfulness_{name}"]
    theirs = stock_truthfulqa(lm, name, SAMPLE, 12)
    untied = [(o, t) for o, t in zip(ours, theirs, strict=True) if not o["ties"]]
    assert len(untied) >= 10
    for our, their in untied:
        assert our["doc"] == their["doc"]
        assert our["acc"] == pytest.approx(their["acc"], abs=1e-4)
        for (score, greedy), (expected, expected_greedy) in zip(
            our["filtered_resps"], their["filtered_resps"], strict=False
        ):
            assert score == pytest.approx(expected, abs=1e-4) and greedy == expected_greedy


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_non_finite_score_fails_its_task_and_names_the_document(broken):
    lm = FunctionLM(lambda prompt: "positive")
    lm.score = lambda context, choice: broken if len(choice) % 7 == 0 else -float(len(choice))
    with failures.collected() as failed:
        results = evaluate(lm, [*MC, "sample_importance_sentiment"], limit=None)["results"]
    assert set(failed) == set(MC)
    assert all("document" in told and "the model's score is" in told for told in failed.values())
    assert all(math.isnan(results[name]["acc,none"]) for name in MC)
    assert results["sample_importance_sentiment"]["committed,none"] == 1.0


def test_all_choices_tied_score_their_expected_value_not_one():
    results = evaluate(FunctionLM(), limit=None)
    samples = results["samples"][MC[0]]
    for sample in samples:
        assert sample["acc"] == pytest.approx(1 / len(sample["doc"]["mc1_targets"]["choices"]))
    assert results["results"][MC[0]]["ties,none"] == 1.0
    assert results["results"][MC[0]]["lift,none"] == 0.0


def test_mc2_very_unlikely_choices_do_not_end_in_zero_over_zero():
    lm = FunctionLM()
    lm.score = lambda context, choice: -5000.0 - len(choice)
    told = evaluate(lm, [MC[1]], limit=None)["samples"][MC[1]]
    for sample in told:
        labels, choices = (sample["doc"]["mc2_targets"][key] for key in ("labels", "choices"))
        weights = [math.exp(min(map(len, choices)) - len(choice)) for choice in choices]
        expected = sum(w for w, label in zip(weights, labels, strict=True) if label) / sum(weights)
        assert sample["acc"] == pytest.approx(expected)


def test_mc2_unsorted_labels_are_read_one_by_one(tmp_path, monkeypatch):
    rows = [
        {
            "question": f"Question {n}?",
            "mc1_targets": {"choices": ["Yes.", "No."], "labels": [1, 0]},
            "mc2_targets": {"choices": ["Aa.", "Bbb.", "Cccc."], "labels": [1, 0, 1]},
        }
        for n in range(3)
    ]
    folder = tmp_path / "truthfulqa__truthful_qa" / "multiple_choice"
    folder.mkdir(parents=True)
    (folder / "validation.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    lm = FunctionLM()
    lm.score = lambda context, choice: math.log({"A": 0.2, "B": 0.5, "C": 0.3}[choice[1]])
    told = evaluate(lm, ["selfcheck_truthfulqa_mc2"], limit=None)
    assert told["results"]["selfcheck_truthfulqa_mc2"]["acc,none"] == pytest.approx(0.5)


def test_answer_only_control_keeps_the_primer_and_empties_the_question():
    lm = FunctionLM()
    evaluate(lm, [MC[0]], limit=1)
    contexts = sorted({args[0] for batch in lm.batches for args in batch}, key=len)
    assert len(contexts) == 2
    assert contexts[0].endswith("\n\nQ: \nA:") and "What is human life expectancy" in contexts[0]


def test_equal_choices_of_two_tasks_are_scored_once():
    lm = FunctionLM()
    evaluate(lm, limit=3)
    asked = [args for batch in lm.batches for args in batch]
    assert len(asked) == len(set(asked))


def test_best_choice_shares_a_tie_and_is_tied_says_so():
    # two of three best, one of them right: expected accuracy 1/2
    assert best_choice([0.0, -1.0, 0.0], {0}) == 0.5
    assert best_choice([-2.0, -1.0, -3.0], {1}) == 1.0
    assert is_tied([0.0, 0.0]) and not is_tied([0.0, -1.0])


def test_a_task_without_shots_needs_no_split_but_the_documents():
    """Stock `arc_challenge` names three, and lm-eval looks for examples even if none is asked."""
    benchmarks = Path(__file__).parents[1] / "benchmarks" / "tasks"
    task = build_manager([benchmarks]).load(["bench_rationales"])["tasks"]["bench_rationales"]
    doc = task.split.docs[0]
    asked = task.requests(doc, ("bench_rationales", 0, 1))
    prompt = f"Question: {doc['question']}\nAnswer:"
    assert [request.args for request in asked] == [
        (prompt, f" {text}") for text in doc["choices"]["text"]
    ]
