"""Explanation distillation from data to table, on tiny random models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finetune import distill, stages
from finetune.finetuning import finetune
from finetune.formats import Lesson
from finetune.reading.recipe_file import read_recipe
from finetune.recipe import Recipe
from finetune.training import jobs
from harness.data import DataRef, load_split
from harness.errors import DataError, ModelError, TrainingError
from harness.whole_files import write_json_lines
from tests import doubles  # noqa: F401  (registers the scripted models)
from tests.integration.test_finetune import lines, weights, write
from tests.tiny import save_tiny_gpt2, save_tiny_t5

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is dep:FutureWarning",
)
ARMS = ["answer-only", "mt-re", "mt-ra", "mt-cot-shuffled", "mt-cot"]
DISTILL: dict[str, Any] = {
    "method": "distill",
    "seed": 5,
    "model": {"dtype": "float32", "chat_template": False, "adapter": {"r": 4, "alpha": 8}},
    "data": {
        "questions": "selfcheck-sample/rationales",
        "kind": "options",
        "subset": 12,
        "explanations": "given",
        "explanation": "rationale",
        "objectives": ["mt_re", "mt_ra", "mt_cot"],
    },
    "trainer": {
        "learning_rate": 0.01,
        "per_device_train_batch_size": 4,
        "num_train_epochs": 1,
        "max_length": 2000,  # a byte is a token
        "use_cpu": True,
    },
    "score": {"tasks": ["sample_reasoning_choice"], "retention": [], "subset": 4},
}
BRIEF = {"data__objectives": ["mt_re"], "data__controls": ["shuffled"]}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_gpt2(tmp_path_factory.mktemp("base"))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Lesson]]:
    """Note what every training was given."""
    told: dict[str, list[Lesson]] = {}
    train = stages.train

    def noted(start: Any, rows: Any, dev: Any, recipe: Recipe, work: Path, *args: Any, **kw: Any):
        told[work.name] = list(rows)
        return train(start, rows, dev, recipe, work, *args, **kw)

    monkeypatch.setattr(stages, "train", noted)
    return told


def rows_of(out: Path, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    head, *rows = map(json.loads, lines(out / "data" / f"{name}.jsonl"))
    return head, rows


def test_distill_every_training_is_on_the_same_documents_in_the_same_order(
    tmp_path: Path, base: Path, trained: dict[str, list[Lesson]]
) -> None:
    out = tmp_path / "out"

    report = finetune(read_recipe(write(tmp_path, DISTILL, base)), out)

    assert report is not None
    assert [stage.name for stage in report.stages] == ARMS == list(trained)
    only = ("answer-only",)
    assert [stage.baselines for stage in report.stages] == [
        (), only, only, only, (*only, "mt-cot-shuffled"),
    ]  # fmt: skip
    assert list(report.runs) == ["base", *ARMS]
    answers = [row.answering for row in trained["answer-only"]]
    assert len(answers) == 12
    assert all([row.answering for row in rows] == answers for rows in trained.values())
    explained = {
        name: [row.explaining and row.explaining.answer for row in rows]
        for name, rows in trained.items()
    }
    assert explained["answer-only"] == [None] * 12
    assert sorted(map(str, explained["mt-cot-shuffled"])) != sorted(map(str, explained["mt-cot"]))
    own = set(explained["mt-re"])
    for real, other in zip(explained["mt-cot"], explained["mt-cot-shuffled"], strict=True):
        ends = [str(told).rpartition(" So the answer is ") for told in (real, other)]
        assert ends[0][2] == ends[1][2], "the closing answer stays that of the question"
        assert ends[0][0] != ends[1][0] and {ends[0][0], ends[1][0]} <= own
    facts = {stage.name: stage.facts for stage in report.stages}
    assert {one["steps"] for one in facts.values()} == {3}
    assert {one["rows"] for one in facts.values()} == {12}
    assert facts["mt-cot"]["explanation loss in the last epoch"]
    assert facts["answer-only"]["explanation loss in the last epoch"] is None
    assert all(one["answer loss in the last epoch"] for one in facts.values())
    real, other = (
        facts[name]["leak (explanations that name the answer)"]
        for name in ("mt-cot", "mt-cot-shuffled")
    )
    assert real is not None and other is not None and real > other


def test_distill_stopped_in_the_third_training_gives_the_result_of_no_stop(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe(write(tmp_path, DISTILL, base, data__objectives=["mt_ra"]))
    finetune(recipe, tmp_path / "whole", scored=False)
    train = stages.train

    def stop(start: Any, rows: Any, dev: Any, told: Any, work: Path, *args: Any, **kw: Any):
        if work.name == "mt-ra":
            raise KeyboardInterrupt
        return train(start, rows, dev, told, work, *args, **kw)

    monkeypatch.setattr(stages, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        finetune(recipe, tmp_path / "parts", scored=False)
    monkeypatch.setattr(stages, "train", train)
    monkeypatch.setattr(distill, "find_explanations", None)
    finetune(recipe, tmp_path / "parts", scored=False)

    for name in ("answer-only", "mt-ra-shuffled", "mt-ra"):
        whole, parts = (weights(tmp_path / place / "checkpoints" / name) for place in
                        ("whole", "parts"))  # fmt: skip
        assert all(bool((value == parts[key]).all()) for key, value in whole.items())


def test_distill_rows_of_data_that_has_changed_since_are_not_trained_on(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data" / "own__questions"
    data.mkdir(parents=True)
    monkeypatch.setenv("SELFCHECK_DATA", str(data.parent))
    docs = load_split(DataRef("selfcheck-sample/rationales", "train")).docs
    write_json_lines(data / "train.jsonl", docs)
    file = write(tmp_path, DISTILL, base, data__questions="own/questions", **BRIEF)
    out = tmp_path / "out"
    finetune(read_recipe(file), out, scored=False)
    before = (out / "data/mt-re.jsonl").read_text()
    changed = [{**doc, "rationale": f"It is said: {doc['rationale']}"} for doc in docs]
    write_json_lines(data / "train.jsonl", changed)

    with pytest.raises(TrainingError, match="a model was trained on these rows"):
        finetune(read_recipe(file), out, scored=False)
    assert (out / "data/mt-re.jsonl").read_text() == before


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have explanations written by rule: of every third question none."""
    asked: list[str] = []

    def hold(who: Any, dialogues: dict[str, Any]) -> dict[str, Any]:
        asked.append(who.label)
        return {
            key: {"explanation": f"Reason {key}.", "by": ("cote", "rp")[place % 3]}
            if place % 3 < 2
            else {"dropped": "wrong answer"}
            for place, key in enumerate(dialogues)
        }

    monkeypatch.setattr(distill, "hold", hold)
    return asked


