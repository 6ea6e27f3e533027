"""Every task file: it parses (lm-eval would drop it silently), builds, and says what it must."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from harness.answer_task import AnswerTask, ExtractiveTask, ReasoningTask
from harness.checks import CHECKS
from harness.checks.inquiry import Inquiry
from harness.choices import REQUEST as CHOICES
from harness.commands.evaluating import DEMO_TASKS
from harness.consistency_task import ConsistencyTask
from harness.data import tasks_path
from harness.domains import Posed
from harness.selection import build_manager, match_names
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
            low, high = file.ranges[name] or (-math.inf, 1 if name in file.derived else math.inf)
            assert low <= chance <= high


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_task_file_tags_carry_a_hyphen_so_that_a_glob_takes_leaf_tasks_only(path):
    tags = load_yaml(path, resolve_func=False)["tag"]
    assert all("-" in tag or tag == "selfcheck" for tag in tags)
    assert ("selfcheck-sample" in tags) == path.stem.startswith("sample_")
    assert ("selfcheck-retention" in tags) == path.stem.startswith("retention_")
    assert ("selfcheck" in tags) == path.stem.startswith("selfcheck_")


def test_tag_generative_has_all_tasks_that_score_no_choices():
    wanted = {path.stem for path in FILES if build(path).OUTPUT_TYPE != CHOICES}
    assert set(match_names(["selfcheck-generative"], build_manager())) == wanted


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


CONSISTENCY = [path for path in FILES if isinstance(build(path), ConsistencyTask)]


def test_consistency_tasks_are_whole():
    data = ("strategyqa", "boolq", "openbookqa", "arc_challenge", "commonsenseqa", "medqa")
    wanted = {f"selfcheck_consistency_{name}" for name in data} | {"sample_consistency_yes_no"}
    assert {path.stem for path in CONSISTENCY} == wanted
    for path in CONSISTENCY:
        own = path.stem.startswith("selfcheck_")
        assert ("selfcheck-consistency" in load_yaml(path, resolve_func=False)["tag"]) == own


@pytest.mark.parametrize("path", CONSISTENCY, ids=lambda path: path.stem)
def test_consistency_prompts_are_the_golden_ones_of_their_kind(path):
    task = build(path)
    kind = task.file.own["kind"]
    asked, related = {
        "yes_no": (Posed("Did Ann <i>row</i> {{ 7 * 7 }} times?"), Posed("Can Ann row?")),
        "options": (Posed("Where is Ann?", ("sea", "{{ 7 }}")), Posed("Who is?", ("Ann", "Bo"))),
    }[kind]
    case = Inquiry(asked, (), [asked], task.prompts, 4, is_self=False)
    told = [
        case.ask("explain", asked),
        case.ask_to_write("She rows."),
        case.ask_to_simulate(1, related, "She rows."),
        case.ask_to_guess_shuffled(1, related, asked, "She rows."),
        case.ask_to_guess(1, related),
    ]
    rendered = "".join(f"--- {question.stage}\n{question.text}\n" for question in told)
    golden = GOLDEN / f"consistency_{kind}.txt"
    assert golden.is_file(), f"no {golden}; write:\n{rendered}"
    assert golden.read_text(encoding="utf-8") == rendered
    assert not any(question.cue for question in told)


ANSWERS = [path for path in FILES if isinstance(build(path), AnswerTask)]
ANSWERED = {
    ExtractiveTask: {
        "context": "Ann <i>rowed</i>, {{ 7 * 7 }} times.",
        "question": "Who {{ rowed }}?",
        "answers": {"text": [], "answer_start": []},
    },
    "options": {
        "question": "Where is {{ Ann }}?",
        "question_stem": "Where is {{ Ann }}?",
        "choices": {"text": ["sea", "{{ 7 }}", "hall"], "label": ["A", "B", "C"]},
        "answerKey": "B",
    },
    "yes_no": {"question": "Did Ann <i>row</i> {{ 7 * 7 }} times?", "answer": True},
}


def test_answer_tasks_are_whole():
    data = ("commonsenseqa", "strategyqa", "openbookqa")
    reasoning = {f"selfcheck_reasoning_{name}" for name in data}
    samples = {"sample_reasoning_choice", "sample_reasoning_yes_no"}
    told = {
        kind: {path.stem for path in ANSWERS if type(build(path)) is kind}
        for kind in (ExtractiveTask, ReasoningTask)
    }
    assert told[ExtractiveTask] == {"selfcheck_qa_squad_v2", "sample_qa"}
    assert told[ReasoningTask] == reasoning | samples
    for path in ANSWERS:
        tags = load_yaml(path, resolve_func=False)["tag"]
        assert ("selfcheck-qa" in tags) == (path.stem == "selfcheck_qa_squad_v2")
        assert ("selfcheck-reasoning" in tags) == (path.stem in reasoning)


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_answer_prompts_are_the_golden_ones_of_their_kind(path):
    task = build(path)
    kind = task.file.own.get("kind")
    doc = ANSWERED[kind or ExtractiveTask]
    assert task.problem(doc) is None
    asked = task.question(doc)
    rendered = f"--- {asked.stage}\n{asked.text}\n{asked.cue}\n"
    golden = GOLDEN / f"{'qa' if kind is None else f'reasoning_{kind}'}.txt"
    assert golden.is_file(), f"no {golden}; write:\n{rendered}"
    assert golden.read_text(encoding="utf-8") == rendered
    assert (asked.until, asked.max_tokens) == (("\n",), 16 if kind else 64)
    target = {None: "unanswerable", "options": "B", "yes_no": "yes"}
    assert task.doc_to_target(doc) == target[kind]


def test_demonstration_shows_every_check_and_no_plain_question():
    shown = match_names(DEMO_TASKS, manager())
    samples = {path.stem for path in FILES if path.stem.startswith("sample_")}
    assert len(shown) == 15
    assert set(shown) == samples - {path.stem for path in ANSWERS}


def test_task_readme_names_every_task():
    readme = (Path(__file__).parents[2] / "tasks" / "README.md").read_text(encoding="utf-8")
    assert [path.stem for path in FILES if f"`{path.stem}`" not in readme] == []
