"""LaFFi from data to the comparison with plain finetuning, on tiny random models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
import yaml
from safetensors.torch import load_file

from finetune import annotate_command, laffi, stages
from finetune.finetuning import finetune
from finetune.reading.recipe_file import read_recipe
from finetune.writing.annotations import Annotation, write_annotations
from harness.errors import DataError
from tests import doubles  # noqa: F401  (registers the scripted models)
from tests.tiny import save_tiny_gpt2

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is dep:FutureWarning")
LAFFI: dict[str, Any] = {
    "method": "laffi",
    "seed": 5,
    "model": {"dtype": "float32", "chat_template": False, "adapter": {"r": 4, "alpha": 8}},
    "data": {
        "questions": "selfcheck-sample/extractive_qa",
        "subset": 12,
        "annotator": "templated",
    },
    "trainer": {
        "learning_rate": 0.01,
        "per_device_train_batch_size": 4,
        "num_train_epochs": 1,
        "max_length": 2048,
        "use_cpu": True,
    },
    "score": {"tasks": ["sample_qa"], "retention": [], "subset": 4},
}
SCRIPTED = {
    "model": "scripted-simulator",
    "args": {"says": "wrong\nWhy: The passage is silent on it.\nWhat would be right: unanswerable"},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_gpt2(tmp_path_factory.mktemp("base"))


def recipe(folder: Path, base: Path, **changes: Any) -> Any:
    told = {**LAFFI, "model": {**LAFFI["model"], "name": str(base)}}
    for place, value in changes.items():
        part, _, key = place.partition("__")
        told = {**told, part: {**told.get(part, {}), key: value} if key else value}
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(told))
    return read_recipe(file)


def made(out: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    head, *rows = (out / "data/laffi.jsonl").read_text().splitlines()
    return json.loads(head), [json.loads(row) for row in rows]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(next(folder.glob("*.safetensors")))


def test_laffi_is_trained_beside_plain_sft_on_the_same_documents_and_steps(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: dict[str, list[Any]] = {}
    train = stages.train

    def watch(start: Any, rows: Any, dev: Any, told: Any, work: Path, *args: Any, **kw: Any) -> Any:
        trained[work.name] = list(rows)
        return train(start, rows, dev, told, work, *args, **kw)

    monkeypatch.setattr(stages, "train", watch)
    told, out = recipe(tmp_path, base), tmp_path / "out"

    first = finetune(told, out)

    assert first is not None
    assert list(first.runs) == ["base", "sft", "laffi"]
    plain, result = first.stages
    assert (plain.name, result.name, result.baselines) == ("sft", "laffi", ("sft",))
    assert [row.origin for row in trained["sft"]] == [row.origin for row in trained["laffi"]]
    assert plain.facts["rows"] == result.facts["rows"] == len(trained["laffi"]) <= 12
    assert plain.facts["steps"] == result.facts["steps"] == -(-len(trained["laffi"]) // 4)
    asked = {row.origin: row.text for row in trained["sft"]}
    for row in trained["laffi"]:
        assert row.text.startswith(asked[row.origin].partition("\n\nAnswer with")[0])
        assert row.answer.startswith(("The answer is right. ", "The answer is wrong. "))
    head, rows = made(out)
    assert [row["answer"] for row in rows] == [row.answer for row in trained["laffi"]]
    assert result.facts["feedback: templated"] == len(rows)
    assert head["teacher"] == "none"
    pairs = [(told.against, told.arm) for told in first.comparisons]
    assert pairs == [("base", "laffi"), ("sft", "laffi")]

    monkeypatch.setattr(stages, "train", None)
    monkeypatch.setattr(laffi, "hold", None)
    monkeypatch.setattr("finetune.scoring.evaluate.run", None)
    again = finetune(told, out)

    assert again is not None
    assert [stage.facts for stage in again.stages] == [stage.facts for stage in first.stages]
    assert {name: run.id for name, run in again.runs.items()} == {
        name: run.id for name, run in first.runs.items()
    }


def test_laffi_stopped_before_the_second_training_gives_the_result_of_no_stop(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = recipe(tmp_path, base)
    finetune(told, tmp_path / "whole", scored=False)
    train = stages.train

    def stop(start: Any, rows: Any, dev: Any, told: Any, work: Path, *args: Any, **kw: Any) -> Any:
        if work.name == "laffi":
            raise KeyboardInterrupt
        return train(start, rows, dev, told, work, *args, **kw)

    monkeypatch.setattr(stages, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        finetune(told, tmp_path / "parts", scored=False)
    monkeypatch.setattr(stages, "train", train)
    finetune(told, tmp_path / "parts", scored=False)

    for name in ("sft", "laffi"):
        whole, parts = (
            weights(tmp_path / place / "checkpoints" / name) for place in ("whole", "parts")
        )
        assert all(torch.equal(value, parts[key]) for key, value in whole.items())


def test_laffi_row_that_is_too_long_in_one_training_is_left_out_of_both(
    tmp_path: Path, base: Path
) -> None:
    """A byte is a token: the rows of LaFFi are longer than those of plain finetuning."""
    finetune(recipe(tmp_path, base), tmp_path / "all", scored=False)
    _, rows = made(tmp_path / "all")
    sizes = sorted(len(f"{row['text']}\n{row['cue']} {row['answer']}".encode()) for row in rows)
    limit = (sizes[-3] + sizes[-2]) // 2 + 1  # with the end token, two are longer

    report = finetune(
        recipe(tmp_path, base, trainer__max_length=limit), tmp_path / "some", scored=False
    )

    assert report is not None
    for stage in report.stages:
        assert stage.facts["rows"] == len(rows) - 2
        assert stage.facts["dropped: longer than max_length"] == 2


def test_laffi_teacher_gives_the_feedback_and_what_it_gets_wrong_is_counted(
    tmp_path: Path, base: Path
) -> None:
    told = recipe(tmp_path, base, data__annotator="ai", data__subset=40, teacher=SCRIPTED)

    report = finetune(told, tmp_path / "out", scored=False)

    assert report is not None
    result = report.stages[-1].facts
    head, rows = made(tmp_path / "out")
    assert {row["answer"] for row in rows} == {
        "The answer is wrong. The passage is silent on it. A right answer would be: unanswerable."
    }
    assert result["feedback: ai"] == len(rows) <= 20  # half of the questions have an answer
    assert head["dropped"]["names a wrong answer as right"] >= 15
    assert head["teacher"] == "scripted-simulator"


def fill(told: Any, file: Path, **changes: Any) -> list[str]:
    """Have a person fill in what is exported; gives the documents."""
    rows = [
        Annotation(
            **{
                **msgspec.structs.asdict(row),
                "is_right": False,
                "why": "That is no word at all.",
                "right_answer": "unanswerable",
                "annotator": "maria",
                **changes,
            }
        )
        for row in annotate_command.ask_model(told)
    ]
    write_annotations(file, rows)
    return [row.id for row in rows]


def test_laffi_exported_answers_come_back_as_feedback_of_people(tmp_path: Path, base: Path) -> None:
    file = tmp_path / "people.jsonl"
    exported = fill(recipe(tmp_path, base), file)
    shares = {"data__annotations": str(file), "data__human_fraction": 0.5}

    report = finetune(recipe(tmp_path, base, **shares), tmp_path / "out", scored=False)

    assert report is not None
    facts = report.stages[-1].facts
    _, rows = made(tmp_path / "out")
    theirs = [row["origin"] for row in rows if "no word at all" in row["answer"]]
    assert facts["feedback: human"] == len(theirs) > 0
    assert facts["feedback: human"] + facts["feedback: templated"] == len(rows)
    assert set(theirs) == set(exported[: len(theirs)])  # what a share takes stands first
    assert facts["human share of the feedback"] == len(theirs) / len(rows)
    lines = (tmp_path / "out/data/feedback.jsonl").read_text().splitlines()
    given = [json.loads(line) for line in lines]
    assert [one["origin"] for one in given] == [row["origin"] for row in rows]
    assert {one["origin"] for one in given if one["annotator"] == "maria"} == set(theirs)
    assert {one["annotator"] for one in given} == {"maria", "templated"}


def test_laffi_annotated_answer_that_the_model_no_longer_gives_is_what_is_learnt(
    tmp_path: Path, base: Path
) -> None:
    file = tmp_path / "people.jsonl"
    fill(recipe(tmp_path, base), file, model_answer="a river")
    shares = {"data__annotations": str(file), "data__human_fraction": 0.5}

    report = finetune(recipe(tmp_path, base, **shares), tmp_path / "out", scored=False)

    assert report is not None
    facts = report.stages[-1].facts
    _, rows = made(tmp_path / "out")
    assert sum("Answer given: a river\n" in row["text"] for row in rows) == 6
    assert facts["annotated answers that the model gives otherwise now"] == 6


def test_laffi_share_of_people_that_is_told_is_that_of_the_rows_that_fit(
    tmp_path: Path, base: Path
) -> None:
    """People's feedback alone is too long for the training."""
    file = tmp_path / "people.jsonl"
    fill(recipe(tmp_path, base), file, why="No. " * 1000)
    shares = {"data__annotations": str(file), "data__human_fraction": 0.25}

    report = finetune(recipe(tmp_path, base, **shares), tmp_path / "out", scored=False)

    assert report is not None
    facts = report.stages[-1].facts
    assert facts["feedback: human"] == facts["dropped: longer than the model's window"] == 3
    assert facts["human share of the feedback"] == 0


def test_laffi_annotations_of_other_passages_are_told_and_nothing_is_trained(
    tmp_path: Path, base: Path
) -> None:
    file = tmp_path / "people.jsonl"
    first = fill(recipe(tmp_path, base), file, context="A river.")[0]
    shares = {"data__annotations": str(file), "data__human_fraction": 0.5}

    with pytest.raises(DataError, match=r"the passage is 'A river\.' there") as told:
        finetune(recipe(tmp_path, base, **shares), tmp_path / "out")

    assert "annotate export" in str(told.value)
    assert len(first) == 64
    assert not list((tmp_path / "out/checkpoints").iterdir())