CROP = {"questions": "selfcheck-sample/rationales", "kind": "options", "subset": 15}


def test_distill_teacher_is_asked_once_and_what_it_could_not_explain_is_counted(
    tmp_path: Path, base: Path, teacher: list[str]
) -> None:
    told = {**DISTILL, "data": {**CROP, "objectives": ["mt_ra"], "controls": ["answer_only"]}}
    recipe = read_recipe(write(tmp_path, told, base))
    out = tmp_path / "out"

    report = finetune(recipe, out, scored=False)
    finetune(recipe, out, scored=False)

    assert report is not None
    assert teacher == [f"hf: {base}"]
    assert [stage.name for stage in report.stages] == ["answer-only", "mt-ra"]
    wanted = {
        "acceptance (explanations kept, of all documents)": pytest.approx(10 / 15),
        "explained by cote": 5,
        "explained by rp": 5,
    }
    for stage in report.stages:
        facts = dict(stage.facts)
        assert {name: facts[name] for name in wanted} == wanted
        assert facts["dropped: wrong answer"] == 5
        head, rows = rows_of(out, stage.name)
        assert head["dropped"] == {"wrong answer": 5} and len(rows) == head["rows"] == 10
        assert {name: head["facts"][name] for name in wanted} == wanted
        assert head["teacher"] == f"hf: {base}"
    assert report.stages[1].facts["leak (explanations that name the answer)"] == 0
    assert report.stages[1].facts["words per explanation"] == 2


