"""Tasks on their data: clusters, options, rows that are refused."""

from __future__ import annotations

import json

import pytest
import yaml

from harness.checks import CHECKS
from harness.data import tasks_path
from harness.errors import DataError, MissingDataError
from harness.evaluate import run
from harness.plan import Plan
from harness.selection import build_manager
from tests.doubles import FunctionLM

STORIES = [("The dog ran to the barn.\\newline Then it rained.", "barn"), ("A hen sat.", "shed")]


def mctest_rows():
    return [
        {
            "idx": {"story": story, "question": number},
            "question": f"Question {number}?",
            "story": text,
            "properties": {},
            "answer_options": {"A": "barn", "B": "shed", "C": "boat", "D": "car"},
            "answer": "AB"[answer == "shed"],
            "question_is_multiple": False,
        }
        for story, (text, answer) in enumerate(STORIES)
        for number in range(3)
    ]


@pytest.mark.parametrize("check", CHECKS)
def test_mctest_in_its_hub_schema_is_scored_by_story(check, tmp_path, monkeypatch):
    file = tmp_path / "sagnikrayc__mctest" / "mc500" / "test.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(map(json.dumps, mctest_rows())), encoding="utf-8")
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    task = f"selfcheck_{check}_mctest"
    done = run(Plan("planted", (task,)))
    assert done.tasks[task].metrics["accuracy"].value == 0.5  # the second story names no option
    assert {sample["cluster"] for sample in done.samples[task]} == {text for text, _ in STORIES}


@pytest.mark.parametrize(
    ("name", "documents", "clusters"),
    [
        ("selfcheck_importance_imdb", 298, 298),
        ("selfcheck_importance_sst2", 872, 872),
        ("selfcheck_importance_rte", 277, 274),
        ("selfcheck_importance_babi", 500, 100),
        ("selfcheck_importance_boolq", 1000, 951),
        ("retention_arc_challenge", 1172, 1172),
    ],
)
def test_real_data_clusters_are_the_sources_that_documents_share(
    real_data, name, documents, clusters
):
    task = build_manager().load([name])["tasks"][name]
    task.load()
    assert len(task.split.docs) == documents
    assert len({task.cluster(doc) for doc in task.split.docs}) == clusters


@pytest.mark.parametrize(
    ("cluster", "complaint"),
    [
        ("story", "cluster: no column 'story'; there are: answer, passage, question"),
        ("{{ story }}", "'story' is undefined"),
        ("{{ passage[:0] }}", "is empty"),
    ],
)
def test_cluster_that_a_document_lacks_is_named_with_file_and_line(
    cluster, complaint, tmp_path, monkeypatch
):
    file = tmp_path / "o__n" / "test.jsonl"
    file.parent.mkdir()
    file.write_text(json.dumps({"passage": "A.", "question": "B?", "answer": True}))
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    shipped = {"include": str(tasks_path() / "yes_no" / "sample_importance_yes_no.yaml")}
    changed = {"task": "mine", "dataset_path": "o/n", "dataset_revision": "main"}
    told = yaml.safe_dump({**shipped, **changed, "cluster": cluster})
    (tmp_path / "mine.yaml").write_text(told, encoding="utf-8")
    with pytest.raises(DataError, match=r"test\.jsonl:1: ") as caught:
        run(Plan("no such model is asked for", ("mine",), include_path=(tmp_path,)))
    assert complaint in str(caught.value)


def commonsense(question, texts, key):
    labels = list("ABCDE")
    return {
        "id": question,
        "question": question,
        "question_concept": "-",
        "choices": {"label": labels, "text": texts},
        "answerKey": key,
    }


@pytest.mark.parametrize("kind", ["consistency", "reasoning"])
@pytest.mark.parametrize(("letter", "accuracy"), [("B", 1), ("D", 1), ("A", 0.5), ("C", 0)])
def test_commonsenseqa_row_with_the_right_option_twice_takes_both_letters(
    kind, letter, accuracy, tmp_path, monkeypatch
):
    rows = [
        commonsense("Where do clerks sit?", ["sea", "office", "barn", "Office ", "attic"], "D"),
        commonsense("Where do fish swim?", ["sea", "sea", "barn", "sea", "attic"], "A"),
    ]
    file = tmp_path / "tau__commonsense_qa" / "validation.jsonl"
    file.parent.mkdir()
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    task = f"selfcheck_{kind}_commonsenseqa"
    lm = FunctionLM(lambda prompt: f"It is known. So the answer is {letter}.")
    told = run(Plan(lm, (task,))).tasks[task].metrics
    assert told["accuracy"].value == accuracy


