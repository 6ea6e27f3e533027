"""Lessons learnt by an encoder-decoder: the loss by hand, what it is given, what it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from finetune.checkpoints import fault
from finetune.recipe import Adapter
from finetune.training.base_model import merge
from harness.errors import ModelError, TrainingError
from harness.models import adapter_base
from tests import trainings
from tests.lessons import (
    GENTLE,
    PLAIN_SGD,
    assert_learnt_alike,
    build,
    lessons,
    logged,
    means_by_hand,
    recipe,
    run,
    save_sure_bart,
    save_sure_t5,
)
from tests.tiny import save_tiny_llama, save_tiny_t5
from tests.trainings import ADAPTER, completions, equal, weights
from tests.unit.finetune.test_lessons import all_at_once, require_two_processes_to_be_as_one
from tests.unit.finetune.test_trainer_faults import Spoil
from tests.unit.finetune.test_trainer_resume import OFTEN, StopAt, StoppedError

pytestmark = pytest.mark.slow

SAVE = {"t5": save_sure_t5, "bart": save_sure_bart}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: save(tmp_path_factory.mktemp(name)) for name, save in SAVE.items()}


@pytest.mark.parametrize(("kind", "alpha"), [("t5", 0.1), ("t5", 0.5), ("bart", 0.75)])
def test_seq2seq_loss_is_that_worked_out_by_hand_from_logits(
    kind: str, alpha: float, tiny: dict[str, Path], tmp_path: Path
):
    """Each sequence by itself, without padding, in numpy."""
    model = AutoModelForSeq2SeqLM.from_pretrained(tiny[kind])
    tokenizer = AutoTokenizer.from_pretrained(tiny[kind])
    rows, lost = lessons(5), {"answering": [], "explaining": []}
    for row in rows:
        for part, costs in lost.items():
            told = getattr(row, part)
            source = tokenizer.encode(f"{told.text}\n{told.cue}")
            target = [*tokenizer.encode(told.answer), 0]  # 0 is the end
            given = [model.config.decoder_start_token_id, *target[:-1]]
            with torch.no_grad():
                logits = model(torch.tensor([source]), decoder_input_ids=torch.tensor([given]))
            for token, values in zip(target, logits.logits[0].numpy(), strict=True):
                costs.append(np.log(np.exp(values.astype(np.float64)).sum()) - values[token])
    answers, explanations = (np.mean(costs) for costs in lost.values())
    trained = run(
        recipe(tiny[kind], seq2seq=True, alpha=alpha, **all_at_once(rows)), tmp_path, rows
    )
    by_hand = alpha * answers + (1 - alpha) * explanations
    assert logged(trained) == pytest.approx([by_hand], rel=1e-5)
    assert logged(trained, "loss_answer") == pytest.approx([answers], rel=1e-5)
    assert logged(trained, "loss_explanation") == pytest.approx([explanations], rel=1e-5)
    of_all_tokens = np.mean(lost["answering"] + lost["explaining"])
    assert abs(logged(trained)[0] - of_all_tokens) > 0.01


@pytest.mark.parametrize("explained", [True, False])
@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_seq2seq_a_step_goes_down_the_gradient_of_the_weighed_loss(
    kind: str, explained: bool, tiny: dict[str, Path], tmp_path: Path
):
    """All weights, by plain gradient descent; batches of 3 and 2 lessons make one step."""
    model = AutoModelForSeq2SeqLM.from_pretrained(tiny[kind])
    rows = lessons(5, explained=explained)
    tokenizer = AutoTokenizer.from_pretrained(tiny[kind])
    answers, explanations, _ = means_by_hand(model, tokenizer, rows)
    (0.25 * answers + 0.75 * explanations if explained else answers).backward()
    told = recipe(
        tiny[kind], seq2seq=True, alpha=0.25, adapter=None, max_steps=1,
        **{**PLAIN_SGD, "per_device_train_batch_size": 3, "gradient_accumulation_steps": 2},
    )  # fmt: skip
    after = weights(run(told, tmp_path, rows).folder)
    there = [name for name, _ in model.named_parameters() if name in after]
    assert len(there) > 20
    for name in there:
        weight = model.get_parameter(name)
        stepped = weight.detach() - 0.1 * weight.grad
        torch.testing.assert_close(after[name], stepped, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("batch", "accumulated"), [(4, 2), (2, 4)])
def test_seq2seq_accumulated_gradients_make_the_steps_of_one_batch(
    batch: int, accumulated: int, tiny: dict[str, Path], tmp_path: Path
):
    rows = lessons(12)
    whole, parts = (
        run(
            recipe(
                tiny["t5"], seq2seq=True, adapter=None, per_device_train_batch_size=size,
                gradient_accumulation_steps=count, **GENTLE,
            ),
            tmp_path / str(size),
            rows,
        )
        for size, count in ((8, 1), (batch, accumulated))
    )  # fmt: skip
    assert_learnt_alike(parts, whole, rel=1e-4, atol=1e-4)


@pytest.mark.slow
def test_seq2seq_in_two_processes_is_learnt_as_in_one(tmp_path: Path):
    model = save_sure_t5(tmp_path / "model")
    require_two_processes_to_be_as_one(model, tmp_path, seq2seq=True)


def test_seq2seq_encoder_reads_the_prompt_and_decoder_learns_the_answer_with_its_end(
    tiny: dict[str, Path], tmp_path: Path
):
    trainer = build(recipe(tiny["t5"], seq2seq=True), tmp_path)
    tokenizer = trainer.processing_class
    batch = next(iter(trainer.get_train_dataloader()))
    assert batch["explains"].tolist() == [False, False, True, True]
    known = [part for row in lessons() for part in (row.answering, row.explaining)]
    for place in range(4):
        read = batch["attention_mask"][place].bool()
        source = tokenizer.decode(batch["input_ids"][place][read])
        part = next(part for part in known if part.text == source.split("\n")[0])
        assert source == f"{part.text}\n{part.cue}"
        assert part.text.startswith("Question" if place < 2 else "Why")
        labels = batch["labels"][place]
        assert tokenizer.decode(labels[labels != -100]) == f"{part.answer}<eos>"
        assert (labels == -100).tolist() == sorted((labels == -100).tolist())  # at the end
    assert (batch["labels"] == -100).any() and not batch["attention_mask"].all()


def test_seq2seq_end_that_the_tokenizer_adds_is_not_learnt_twice(
    tiny: dict[str, Path], tmp_path: Path
):
    """As T5's own does."""
    from tokenizers.processors import TemplateProcessing

    from finetune.training.fitting import tokenize

    tokenizer = AutoTokenizer.from_pretrained(tiny["t5"])
    plain = tokenize(lessons(1)[0].answering, tokenizer, False, "seq2seq")
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 0)]
    )
    ((source, target),) = tokenize(lessons(1)[0].answering, tokenizer, False, "seq2seq")
    assert target == plain[0][1]
    assert source == [*plain[0][0], 0]


