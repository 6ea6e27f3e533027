"""Tasks on their data: clusters, options, rows that are refused."""

from __future__ import annotations

import json

import pytest
import yaml

from harness.checks import CHECKS
from harness.data import tasks_path
from harness.errors import DataError, MissingDataError
from harness.evaluate import Plan, run
from harness.selection import build_manager

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


def test_task_without_data_is_left_out_on_request(tmp_path, monkeypatch, no_hub):
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    names = ("selfcheck_importance_mctest", "sample_importance_choice")
    with pytest.raises(MissingDataError, match=r"sagnikrayc/mctest \[mc500\] test"):
        run(Plan("planted", names))
    assert list(run(Plan("planted", names, skip_unavailable=True)).tasks) == [names[1]]