def test_commonsenseqa_of_the_hub_is_taken_whole(real_data):
    for kind in ("consistency", "reasoning"):
        name = f"selfcheck_{kind}_commonsenseqa"
        task = build_manager().load([name])["tasks"][name]
        task.load()
        right = [task.questions.right(doc) for doc in task.split.docs]
        assert len(right) == 1221 and sum(len(labels) == 2 for labels in right) == 6


def test_task_without_data_is_left_out_on_request(tmp_path, monkeypatch, no_hub):
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    names = ("selfcheck_importance_mctest", "sample_importance_choice")
    with pytest.raises(MissingDataError, match=r"sagnikrayc/mctest \[mc500\] test"):
        run(Plan("planted", names))
    assert list(run(Plan("planted", names, skip_unavailable=True)).tasks) == [names[1]]


ODD_TEXTS = [
    "Yes.",
    "Barn door",
    "Ann sat down.",
    "Ann sat by Bo.",
    "🎉🎉",
    "...",
    "安在谷仓里坐了很久。",
    "جلست آن في الحظيرة طويلا",
    "<p>Ann &amp; Bo <b>sat</b></p><br />",
    "The [REDACTED] sat in the [redacted] barn.",
    "One paragraph about a barn.\n\nNote: another one, about a shed.",
    "Slot {{ text }} {% if x %} of a template",
    "SLOTtextTOLS and \\1 and \x1b[2J",
]
ODD_OPTIONS = [
    ["barn", "shed"],
    ["a", "b", "c", "d", "e"],
    [f"option {n}" for n in range(26)],
    ["barn", "the barn", "the barn door"],
    ["red", "Red", "blue"],
    ["谷仓", "厨房"],
    ["الحظيرة", "المطبخ"],
    ["<b>barn</b>", "unknown"],
]


def odd_rows(domain):
    if domain == "choice":
        return [
            {
                "story": text,
                "question": "Where?",
                "answer_options": dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", options, strict=False)),
                "answer": "C" if options[0] == "red" else "A",
            }
            for text in ODD_TEXTS
            for options in ODD_OPTIONS
        ]
    if domain == "entailment":
        return [{"sentence1": text, "sentence2": text[::-1], "label": 0} for text in ODD_TEXTS]
    return [{"passage": text, "question": text[:9], "answer": True} for text in ODD_TEXTS]


ODD = {
    "choice": ("sagnikrayc__mctest/mc500/test", "mctest"),
    "entailment": ("nyu-mll__glue/rte/validation", "rte"),
    "yes_no": ("google__boolq/validation", "boolq"),
}


@pytest.mark.parametrize("domain", ODD)
@pytest.mark.parametrize("behaviour", ["honest", "always_same"])
def test_odd_documents_are_asked_about_and_scored(domain, behaviour, tmp_path, monkeypatch):
    place, name = ODD[domain]
    file = tmp_path / f"{place}.jsonl"
    file.parent.mkdir(parents=True)
    rows = odd_rows(domain)
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    tasks = tuple(f"selfcheck_{check}_{name}" for check in CHECKS)
    done = run(Plan("planted", tasks, {"behaviour": behaviour}))
    assert not done.failed
    for task in tasks:
        told = [sample["metrics"] for sample in done.samples[task]]
        assert len(told) == len(rows)
        assert all(metrics["lift_all"] in (-1, 0, 1) for metrics in told)
        assert all(metrics["committed"] == 1 for metrics in told) or behaviour == "honest"


def test_odd_documents_pass_through_a_model_that_echoes(tmp_path, monkeypatch):
    place, name = ODD["choice"]
    file = tmp_path / f"{place}.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(map(json.dumps, odd_rows("choice"))), encoding="utf-8")
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    tasks = tuple(f"selfcheck_{check}_{name}" for check in CHECKS)
    done = run(Plan(FunctionLM(lambda prompt: prompt), tasks))
    assert not done.failed