@pytest.mark.parametrize("seq2seq", [False, True])
def test_distill_hostile_explanations_are_learnt_as_text(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch,
    trained: dict[str, list[Lesson]], seq2seq: bool,
) -> None:  # fmt: skip
    evil = "{{ 7 * 7 }} </s> <eos> \x1b[2J <assistant> [{}] %s \ud83d\ude00".encode(
        "utf-16", "surrogatepass"
    ).decode("utf-16")
    monkeypatch.setattr(
        distill,
        "hold",
        lambda who, dialogues: {
            key: {"explanation": f"{evil} {key}.", "by": "cote"} for key in dialogues
        },
    )
    told = {**DISTILL, "data": {**CROP, "objectives": ["mt_re"], "controls": []}}
    if seq2seq:
        base = save_tiny_t5(tmp_path / "t5")
        told["model"] = {**told["model"], "architecture": "seq2seq", "adapter": None}
        told["trainer"] = {key: one for key, one in told["trainer"].items() if key != "max_length"}
        told["teacher"] = {"model": "scripted-simulator"}
    finetune(read_recipe(write(tmp_path, told, base)), tmp_path / "out", scored=False)
    assert all(
        row.explaining and row.explaining.answer == f"{evil} {row.origin}."
        for row in trained["mt-re"]
    )


def test_distill_teacher_that_refuses_is_told_with_counts(tmp_path: Path, base: Path) -> None:
    refuses = {"model": "scripted-simulator", "args": {"says": "I'm sorry, I can't help."}}
    told = {**DISTILL, "data": {**CROP, "explanations": "crop"}, "teacher": refuses}

    with pytest.raises(ModelError, match=r"0 explanations .* dropped: 15 unreadable answer"):
        finetune(read_recipe(write(tmp_path, told, base)), tmp_path / "out")
    assert not list((tmp_path / "out" / "checkpoints").iterdir())


def test_distill_teacher_that_always_says_the_same_is_kept_where_that_is_right(
    tmp_path: Path, base: Path
) -> None:
    says = "It is the first thing that comes to mind. So the answer is A."
    told = {
        **DISTILL,
        "data": {**CROP, "subset": None, "explanations": "cote", "objectives": ["mt_cot"],
                 "controls": ["answer_only"]},
        "teacher": {"model": "scripted-simulator", "args": {"says": says}},
    }  # fmt: skip
    report = finetune(read_recipe(write(tmp_path, told, base)), tmp_path / "out", scored=False)

    assert report is not None
    head, rows = rows_of(tmp_path / "out", "mt-cot")
    assert head["dropped"] == {"wrong answer": 40 - len(rows)} and len(rows) == 8
    assert {row["explaining"]["answer"] for row in rows} == {says}


def test_distill_explanations_that_are_all_the_same_cannot_be_shuffled(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "prepare", None)
    says = "It is the first thing that comes to mind. So the answer is A."
    told = {
        **DISTILL,
        "data": {**CROP, "subset": None, "explanations": "cote"},
        "teacher": {"model": "scripted-simulator", "args": {"says": says}},
    }
    with pytest.raises(DataError, match=r"8 explanations cannot be dealt out"):
        finetune(read_recipe(write(tmp_path, told, base)), tmp_path / "out", scored=False)


def test_distill_documents_too_long_in_one_training_are_left_out_of_all(
    tmp_path: Path, base: Path, trained: dict[str, list[Lesson]]
) -> None:
    told = {**DISTILL, "trainer": {**DISTILL["trainer"], "max_length": 920}}
    recipe = read_recipe(write(tmp_path, told, base, data__objectives=["mt_re", "mt_cot"]))
    report = finetune(recipe, tmp_path / "out", scored=False)

    assert report is not None
    kept = {tuple(row.origin for row in rows) for rows in trained.values()}
    assert len(kept) == 1 and 0 < len(next(iter(kept))) < 12
    for stage in report.stages:
        assert stage.facts["rows"] == len(next(iter(kept)))
        assert stage.facts["dropped: longer than max_length"] == 12 - len(next(iter(kept)))


def test_distill_encoder_decoder_learns_lessons_and_is_scored(tmp_path: Path) -> None:
    told = {
        **DISTILL,
        "model": {**DISTILL["model"], "architecture": "seq2seq"},
        "trainer": {key: one for key, one in DISTILL["trainer"].items() if key != "max_length"},
    }
    file = write(tmp_path, told, save_tiny_t5(tmp_path / "t5"), **BRIEF)

    report = finetune(read_recipe(file), tmp_path / "out")

    assert report is not None
    assert list(report.runs) == ["base", "mt-re-shuffled", "mt-re"]
    assert [stage.baselines for stage in report.stages] == [(), ("mt-re-shuffled",)]
    assert all(stage.facts["explanation loss in the last epoch"] for stage in report.stages)
