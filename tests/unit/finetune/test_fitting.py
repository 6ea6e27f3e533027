"""Lessons that fit into a training, and documents that fit into all trainings to be compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lm_eval.models.huggingface import HFLM

from finetune.formats import Completion, Lesson
from finetune.trainer import Start, fit_together
from finetune.training.fitting import BEYOND_LIMIT, BEYOND_WINDOW, TOO_LONG
from harness.errors import DataError
from tests import trainings
from tests.lessons import lessons, recipe, run
from tests.tiny import save_tiny_llama, save_tiny_t5
from tests.trainings import completions, preferences


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"))


def longer(rows: list[Lesson], place: int, part: str, size: int) -> list[Lesson]:
    """Make one answer or explanation long."""
    changed = list(rows)
    told = {name: getattr(rows[place], name) for name in ("answering", "explaining")}
    old = told[part]
    told[part] = Completion(old.text, old.cue, "x" * size, old.origin)
    changed[place] = Lesson(**told)
    return changed


def test_lessons_of_which_a_sequence_is_too_long_are_left_out_whole(tiny: Path, tmp_path: Path):
    rows = longer(longer(lessons(4), 1, "explaining", 100), 2, "answering", 100)
    trained = run(recipe(tiny, max_length=60), tmp_path, rows)
    assert (trained.rows, trained.dropped) == (2, {TOO_LONG: 2})


def test_fit_together_document_too_long_in_one_arm_is_left_out_of_all(
    tiny: Path, caplog: pytest.LogCaptureFixture
):
    """Documents 1 and 5 are too long in one arm each, 3 in both, counted once."""
    arms = {
        "answer-only": longer(lessons(6, explained=False), 5, "answering", 100),
        "mt-re": longer(longer(lessons(6), 1, "explaining", 600), 3, "explaining", 100),
        "mt-cot": longer(lessons(6), 3, "explaining", 100),
    }
    told = recipe(tiny, max_length=100)
    fitting, dropped = fit_together(told, Start(model=str(tiny)), arms)
    assert list(fitting) == list(arms)
    for name, rows in fitting.items():
        assert [row.origin for row in rows] == ["doc0", "doc2", "doc4"]
        assert rows == [row for row in arms[name] if row in rows]
    assert dropped == {BEYOND_WINDOW: 1, TOO_LONG: 2}
    assert "2 documents are left out of all trainings: longer than max_length" in caplog.text


def test_fit_together_keeps_what_a_training_keeps(tiny: Path, tmp_path: Path):
    rows = longer(lessons(4), 1, "explaining", 100)
    told, start = recipe(tiny, max_length=100), Start(model=str(tiny))
    fitting, _ = fit_together(told, start, {"a": rows})
    assert run(told, tmp_path, fitting["a"]).dropped == {}


def test_fit_together_takes_completions_and_preferences(tiny: Path):
    long = Completion("Question 3?", "Answer:", "x" * 100, "doc3")
    arms = {"sft": completions(4), "other": [*completions(2), long]}
    told = trainings.recipe(tiny, max_length=60)
    fitting, dropped = fit_together(told, Start(model=str(tiny)), arms)
    assert fitting == {"sft": completions(3), "other": completions(2)}
    assert dropped == {TOO_LONG: 1}
    pairs = {"one": preferences(2)}
    assert fit_together(told, Start(model=str(tiny)), pairs) == (pairs, {})


def test_fit_together_nothing_left_names_the_arm_and_why(tiny: Path):
    arms = {"a": lessons(2), "b": longer(lessons(2), 0, "answering", 100)[:1]}
    told, start = recipe(tiny, max_length=100), Start(model=str(tiny))
    with pytest.raises(DataError, match=r"b: no row is left .* 1 longer than max_length \(100 tok"):
        fit_together(told, start, arms)
    with pytest.raises(DataError, match="c: no row is left to train on: none was given"):
        fit_together(told, start, {"a": lessons(2), "c": []})


def test_fit_together_encoder_and_decoder_are_held_to_a_limit_each(tmp_path: Path):
    """What they are given together may be longer; T5 itself has no window."""
    model = save_tiny_t5(tmp_path / "t5")
    long = Completion("x" * 1000, "Because:", "y" * 1000, "doc0")
    fits = [Lesson(lessons(1)[0].answering, long)]
    told, start = recipe(model, seq2seq=True), Start(model=str(model))
    assert fit_together(told, start, {"a": fits}) == ({"a": fits}, {})
    rows = longer([*fits, *lessons(3)[1:]], 1, "explaining", 1024)  # and its end
    fitting, dropped = fit_together(told, start, {"a": rows})
    assert [row.origin for row in fitting["a"]] == ["doc0", "doc2"]
    assert dropped == {BEYOND_LIMIT: 1}


def windowed(folder: Path, file: str, **told: int) -> Path:
    """Write the window of a tiny T5 into one of its files, as published ones have it."""
    place = save_tiny_t5(folder) / file
    place.write_text(json.dumps({**json.loads(place.read_text(encoding="utf-8")), **told}))
    return folder


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("config.json", {"n_positions": 100}),
        ("config.json", {"max_position_embeddings": 100}),
        ("config.json", {"n_ctx": 100}),
        ("tokenizer_config.json", {"model_max_length": 100}),
    ],
)
def test_fit_together_window_is_the_one_that_scoring_cuts_at(tmp_path, file, told):
    model = windowed(tmp_path / "t5", file, **told)
    start = Start(model=str(model))
    assert HFLM(str(model), device="cpu", backend="seq2seq").max_length == 100
    rows = longer(longer(lessons(3), 1, "explaining", 99), 2, "explaining", 100)  # and its end
    fitting, dropped = fit_together(recipe(model, seq2seq=True), start, {"a": rows})
    assert [row.origin for row in fitting["a"]] == ["doc0", "doc1"]
    assert dropped == {BEYOND_WINDOW: 1}
