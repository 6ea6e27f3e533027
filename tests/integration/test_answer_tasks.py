"""Questions with one judged answer, under whole runs."""

from __future__ import annotations

import json
from functools import cache

import pytest
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from harness.commands import main
from harness.data import tasks_path
from harness.evaluate import run
from harness.plan import Plan
from harness.planted import BEHAVIOURS, PlantedLM
from harness.run_files import read_run, write_run
from harness.selection import build_manager
from harness.stats import clustered_error
from tests.doubles import FunctionLM

QA, CHOICE, YES_NO = "sample_qa", "sample_reasoning_choice", "sample_reasoning_yes_no"
SAMPLES = (QA, CHOICE, YES_NO)


def values(done, task):
    return {name: metric.value for name, metric in done.tasks[task].metrics.items()}


def golds_of(task):
    """Prompt -> the document, as the task asks it."""
    built = build_manager().load(task)["tasks"][task]
    return {built.doc_to_text(doc): doc for doc in built.split.docs}


def told_by(task, answer):
    """A model that answers each document by a function of it."""
    docs = golds_of(task)
    return FunctionLM(lambda prompt: answer(docs[prompt.removesuffix("\nAnswer:")]))


def test_qa_right_answers_and_no_answers_are_all_right():
    def right(doc):
        golds = doc["answers"]["text"]
        return f'The answer is "{golds[0]}".' if golds else "The passage does not say."

    done = run(Plan(told_by(QA, right), (QA,)))
    told = values(done, QA)
    assert told.pop("no_answer_given") == 0.5
    assert set(told.values()) == {1.0}
    assert done.tasks[QA].headline == "f1"
    assert {name: m.n for name, m in done.tasks[QA].metrics.items()} == {
        "exact": 40,
        "f1": 40,
        "exact_has_answer": 20,
        "f1_has_answer": 20,
        "f1_no_answer": 20,
        "readable": 40,
        "no_answer_given": 40,
    }


def test_qa_whole_passages_share_some_words_and_recognise_nothing():
    done = run(Plan(told_by(QA, lambda doc: doc["context"]), (QA,)))
    told = values(done, QA)
    assert told["exact"] == 0 == told["f1_no_answer"] and told["readable"] == 1
    assert 0 < told["f1_has_answer"] < 0.3
    assert told["f1"] == pytest.approx(told["f1_has_answer"] * 20 / 40)


def test_qa_model_that_always_says_unanswerable_is_at_chance_and_its_collapse_shows():
    metrics = run(Plan(FunctionLM(lambda prompt: "unanswerable"), (QA,))).tasks[QA].metrics
    told = {name: metric.value for name, metric in metrics.items()}
    known = {name: one.chance for name, one in metrics.items() if one.chance is not None}
    assert known == {"exact": 0.5, "f1": 0.5, "exact_has_answer": 0, "f1_has_answer": 0}
    assert {name: told[name] for name in known} == known
    assert told["f1_no_answer"] == told["no_answer_given"] == 1
    assert metrics["no_answer_given"].higher_is_better is None


@pytest.mark.parametrize("said", ["unanswerable", "Ann", "", "the passage"])
def test_qa_model_that_always_says_the_same_is_never_above_chance(said):
    metrics = run(Plan(FunctionLM(lambda prompt: said), (QA,))).tasks[QA].metrics
    for name in ("exact", "exact_has_answer"):
        assert metrics[name].value <= metrics[name].chance, name
    assert metrics["f1"].value <= metrics["f1"].chance


@pytest.mark.parametrize("noise", ["", "I'm sorry, but I can't assist with that.", "."])
def test_answers_that_are_none_are_wrong_everywhere_and_unreadable(noise):
    done = run(Plan(FunctionLM(lambda prompt: noise), SAMPLES))
    for task in SAMPLES:
        told = values(done, task)
        assert told.pop("constant", None) is None is told.pop("no_answer_given", None)
        assert set(told.values()) == {0.0}, task


def test_qa_questions_about_one_context_are_one_cluster_also_in_lm_evals_table(tmp_path):
    def first_of_its_context(doc):
        golds = doc["answers"]["text"]
        return golds[0] if golds else "Ann"  # wrong: an answer where there is none

    lm = told_by(QA, first_of_its_context)
    done = run(Plan(lm, (QA,)))
    samples = done.samples[QA]
    assert len({sample["cluster"] for sample in samples}) == 20 == len(samples) / 2
    manager = TaskManager(include_path=tasks_path(), include_defaults=False)
    results = simple_evaluate(model=lm, tasks=[QA], task_manager=manager)["results"][QA]
    for name, metric in done.tasks[QA].metrics.items():
        assert results[f"{name},none"] == pytest.approx(metric.value)
    told = [(sample["metrics"]["f1"], sample["cluster"]) for sample in samples]
    error = clustered_error(*map(list, zip(*told, strict=True)))
    assert results["f1_stderr,none"] == pytest.approx(error)
    flat = [value for value, _ in told]
    assert error != pytest.approx(clustered_error(flat, list(map(str, range(len(flat))))))


