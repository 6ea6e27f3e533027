"""Recipes from data to board, on tiny random models."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from finetune import ec_sft, finetuning, grath, stages
from finetune.beside import BASE
from finetune.finetuning import finetune
from finetune.reading.recipe_file import read_recipe
from finetune.split import Guarded
from harness.commands import main
from harness.data import DataRef, load_split
from harness.errors import ConfigError, DataError, ModelError, TrainingError
from harness.run_files import read_run
from tests import doubles  # noqa: F401  (registers the scripted models)
from tests.tiny import save_tiny_gpt2

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is dep:FutureWarning",
)
GRATH: dict[str, Any] = {
    "method": "grath",
    "seed": 5,
    "model": {"dtype": "float32", "chat_template": False, "adapter": {"r": 4, "alpha": 8}},
    "data": {"questions": "selfcheck-sample/rationales", "subset": 12, "rounds": 2},
    "trainer": {
        "learning_rate": 0.01,
        "per_device_train_batch_size": 4,
        "num_train_epochs": 1,
        "use_cpu": True,
    },
    "score": {"tasks": ["sample_truthfulness_mc1"], "retention": [], "subset": 6},
}
EC_SFT: dict[str, Any] = {
    **GRATH,
    "method": "ec_sft",
    "trainer": {"per_device_train_batch_size": 4, "num_train_epochs": 2, "use_cpu": True},
    "data": {
        "questions": "selfcheck-sample/yes_no",
        "kind": "yes_no",
        "explanation": "facts",
        "subset": 12,
        "follow_ups": 2,
        "dev": 0.25,
        "learning_rates": [0.001, 0.01],
    },
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_gpt2(tmp_path_factory.mktemp("base"))


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have answers written by rule, instead of by a random model; gives the names of who wrote."""
    writers: list[str] = []

    def hold(teacher: Any, dialogues: dict[str, Any]) -> dict[str, Any]:
        writers.append(teacher.label)
        number = len(writers)
        return {
            key: {"correct": f"Right {number} {key[:4]}.", "incorrect": f"Wrong {key[:4]}."}
            for key in dialogues
        }

    monkeypatch.setattr(grath, "hold", hold)
    return writers


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def hold(teacher: Any, dialogues: dict[str, Any]) -> dict[str, Any]:
        def row(key: str) -> dict[str, Any]:
            question = f"Does the number {key[:6]} follow?"
            return {"question": question, "options": [], "explanation": "It does.", "label": "yes"}

        return {key: {"rows": [row(key)], "dropped": {"unknown answer": 1}} for key in dialogues}

    monkeypatch.setattr(ec_sft, "hold", hold)


def write(folder: Path, told: dict[str, Any], base: Path, **changes: Any) -> Path:
    told = {**told, "model": {**told["model"], "name": str(base)}}
    for place, value in changes.items():
        part, key = place.split("__")
        told = {**told, part: {**told[part], key: value}}
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(told))
    return file


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(next(folder.glob("*.safetensors")))


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


def table(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(lines(file)))


def test_grath_two_rounds_end_in_a_comparison_and_cards(
    tmp_path: Path, base: Path, pairs: list[str]
) -> None:
    before = weights(base)
    out = tmp_path / "out"

    report = finetune(read_recipe(write(tmp_path, GRATH, base)), out)

    assert report is not None
    assert list(report.runs) == [BASE, "round-1", "round-2"]
    assert pairs == [f"hf: {base}", f"hf: {out / 'checkpoints' / 'round-1'}"]
    assert report.comparison is not None
    assert report.comparison.candidate.name == "round-2"
    assert [stage.facts["pairs"] for stage in report.stages] == [12, 12]
    told = (out / "checkpoints" / "round-2" / "README.md").read_text()
    assert f"base_model: {json.dumps(str(base))}" in told
    assert "| sample_truthfulness_mc1 | acc |" in told
    rows = table(out / "progress.csv")
    assert {row["checkpoint"] for row in rows} == {BASE, "round-1", "round-2"}
    assert json.loads((out / "training.json").read_text())["runs"].keys() == report.runs.keys()
    assert all(torch.equal(before[name], value) for name, value in weights(base).items())


