"""What is trained on what: labels, pairs, adapter and base, seeds, losses."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

from finetune.formats import Completion, Preference
from finetune.trainer import Start, require_one_device_each
from finetune.training.fitting import TOO_LONG
from harness.errors import ConfigError, DataError, TrainingError
from tests.tiny import CHAT_TEMPLATE, save_tiny_gpt2, save_tiny_llama
from tests.trainings import (
    ADAPTER,
    build,
    completions,
    equal,
    preferences,
    recipe,
    run,
    weights,
)

pytestmark = pytest.mark.slow

ENDED = CHAT_TEMPLATE.replace(
    "{{ m['content'] }}\n", "{{ m['content'] }}{{ '<eos>' if m['role'] == 'assistant' }}\n"
)
"""A chat template that ends an answer with the end token."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"), chat=ENDED)


def _first_batch(trainer):
    return next(iter(trainer.get_train_dataloader()))


def test_train_prompt_is_masked_and_answer_with_its_end_is_learnt(tiny: Path, tmp_path: Path):
    """The tokenizer pads with the end token, which must be learnt all the same."""
    trainer = build(recipe(tiny), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    assert trainer.processing_class.pad_token == tokenizer.eos_token
    prompts = [f"Question {place}?\nAnswer:" for place in range(8)]
    batch = _first_batch(trainer)
    assert len({row.argmax().item() for row in batch["attention_mask"].flip(1)}) > 1  # some padding
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        learnt = tokenizer.decode(labels[labels != -100])
        prompt = next(text for text in prompts if tokenizer.decode(ids).startswith(text))
        assert labels[: len(prompt)].tolist() == [-100] * len(prompt)
        answer = completions()[prompts.index(prompt)].answer
        assert learnt == f" {answer}<eos>"
        assert torch.equal(ids[labels != -100], labels[labels != -100])


def test_train_chat_rows_begin_as_the_prompt_that_is_scored(tiny: Path, tmp_path: Path):
    trainer = build(recipe(tiny, chat=True), tmp_path)
    tokenizer = trainer.processing_class
    for row, told in zip(completions(), trainer.train_dataset, strict=True):
        scored = tokenizer.apply_chat_template(
            [{"role": "user", "content": row.text}], tokenize=False, add_generation_prompt=True
        )
        prompt = tokenizer.encode(scored, add_special_tokens=False)
        assert told["input_ids"][: len(prompt)] == prompt
        assert told["labels"][: len(prompt)] == [-100] * len(prompt)
        learnt = told["labels"][len(prompt) :]
        assert tokenizer.decode(learnt) == f"{row.answer}<eos>\n"
        assert tokenizer.eos_token_id in learnt


def test_train_plain_rows_begin_as_lm_eval_encodes_the_prompt(tiny: Path, tmp_path: Path):
    from lm_eval.models.huggingface import HFLM

    trainer = build(recipe(tiny), tmp_path)
    lm = HFLM(pretrained=AutoModelForCausalLM.from_pretrained(tiny), tokenizer=str(tiny))
    for row, told in zip(completions(), trainer.train_dataset, strict=True):
        prompt = lm.tok_encode(f"{row.text}\n{row.cue}")
        assert told["input_ids"][: len(prompt)] == prompt


def test_train_dpo_first_half_of_a_batch_is_the_chosen_answers(tiny: Path, tmp_path: Path):
    trainer = build(recipe(tiny, dpo=True), tmp_path)
    batch = _first_batch(trainer)
    decoded = trainer.processing_class.batch_decode(batch["input_ids"])
    for place, text in enumerate(decoded):
        row = next(row for row in preferences() if text.startswith(row.text))
        wanted = row.chosen if place < len(decoded) // 2 else row.rejected
        assert f" {wanted}<eos>" in text
        learnt = batch["input_ids"][place][batch["completion_mask"][place] == 1]
        assert trainer.processing_class.decode(learnt) == f" {wanted}<eos>"


@pytest.mark.parametrize("adapter", [ADAPTER, None])
def test_train_sft_loss_falls_on_eight_rows(adapter, tiny: Path, tmp_path: Path):
    trained = run(recipe(tiny, adapter=adapter, num_train_epochs=8), tmp_path)
    losses = [entry["loss"] for entry in trained.log if "loss" in entry]
    assert len(losses) == trained.steps == 32  # 8 epochs of 8 rows, 2 at a time
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    assert (trained.rows, trained.dropped, trained.epochs) == (8, {}, 8.0)
    assert trained.peak_memory_of == "process"
    assert trained.peak_memory and trained.seconds > 0 and trained.resumed_from is None


@pytest.mark.parametrize("adapter", [ADAPTER, None])
def test_train_dpo_margin_of_chosen_over_rejected_grows(adapter, tiny: Path, tmp_path: Path):
    trained = run(recipe(tiny, dpo=True, adapter=adapter, num_train_epochs=6), tmp_path)
    margins = [entry["rewards/margins"] for entry in trained.log if "rewards/margins" in entry]
    assert margins[0] == pytest.approx(0, abs=1e-6)  # nothing is learnt before the first step
    assert sum(margins[-4:]) / 4 > 0.3


@pytest.mark.parametrize("dpo", [False, True])
def test_train_adapter_moves_and_base_does_not(dpo: bool, tiny: Path, tmp_path: Path):
    before = weights(tiny)
    trainer = build(recipe(tiny, dpo=dpo), tmp_path)
    fresh = {
        name: value.clone() for name, value in trainer.model.named_parameters() if "lora" in name
    }
    trainer.train()
    for name, value in trainer.model.named_parameters():
        if "lora" in name:
            assert not torch.equal(value, fresh[name]), name
        else:
            plain = name.removeprefix("base_model.model.").replace(".base_layer", "")
            assert torch.equal(value, before[plain]), name


def test_train_all_weights_moves_all_of_them(tiny: Path, tmp_path: Path):
    trained = run(recipe(tiny, adapter=None), tmp_path)
    before, after = weights(tiny), weights(trained.folder)
    assert before.keys() == after.keys()
    assert not [name for name in before if torch.equal(before[name], after[name])]
    assert trained.trainable == trained.parameters == sum(w.numel() for w in before.values())


@pytest.mark.parametrize(("dpo", "adapter"), [(False, ADAPTER), (True, ADAPTER), (False, None)])
def test_train_equal_seeds_give_equal_weights_and_others_others(
    dpo: bool, adapter, tiny: Path, tmp_path: Path
):
    """All weights start equal: there it is the order of the rows alone."""
    first, second, other = (
        run(recipe(tiny, dpo=dpo, adapter=adapter, seed=seed), tmp_path / str(place))
        for place, seed in enumerate([3, 3, 4])
    )
    assert equal(first.folder, second.folder)
    assert not equal(first.folder, other.folder)


def test_train_adapter_is_gone_on_with_from_its_own_weights(tiny: Path, tmp_path: Path):
    first = run(recipe(tiny), tmp_path / "1")
    start = Start(model=str(tiny), adapter=first.folder)
    trainer = build(recipe(tiny), tmp_path / "2", start=start)
    there = weights(first.folder)
    for name, value in trainer.model.named_parameters():
        if "lora" in name:
            assert torch.equal(value, there[name.replace(".default", "")])
            assert value.requires_grad
    second = run(recipe(tiny), tmp_path / "2", start=start)
    assert not equal(first.folder, second.folder)
    assert (first.trainable, first.parameters) == (second.trainable, second.parameters)


def test_train_gpt2_whose_layers_are_transposed_is_trained_too(tmp_path: Path):
    trained = run(recipe(save_tiny_gpt2(tmp_path / "gpt2"), num_train_epochs=6), tmp_path)
    losses = [entry["loss"] for entry in trained.log if "loss" in entry]
    assert losses[-1] < losses[0]


def test_train_early_stopping_keeps_the_epoch_of_the_lowest_dev_loss(tiny: Path, tmp_path: Path):
    told = recipe(tiny, num_train_epochs=9)
    dev = [Completion("Question 0?", "Answer:", "zzzzzzzzz", "dev")]  # nothing like the rows
    trained = run(told, tmp_path, dev=dev)
    dev_losses = [entry["eval_loss"] for entry in trained.log if "eval_loss" in entry]
    best = dev_losses.index(min(dev_losses))
    assert 0 < best == len(dev_losses) - 2 < 7  # one epoch was not better, and training stopped
    assert trained.epochs == len(dev_losses)
    assert equal(trained.folder, tmp_path / "work" / f"checkpoint-{4 * (best + 1)}")


def test_train_without_dev_rows_evaluates_nothing(tiny: Path, tmp_path: Path):
    trained = run(recipe(tiny), tmp_path)
    assert not [entry for entry in trained.log if "eval_loss" in entry]


def test_train_learning_rate_is_that_of_the_caller(tiny: Path, tmp_path: Path):
    trained = run(recipe(tiny, lr_scheduler_type="constant"), tmp_path, learning_rate=1e-3)
    assert {entry["learning_rate"] for entry in trained.log if "loss" in entry} == {1e-3}


def test_train_calls_the_callbacks_of_the_caller(tiny: Path, tmp_path: Path):
    seen = []

    class Seen(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            seen.append(state.global_step)

    run(recipe(tiny, max_steps=3), tmp_path, callbacks=[Seen()])
    assert seen == [1, 2, 3]


@pytest.mark.parametrize("dpo", [False, True])
def test_train_rows_that_are_too_long_are_left_out_and_counted(
    dpo: bool, tiny: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """A question and "Answer:" are 19 tokens; answers have at most 13 with their end."""
    long = "x" * 60
    rows = [
        *(preferences(4) if dpo else completions(4)),
        Preference("Q?", "Answer:", "a", long, "d") if dpo else Completion("Q?", "A:", long, "d"),
        Preference(long, "A:", "a", "b", "d") if dpo else Completion(long, "A:", "a", "d"),
    ]
    trained = run(recipe(tiny, dpo=dpo, max_length=40), tmp_path, rows)
    assert (trained.rows, trained.dropped) == (4, {TOO_LONG: 2})
    assert "2 of 6 rows are left out: longer than max_length (40 tokens)" in caplog.text


def test_train_row_beyond_the_models_window_is_left_out(tiny: Path, tmp_path: Path):
    rows = [*completions(2), Completion("x" * 600, "A:", "b", "d")]
    trained = run(recipe(tiny), tmp_path, rows)  # max_length 1024; the model has 512 positions
    assert trained.dropped == {"longer than the model's window": 1}


def test_train_no_row_left_is_told_before_the_model_is_loaded(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("finetune.training.jobs.load_model", lambda *_: pytest.fail("was loaded"))
    with pytest.raises(DataError, match="8 longer than max_length \\(5 tokens\\)"):
        run(recipe(tiny, max_length=5), tmp_path)
    with pytest.raises(DataError, match="none was given"):
        run(recipe(tiny), tmp_path, [])


def test_train_finished_weights_are_never_written_over(tiny: Path, tmp_path: Path):
    (tmp_path / "done").mkdir()
    with pytest.raises(TrainingError, match="never written over"):
        run(recipe(tiny), tmp_path)


def test_train_memory_is_given_back(tiny: Path, tmp_path: Path):
    models = []

    class Keep(TrainerCallback):
        def on_train_begin(self, args, state, control, model=None, **_):
            models.append(weakref.ref(model))

    run(recipe(tiny, dpo=True, max_steps=2), tmp_path, callbacks=[Keep()])
    assert gc.isenabled() and len(models) == 1
    assert models[0]() is None


def test_require_one_device_each_several_gpus_and_no_launcher_names_the_command(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match=r"accelerate launch \$\(which selfcheck\) finetune"):
        require_one_device_each(recipe(tiny))
    monkeypatch.setenv("LOCAL_RANK", "0")
    require_one_device_each(recipe(tiny))
    monkeypatch.delenv("LOCAL_RANK")
    require_one_device_each(recipe(tiny, use_cpu=True))