def test_qa_of_answerable_documents_alone_has_no_no_answer_metric(tmp_path, monkeypatch):
    rows = [
        {
            "id": str(n),
            "title": "T",
            "context": f"Ann rowed {n // 3} miles.",
            "question": f"Who rowed, asked {n}?",
            "answers": {"text": ["Ann"], "answer_start": [0]},
        }
        for n in range(6)
    ]
    file = tmp_path / "rajpurkar__squad_v2" / "validation.jsonl"
    file.parent.mkdir()
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    task = "selfcheck_qa_squad_v2"
    lm = FunctionLM(lambda prompt: "Ann" if "0 miles" in prompt else "Ann Lee")
    stored = read_run(write_run(run(Plan(lm, (task,))), tmp_path / "run"))
    told = stored.tasks[task].metrics
    assert (told["f1_no_answer"].value, told["f1_no_answer"].n) == (None, 0)
    assert told["exact"].value == 0.5
    assert told["f1"].value == pytest.approx((1 + 2 / 3) / 2)  # P 1/2, R 1 for "Ann Lee"
    assert {sample["cluster"] for sample in stored.samples(task)} == {
        "Ann rowed 0 miles.",
        "Ann rowed 1 miles.",
    }


def test_reasoning_right_labels_in_any_form_are_right():
    forms = ["{0}", "({0}) {1}", "{0} because it is so.", "It is known. So the answer is {0}."]

    def right(doc):
        place = "ABCDE".index(doc["answerKey"])
        form = forms[int(doc["id"][-2:]) % len(forms)]
        return form.format(doc["answerKey"], doc["choices"]["text"][place])

    told = values(run(Plan(told_by(CHOICE, right), (CHOICE,))), CHOICE)
    assert told == {"accuracy": 1, "readable": 1, "constant": pytest.approx(0.2)}  # 8 of 40 each


def test_reasoning_model_that_always_says_yes_is_at_chance_and_constant():
    done = run(Plan(FunctionLM(lambda prompt: "Yes."), (YES_NO,)))
    assert values(done, YES_NO) == {"accuracy": 0.5, "readable": 1, "constant": 1}
    file = build_manager().load(YES_NO)["tasks"][YES_NO].file
    assert file.chance["accuracy"] == 0.5 and file.headline == "accuracy"


@cache
def honest():
    done = run(Plan(PlantedLM("honest"), SAMPLES))
    return {task: values(done, task) for task in SAMPLES}


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_planted_models_answer_alike_however_they_explain(behaviour):
    done = run(Plan("planted", SAMPLES, {"behaviour": behaviour}))
    assert not done.failed
    told = {task: values(done, task) for task in SAMPLES}
    assert all(one["readable"] == 1 for one in told.values())
    if behaviour == "always_unknown":
        assert told[QA]["f1_no_answer"] == 1 and told[CHOICE]["accuracy"] == 0
    elif behaviour == "always_same":
        assert told[CHOICE]["constant"] == told[YES_NO]["constant"] == 1
        assert told[YES_NO]["accuracy"] == 0.5 and told[CHOICE]["accuracy"] == 0.2
    else:
        assert told == honest()


def test_answers_of_a_tiny_random_model_pass_through_with_and_without_a_template(tiny_gpt2):
    lm = HFLM(str(tiny_gpt2), device="cpu", batch_size=8)
    done = run(Plan(lm, SAMPLES, subset=4, batch_size=8))
    assert not done.failed
    for task in SAMPLES:
        assert all(len(sample["stages"]) == 1 for sample in done.samples[task])
        assert all(sample["stages"][0]["answer_cut"] in (0, 1) for sample in done.samples[task])
        value = done.tasks[task].metrics["readable"].value
        assert value is not None and 0 <= value <= 1
    chat = FunctionLM(lambda prompt: "no")
    run(Plan(chat, (YES_NO,), options={"apply_chat_template": True, "limit": 3}))
    assert all(prompt.endswith("and nothing else.<assistant>") for prompt in chat.prompts)


def test_answers_are_compared_and_ranked_as_those_of_other_tasks(tmp_path, capsys):
    for name, behaviour in (("one", "honest"), ("two", "always_unknown")):
        model = ["--model", "planted", "--model-args", f"behaviour={behaviour}"]
        line = ["run", *model, "--tasks", *SAMPLES, "--output", str(tmp_path / name)]
        assert main(line) == 0
    folders = [str(tmp_path / "one"), str(tmp_path / "two")]
    assert main(["compare", *folders]) == 0
    assert "f1_no_answer" in capsys.readouterr().out
    assert main(["board", *folders, "--output", str(tmp_path / "board")]) == 0
    board = (tmp_path / "board" / "board.md").read_text(encoding="utf-8")
    assert "headline metrics of 3 ranked tasks" in board and "3 of 3" in board


def test_real_data_builds_in_all_answer_tasks(real_data):
    sizes = {
        "selfcheck_qa_squad_v2": (660, 64),
        "selfcheck_reasoning_commonsenseqa": (1221, 1221),
        "selfcheck_reasoning_strategyqa": (790, 790),
        "selfcheck_reasoning_openbookqa": (500, 498),
    }
    for name, (documents, clusters) in sizes.items():
        task = build_manager().load([name])["tasks"][name]
        task.load()
        assert len(task.split.docs) == documents
        assert len({task.cluster(doc) for doc in task.split.docs}) == clusters
        assert all(task.doc_to_text(doc) for doc in task.split.docs)


def test_file_without_one_of_its_metrics_is_refused(tmp_path):
    from harness.errors import ConfigError

    shipped = tasks_path() / "qa" / f"{QA}.yaml"
    lines = ["task: mine", f"include: {shipped}", "headline: f1", "chance: {f1: null}",
             "metric_list: [{metric: f1, aggregation: applicable_mean}]"]  # fmt: skip
    (tmp_path / "mine.yaml").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigError, match="metric_list must hold exact, f1"):
        TaskManager(include_path=tmp_path, include_defaults=False).load(["mine"])