def test_grath_rejected_answers_stay_those_of_the_first_round(
    tmp_path: Path, base: Path, pairs: list[str]
) -> None:
    finetune(read_recipe(write(tmp_path, GRATH, base)), tmp_path / "out", scored=False)

    first, second = (
        [json.loads(line) for line in lines(tmp_path / f"out/data/round-{n}.jsonl")[1:]]
        for n in (1, 2)
    )
    assert [row["rejected"] for row in first] == [row["rejected"] for row in second]
    assert all(row["chosen"].startswith("Right 1") for row in first)
    assert all(row["chosen"].startswith("Right 2") for row in second)


def test_finetune_again_trains_and_scores_nothing(
    tmp_path: Path, base: Path, pairs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe(write(tmp_path, GRATH, base))
    first = finetune(recipe, tmp_path / "out")
    monkeypatch.setattr(stages, "train", None)
    monkeypatch.setattr("finetune.scoring.evaluate.run", None)

    second = finetune(recipe, tmp_path / "out")

    assert first is not None
    assert second is not None
    assert {name: run.id for name, run in first.runs.items()} == {
        name: run.id for name, run in second.runs.items()
    }
    assert [stage.facts for stage in first.stages] == [stage.facts for stage in second.stages]


@pytest.mark.parametrize("reference", ["pretrained", "current"])
def test_finetune_stopped_in_the_second_round_gives_the_result_of_no_stop(
    tmp_path: Path, base: Path, pairs: list[str], monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    recipe = read_recipe(write(tmp_path, GRATH, base, data__reference=reference))
    finetune(recipe, tmp_path / "whole", scored=False)
    pairs.clear()
    train = stages.train

    def stop_in_second(
        start: Any, rows: Any, dev: Any, told: Any, work: Path, *args: Any, **kw: Any
    ):
        if work.name == "round-2":
            raise KeyboardInterrupt
        return train(start, rows, dev, told, work, *args, **kw)

    monkeypatch.setattr(stages, "train", stop_in_second)
    with pytest.raises(KeyboardInterrupt):
        finetune(recipe, tmp_path / "parts", scored=False)
    monkeypatch.setattr(stages, "train", train)
    finetune(recipe, tmp_path / "parts", scored=False)

    whole, parts = (
        weights(tmp_path / name / "checkpoints" / "round-2") for name in ("whole", "parts")
    )
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())
    assert (tmp_path / "whole/checkpoints/round-1-merged").is_dir() == (reference == "current")


def test_start_of_each_mode_says_where_it_starts_and_what_it_is_measured_against(
    tmp_path: Path, base: Path
) -> None:
    def start(**changes: Any) -> Any:
        recipe = read_recipe(write(tmp_path, GRATH, base, **changes))
        return grath.start_of(recipe, tmp_path / "round-1")

    continued = start(data__reference="pretrained")
    assert (continued.model, continued.adapter) == (str(base), tmp_path / "round-1")
    assert continued.reference == str(base)
    whole = start(data__reference="pretrained", model__adapter=None)
    assert (whole.model, whole.adapter) == (str(tmp_path / "round-1"), None)
    assert whole.reference == str(base)
    moved = start(data__reference="current", model__adapter=None)
    assert (moved.model, moved.reference) == (str(tmp_path / "round-1"), None)


def test_ec_sft_takes_the_learning_rate_of_the_lowest_dev_loss(
    tmp_path: Path, base: Path, answers: None
) -> None:
    report = finetune(read_recipe(write(tmp_path, EC_SFT, base)), tmp_path / "out", scored=False)

    assert report is not None
    (stage,) = report.stages
    losses = {rate: stage.facts[f"dev loss at {rate:g}"] for rate in (0.001, 0.01)}
    assert stage.facts["learning rate"] == min(losses, key=lambda rate: losses[rate])
    assert stage.facts["rows"] == 18  # 9 of 12 questions, each with one that follows it up
    assert stage.facts["dev rows"] == 6
    assert stage.facts["dropped: unknown answer"] == 12
    header = json.loads(lines(tmp_path / "out/data/rows.jsonl")[0])
    assert header["dropped"] == {"unknown answer": 12}


def test_ec_sft_follow_ups_that_are_scored_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    scored = load_split(DataRef("selfcheck-sample/yes_no", "test"))
    documents = stages.Documents(scored, Guarded([], [], []), [scored])
    question = scored.docs[0]["question"].upper()
    row = {"question": question, "options": [], "explanation": "It is not.", "label": "no"}
    other = {**row, "question": "Is graphite soft?"}
    reads = {"a": {"rows": [row, other], "dropped": {}}}

    found = ec_sft.leave_out_leaks(reads, documents)

    assert reads["a"]["rows"] == [other]
    assert found == [question]
    assert "same text of selfcheck-sample/yes_no test" in caplog.text


def test_finetune_run_of_other_weights_is_not_taken_for_a_checkpoints(
    tmp_path: Path, base: Path, pairs: list[str]
) -> None:
    recipe = read_recipe(write(tmp_path, GRATH, base))
    finetune(recipe, tmp_path / "out")
    shutil.rmtree(tmp_path / "out/checkpoints/round-2")
    shutil.copytree(tmp_path / "out/checkpoints/round-1", tmp_path / "out/checkpoints/round-2")

    with pytest.raises(TrainingError, match="round-2: is a run of other weights"):
        finetune(recipe, tmp_path / "out")


def test_finetune_run_with_a_failed_task_is_made_again(
    tmp_path: Path, base: Path, pairs: list[str]
) -> None:
    recipe = read_recipe(write(tmp_path, GRATH, base))
    first = finetune(recipe, tmp_path / "out")
    record = tmp_path / "out/runs/round-1/run.json"
    told = json.loads(record.read_text())
    told["tasks"]["sample_truthfulness_mc1"] |= {"failed": "the server was down", "metrics": {}}
    record.write_text(json.dumps(told))

    second = finetune(recipe, tmp_path / "out")

    assert first is not None
    assert second is not None
    assert not second.failed
    assert second.runs["round-2"].id == first.runs["round-2"].id


def test_finetune_rows_that_a_model_was_trained_on_are_not_made_anew(
    tmp_path: Path, base: Path, pairs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = read_recipe(write(tmp_path, GRATH, base))
    finetune(recipe, tmp_path / "out", scored=False)
    rows = tmp_path / "out/data/round-1.jsonl"
    before = rows.read_text()
    prompts = grath.pair_prompts()
    monkeypatch.setattr(grath, "pair_prompts", lambda: replace(prompts, digest="other words"))

    with pytest.raises(TrainingError, match="a model was trained on these rows"):
        finetune(recipe, tmp_path / "out", scored=False)
    assert rows.read_text() == before


def test_finetune_every_checkpoint_has_a_card_that_names_its_own_base(
    tmp_path: Path, base: Path, pairs: list[str]
) -> None:
    file = write(tmp_path, GRATH, base, data__reference="current", model__merge=True)

    finetune(read_recipe(file), tmp_path / "out", scored=False)

    heads = {
        folder.name: lines(folder / "README.md")[1]
        for folder in (tmp_path / "out/checkpoints").iterdir()
    }
    merged = tmp_path / "out/checkpoints/round-1-merged"
    assert heads == {
        "round-1": f'base_model: "{base}"',
        "round-1-merged": f'base_model: "{base}"',
        "round-2": f'base_model: "{merged}"',
        "round-2-merged": f'base_model: "{base}"',
    }


def test_finetune_score_options_without_effect_are_refused(tmp_path: Path, base: Path) -> None:
    file = write(tmp_path, GRATH, base, score__follow_up_count=3)

    with pytest.raises(ConfigError, match=r"score\.follow_up_count: without effect"):
        finetune(read_recipe(file), tmp_path / "out")


def test_finetune_folder_of_another_recipe_is_refused_with_what_differs(
    tmp_path: Path, base: Path, pairs: list[str]
) -> None:
    finetune(read_recipe(write(tmp_path, GRATH, base)), tmp_path / "out", scored=False)

    other = read_recipe(write(tmp_path, GRATH, base, data__rounds=3))
    with pytest.raises(ConfigError, match=r"another recipe.*\n  data.rounds: 2 there, 3 here"):
        finetune(other, tmp_path / "out")


def test_finetune_folder_of_something_else_is_refused(tmp_path: Path, base: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")

    with pytest.raises(ConfigError, match="holds something else"):
        finetune(read_recipe(write(tmp_path, GRATH, base)), tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_finetune_teacher_that_refuses_everything_is_told_with_counts(
    tmp_path: Path, base: Path
) -> None:
    teacher = {
        "model": "scripted-simulator",
        "args": {"says": "I'm sorry, I can't help with that."},
    }
    file = write(tmp_path, {**GRATH, "teacher": teacher}, base)

    with pytest.raises(ModelError, match=r"0 pairs of answers .* dropped: 12 refused"):
        finetune(read_recipe(file), tmp_path / "out")
    assert not list((tmp_path / "out" / "checkpoints").iterdir())


def test_finetune_too_little_data_is_told_before_a_model_is_loaded(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetuning, "load_tokenizer", None)

    with pytest.raises(DataError, match=r"5 of 5 documents .* at least 8"):
        finetune(read_recipe(write(tmp_path, GRATH, base, data__subset=5)), tmp_path / "out")


def test_finetune_documents_that_are_scored_are_no_training_data(
    tmp_path: Path, base: Path
) -> None:
    told = {**GRATH, "score": {"tasks": ["retention_generation"], "retention": [], "subset": 6}}
    file = write(tmp_path, told, base, data__questions="selfcheck-sample/science")

    with pytest.raises(DataError, match="0 of 12 documents may be trained on"):
        finetune(read_recipe(file), tmp_path / "out")


def test_finetune_full_disk_is_told_and_what_is_there_is_kept(
    tmp_path: Path, base: Path, pairs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(finetuning, "write_report", full)
    with pytest.raises(TrainingError, match=r"No space left on device.* kept"):
        finetune(read_recipe(write(tmp_path, GRATH, base)), tmp_path / "out")
    assert read_run(tmp_path / "out" / "runs" / "round-2").tasks


def test_command_finetune_makes_a_board_of_base_and_checkpoints(
    tmp_path: Path, base: Path, pairs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, GRATH, base)

    status = main(["finetune", str(file), "--output", str(tmp_path / "out"), "--set", "seed=6"])

    assert status == 0
    told = capsys.readouterr().out
    assert "reward margin" in told
    assert "sample_truthfulness_mc1" in told
    long = table(tmp_path / "out/board/long.csv")
    assert {row["model"] for row in long} == {BASE, "round-1", "round-2"}
    assert read_recipe(tmp_path / "out" / "recipe.yaml").seed == 6


def test_command_finetune_dry_run_says_the_plan_and_writes_nothing(
    tmp_path: Path, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, GRATH, base)

    assert main(["finetune", str(file), "--output", str(tmp_path / "out"), "--dry-run"]) == 0

    told = capsys.readouterr().out
    assert "12 documents (0 left out" in told
    assert "at most 12 rows and 3 steps, 2 times" in told
    assert "sample_truthfulness_mc1: 6 documents" in told
    assert not (tmp_path / "out").exists()