@pytest.mark.slow
@pytest.mark.parametrize("adapter", [ADAPTER, None])
def test_seq2seq_both_losses_fall(adapter: Any, tiny: dict[str, Path], tmp_path: Path):
    told = recipe(tiny["t5"], seq2seq=True, adapter=adapter, num_train_epochs=8)
    trained = run(told, tmp_path)
    for name in ("loss_answer", "loss_explanation"):
        losses = logged(trained, name)
        assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    assert (trained.rows, trained.steps, trained.epochs) == (8, 32, 8.0)


def test_seq2seq_adapter_moves_and_base_does_not(tiny: dict[str, Path], tmp_path: Path):
    trainer = build(recipe(tiny["t5"], seq2seq=True), tmp_path)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.train()
    moved = {
        name for name, value in trainer.model.named_parameters() if not value.equal(before[name])
    }
    assert moved == {name for name in before if "lora" in name}
    assert {".encoder." in name for name in moved} == {True, False}


@pytest.mark.slow
def test_seq2seq_adapter_learns_through_activation_checkpoints(
    tiny: dict[str, Path], tmp_path: Path
):
    adapter = Adapter(r=4, alpha=8)
    plain, saved = (
        run(
            recipe(tiny["t5"], seq2seq=True, adapter=adapter, activation_checkpointing=on),
            tmp_path / str(on),
        )
        for on in (False, True)
    )
    assert logged(saved) == pytest.approx(logged(plain), rel=1e-4)
    assert AutoModelForSeq2SeqLM.from_pretrained(tiny["t5"]).config.use_cache


