"""Every task file: it parses (lm-eval would drop it silently), builds, and says what it must."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from harness.checks import CHECKS
from harness.data import tasks_path
from harness.tasks import FaithfulnessTask

FILES = sorted(path for path in tasks_path().rglob("*.yaml") if not path.name.startswith("_"))
GOLDEN = Path(__file__).parents[1] / "golden" / "prompts"
DOCS = {
    "sentiment": {
        "text": "A <b>fine</b> film, {{ 7 * 7 }} times.",
        "sentence": "A fine film.",
        "label": 1,
    },
    "entailment": {
        "sentence1": "Ann <i>sold</i> her boat, {{ 7 * 7 }} times.",
        "sentence2": "Ann owned a boat.",
        "label": 0,
    },
    "choice": {
        "passage": "Ann went to the office.\nBo went to the garden.\n",
        "story": "Ann fed the cat.\\newline She fed the dog, {{ 7 * 7 }} times.",
        "question": "Where is Ann?",
        "answer_options": {"A": "office", "B": "garden", "C": "hall", "D": "attic"},
        "answer": "office",
    },
    "yes_no": {
        "passage": "Ann <i>sold</i> her boat, {{ 7 * 7 }} times.",
        "question": "did ann own a boat",
        "answer": True,
    },
}


@cache
def manager() -> TaskManager:
    return TaskManager(include_path=tasks_path(), include_defaults=False)


@cache
def build(path: Path):
    return manager().load(path.stem)["tasks"][path.stem]


def test_task_files_are_all_in_the_index():
    assert sorted(manager().all_subtasks) == sorted(path.stem for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_task_file_builds_under_its_own_name(path):
    assert build(path).task_name == path.stem


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_task_file_names_data_with_split_and_revision_cluster_version_and_source(path):
    told = load_yaml(path, resolve_func=False)
    if not told["dataset_path"].startswith("selfcheck-sample/"):
        assert told["dataset_revision"]
    assert told["test_split"] and told["cluster"]
    assert isinstance(told["metadata"]["version"], float)
    paper = re.fullmatch(r"arXiv:\d{4}\.\d{5}", told["metadata"]["source"])
    assert paper or (told["metadata"]["source"], told["task"]) == (
        "selfcheck",
        "retention_generation",
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_task_file_every_metric_has_a_chance_level_within_its_range(path):
    file = build(path).file
    assert set(file.chance) == set(file.metrics)
    for name, chance in file.chance.items():
        if chance is not None:
            low, high = file.ranges[name]
            assert low <= chance <= high


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_task_file_tags_carry_a_hyphen_so_that_a_glob_takes_leaf_tasks_only(path):
    tags = load_yaml(path, resolve_func=False)["tag"]
    assert all("-" in tag or tag == "selfcheck" for tag in tags)
    assert ("selfcheck-sample" in tags) == path.stem.startswith("sample_")
    assert ("selfcheck-retention" in tags) == path.stem.startswith("retention_")
    assert ("selfcheck" in tags) == path.stem.startswith("selfcheck_")


def test_family_of_checks_and_data_is_whole():
    data = {"selfcheck": ("imdb", "sst2", "rte", "babi", "mctest", "boolq"), "sample": DOCS}
    wanted = {
        f"{kind}_{check}_{name}"
        for kind, names in data.items()
        for check in CHECKS
        for name in names
    }
    built = {path.stem for path in FILES if isinstance(build(path), FaithfulnessTask)}
    assert built == wanted


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if isinstance(build(path), FaithfulnessTask)],
    ids=lambda path: path.stem,
)
def test_task_file_prompts_are_the_golden_ones(path):
    """Whoever changes a prompt bumps the version, notes it in tasks/README.md, renews the file."""
    case = build(path).case(DOCS[path.parent.name])
    wanted = case.item.name(case.item.labels[0])
    asked = [case.ask("predict", case.item.text), case.ask_to_explain(wanted=wanted)]
    rendered = "".join(
        f"--- {question.stage}\n{question.text}\n{question.cue}\n" for question in asked
    )
    golden = GOLDEN / f"{path.stem}.txt"
    assert golden.is_file(), f"no {golden}; write:\n{rendered}"
    assert golden.read_text(encoding="utf-8") == rendered


def test_task_readme_names_every_task():
    readme = (Path(__file__).parents[2] / "tasks" / "README.md").read_text(encoding="utf-8")
    assert [path.stem for path in FILES if f"`{path.stem}`" not in readme] == []