@pytest.mark.slow
def test_seq2seq_equal_seeds_give_equal_weights_and_others_others(
    tiny: dict[str, Path], tmp_path: Path
):
    first, second, other = (
        run(recipe(tiny["t5"], seq2seq=True, seed=seed), tmp_path / str(place))
        for place, seed in enumerate([3, 3, 4])
    )
    assert equal(first.folder, second.folder)
    assert not equal(first.folder, other.folder)


@pytest.mark.slow
@pytest.mark.parametrize("adapter", [Adapter(r=4, alpha=8, dropout=0.3), None])
def test_seq2seq_stopped_gives_the_weights_of_not_stopped(adapter: Any, tmp_path: Path):
    """With T5's own dropout: the random numbers go on, too."""
    model = save_tiny_t5(tmp_path / "t5")
    told = recipe(model, seq2seq=True, adapter=adapter, gradient_accumulation_steps=2, **OFTEN)
    whole = run(told, tmp_path / "whole")
    with pytest.raises(StoppedError):
        run(told, tmp_path / "parts", callbacks=[StopAt(3)])
    parts = run(told, tmp_path / "parts")
    assert parts.resumed_from == 2 and parts.steps == whole.steps == 4
    assert equal(whole.folder, parts.folder)
    for name in ("loss", "loss_answer", "loss_explanation"):
        assert logged(parts, name) == logged(whole, name)


def test_seq2seq_nan_loss_stops_at_its_step(tiny: dict[str, Path], tmp_path: Path):
    with pytest.raises(TrainingError, match="diverged at step 4: loss is nan"):
        run(recipe(tiny["t5"], seq2seq=True), tmp_path, callbacks=[Spoil(3)])


def test_seq2seq_leaves_the_whole_model_ready_to_generate(tiny: dict[str, Path], tmp_path: Path):
    trained = run(recipe(tiny["t5"], seq2seq=True, adapter=None), tmp_path)
    assert {file.name for file in trained.folder.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip
    assert fault(trained.folder) is None
    loaded = AutoModelForSeq2SeqLM.from_pretrained(trained.folder)
    assert loaded.config.use_cache and loaded.config.decoder_start_token_id == 1
    assert loaded.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=3).shape[0] == 1


@pytest.mark.slow
def test_seq2seq_adapter_is_found_and_merged_into_its_base(tiny: dict[str, Path], tmp_path: Path):
    trained = run(recipe(tiny["t5"], seq2seq=True, num_train_epochs=6), tmp_path)
    assert adapter_base(trained.folder) == str(tiny["t5"].resolve())
    base = AutoModelForSeq2SeqLM.from_pretrained(tiny["t5"])
    merged = AutoModelForSeq2SeqLM.from_pretrained(merge(trained.folder, tmp_path / "merged"))
    asked = {"input_ids": torch.tensor([[5, 6, 7]]), "decoder_input_ids": torch.tensor([[1, 8]])}
    with torch.no_grad():
        before, after = base(**asked).logits, merged(**asked).logits
        adapted = PeftModel.from_pretrained(base, trained.folder)(**asked).logits
    torch.testing.assert_close(after, adapted, rtol=1e-4, atol=1e-4)
    assert (after - before).abs().max() > 0.1


def test_seq2seq_decoder_in_its_place_is_told(tmp_path: Path):
    model = save_tiny_llama(tmp_path / "llama")
    with pytest.raises(ModelError, match="cannot be loaded"):
        run(recipe(model, seq2seq=True), tmp_path)


def test_seq2seq_other_rows_are_refused(tiny: dict[str, Path], tmp_path: Path):
    with pytest.raises(ValueError, match="lessons only"):
        trainings.run(recipe(tiny["t5"], seq2seq=True), tmp_path, completions())
