"""A training with scoring is the same training: losses and weights, bit for bit."""

from __future__ import annotations

import logging
import os
import random
from contextlib import nullcontext
from types import SimpleNamespace
from typing import NamedTuple

import datasets
import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from finetune import callback
from finetune.callback import ScoreCallback
from finetune.undisturbed import undisturbed
from harness.errors import ConfigError, MissingDataError, ModelError
from harness.run_files import read_run
from tests.tiny import save_tiny_gpt2

TASKS = ("sample_truthfulness_mc1", "retention_generation")
WORDS = "rain falls on old stones while seven grey cats sleep under the warm red roof".split()
STEPS = 3
LORA = LoraConfig(
    lora_dropout=0.2, target_modules=["c_attn"], fan_in_fan_out=True, init_lora_weights=False
)

# trl 1.16 calls transformers 5.23 by names that version 6 will drop; theirs to mend
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing:FutureWarning"),
]


class Trained(NamedTuple):
    losses: list[dict]
    weights: dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return save_tiny_gpt2(tmp_path_factory.mktemp("model"), positions=512, chat=True)


def arguments(kind, folder, use_bf16=False, **more):
    return kind(
        output_dir=str(folder), max_steps=STEPS, per_device_train_batch_size=2, logging_steps=1,
        learning_rate=1e-3, gradient_accumulation_steps=2, report_to=[],
        use_cpu=True, disable_tqdm=True, bf16=use_bf16, seed=3, dataloader_pin_memory=False,
        **{"save_strategy": "no", **more},
    )  # fmt: skip


def sentences(number=7):
    return [" ".join(WORDS[place:] + WORDS[:place]) for place in range(number)]


def sft(source, folder, callbacks, peft=True, **more):
    rows = [{"prompt": text[:20], "completion": text[20:]} for text in sentences()]
    return SFTTrainer(
        AutoModelForCausalLM.from_pretrained(source),
        args=arguments(SFTConfig, folder, **more),
        train_dataset=datasets.Dataset.from_list(rows),
        eval_dataset=datasets.Dataset.from_list(rows[:2]),
        processing_class=AutoTokenizer.from_pretrained(source),
        peft_config=LORA if peft else None,
        callbacks=callbacks,
    )


def dpo(source, folder, callbacks, peft=True, **more):
    rows = [
        {"prompt": text[:20], "chosen": text[20:40], "rejected": text[:10]} for text in sentences()
    ]
    return DPOTrainer(
        AutoModelForCausalLM.from_pretrained(source),
        args=arguments(DPOConfig, folder, **more),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(source),
        peft_config=LORA if peft else None,
        callbacks=callbacks,
    )


def plain(source, folder, callbacks, **more):
    tokenizer = AutoTokenizer.from_pretrained(source)
    rows = [{"input_ids": tokenizer(text).input_ids[:40]} for text in sentences()]
    rows = [{**row, "labels": row["input_ids"]} for row in rows]
    return Trainer(
        AutoModelForCausalLM.from_pretrained(source),
        arguments(TrainingArguments, folder, **more),
        train_dataset=datasets.Dataset.from_list(rows),
        eval_dataset=datasets.Dataset.from_list(rows[:2]),
        processing_class=tokenizer,
        callbacks=callbacks,
    )


def train(make, source, folder, callbacks=(), **more):
    torch.manual_seed(0)  # adapters are drawn before the trainer sets its own seed
    trainer = make(source, folder, list(callbacks), **more)
    trainer.train()
    told = ("loss", "grad_norm", "eval_loss", "rewards/margins")
    losses = [{key: row[key] for key in told if key in row} for row in trainer.state.log_history]
    weights = {name: weight.clone() for name, weight in trainer.model.state_dict().items()}
    return Trained(losses, weights)


def scorer(folder, **more):
    return ScoreCallback(TASKS, folder, **{"every": 2, "subset": 2, **more})


def assert_same(ours, theirs):
    assert ours.losses == theirs.losses and any("loss" in row for row in ours.losses)
    assert list(ours.weights) == list(theirs.weights)
    assert all(torch.equal(ours.weights[name], theirs.weights[name]) for name in ours.weights)


def saver(folder, subset=2):
    return ScoreCallback(TASKS[:1], folder, subset=subset)  # at each save


def steps_of(folder):
    return [int(path.name.removeprefix("step-")) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize(
    ("make", "more"),
    [
        (plain, {"eval_strategy": "steps", "eval_steps": 2}),
        pytest.param(plain, {"neftune_noise_alpha": 5.0}, marks=pytest.mark.slow),
        pytest.param(sft, {}, marks=pytest.mark.slow),
        pytest.param(sft, {"activation_checkpointing": True}, marks=pytest.mark.slow),
        pytest.param(sft, {"peft": False, "use_bf16": True}, marks=pytest.mark.slow),
        pytest.param(dpo, {}, marks=pytest.mark.slow),
        pytest.param(
            dpo, {"peft": False, "activation_checkpointing": True}, marks=pytest.mark.slow
        ),
    ],
    ids=["plain-eval", "neftune", "sft", "sft-checkpointing", "sft-bf16", "dpo", "dpo-whole"],
)
def test_score_callback_changes_neither_losses_nor_weights(
    make, more, model_folder, tmp_path, caplog
):
    alone = train(make, model_folder, tmp_path / "alone", **more)
    told = scorer(tmp_path / "runs", at_start=True)
    scored = train(make, model_folder, tmp_path / "scored", [told], **more)
    assert told.failed == {}
    assert_same(alone, scored)
    assert steps_of(tmp_path / "runs") == [0, 2]
    first, last = (read_run(tmp_path / "runs" / f"step-{step:06d}") for step in (0, 2))
    assert set(last.tasks) == set(TASKS) and not any(task.failed for task in last.tasks.values())
    assert (last.record.model.args["step"], last.record.model.backend) == (2, "HFLM")
    assert list(first.scores(TASKS[0]).hashes) == list(last.scores(TASKS[0]).hashes)
    assert first.record.model.device == "cpu"
    assert "Prefixes are not shared" not in caplog.text  # as fast as without a trainer's patches


def test_score_callback_that_puts_nothing_back_changes_losses(model_folder, tmp_path, monkeypatch):
    """The comparison above would see a disturbance."""
    alone = train(plain, model_folder, tmp_path / "alone")
    monkeypatch.setattr(callback, "undisturbed", lambda model: nullcontext())
    scored = train(plain, model_folder, tmp_path / "scored", [scorer(tmp_path / "runs")])
    assert alone.losses[:2] == scored.losses[:2]
    assert alone.losses[2] != scored.losses[2]


def test_score_callback_between_backward_passes_leaves_gradients(model_folder, tmp_path):
    class AtSubsteps(ScoreCallback):
        def on_substep_end(self, args, state, control, **given):
            seen = [weight.grad.clone() for weight in given["model"].parameters()]
            self._score(given["model"], args, state)
            now = [weight.grad for weight in given["model"].parameters()]
            assert all(map(torch.equal, seen, now)) and any(grad.any() for grad in now)

    alone = train(plain, model_folder, tmp_path / "alone")
    told = AtSubsteps(TASKS[:1], tmp_path / "runs", every=100, subset=2)
    assert_same(alone, train(plain, model_folder, tmp_path / "scored", [told]))
    assert steps_of(tmp_path / "runs") == [0, 1, 2]  # the steps done when half a batch is


def test_score_callback_after_a_resume_scores_no_step_twice(model_folder, tmp_path):
    saving = {"save_strategy": "steps", "save_steps": 1}
    runs, folder = tmp_path / "runs", tmp_path / "training"
    told = saver(runs)
    whole = train(plain, model_folder, folder, [told], **saving)
    assert steps_of(runs) == [1, 2, 3]
    first = {step: (runs / f"step-{step:06d}/run.json").read_bytes() for step in (1, 2)}
    (runs / "step-000003").rename(tmp_path / "as-it-was")
    trainer = plain(model_folder, folder, [saver(runs)], **saving)
    trainer.train(resume_from_checkpoint=str(folder / "checkpoint-1"))
    assert steps_of(runs) == [1, 2, 3]
    assert first == {step: (runs / f"step-{step:06d}/run.json").read_bytes() for step in (1, 2)}
    before, after = read_run(tmp_path / "as-it-was"), read_run(runs / "step-000003")
    assert before.id != after.id and before.tasks == after.tasks  # stop and resume: the same model
    assert trainer.state.log_history[-2]["loss"] == whole.losses[2]["loss"]
    with pytest.raises(ConfigError, match="runs of another training"):
        train(plain, model_folder, tmp_path / "other", [saver(runs)])
    trainer = plain(model_folder, folder, [saver(runs, subset=3)], **saving)
    with pytest.raises(ConfigError, match=r"another subset .*subset 2, seed 0"):
        trainer.train(resume_from_checkpoint=str(folder / "checkpoint-1"))


def test_score_callback_whose_scoring_fails_lets_training_go_on(
    model_folder, tmp_path, monkeypatch, caplog
):
    def fail(plan):
        raise torch.OutOfMemoryError("no room \x1b[2J")

    monkeypatch.setattr(callback.evaluate, "run", fail)
    told = scorer(tmp_path / "runs", every=1)
    scored = train(plain, model_folder, tmp_path / "scored", [told])
    assert [row["loss"] for row in scored.losses if "loss" in row]
    assert sorted(told.failed) == [1, 2, 3] and "\x1b" not in told.failed[1]
    assert "Step 2 could not be scored (2 such so far)" in caplog.text
    assert not (tmp_path / "runs").exists()


def test_score_callback_of_a_diverged_model_records_the_failure(model_folder, tmp_path, caplog):
    broken = AutoModelForCausalLM.from_pretrained(model_folder)
    with torch.no_grad():
        broken.transformer.ln_f.weight.fill_(float("nan"))
    broken.save_pretrained(tmp_path / "broken")
    AutoTokenizer.from_pretrained(model_folder).save_pretrained(tmp_path / "broken")
    told = ScoreCallback(TASKS[:1], tmp_path / "runs", every=2, subset=2)
    train(plain, tmp_path / "broken", tmp_path / "training", [told])
    run = read_run(tmp_path / "runs/step-000002")
    assert "nan" in run.tasks[TASKS[0]].failed.lower() and told.failed == {}
    assert f"Step 2: {TASKS[0]} failed" in caplog.text


def test_score_callback_logs_a_line_for_each_headline(model_folder, tmp_path, caplog):
    caplog.set_level(logging.INFO, "finetune")
    told = ScoreCallback(TASKS[:1], tmp_path / "runs", every=2, subset=2)
    train(plain, model_folder, tmp_path / "training", [told])
    lines = [line for line in caplog.messages if line.startswith("Step 2: ")]
    assert len(lines) == 1 and TASKS[0] in lines[0] and "n 2" in lines[0]


def test_score_callback_with_wrong_settings_is_refused_when_made(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'sample_truthfulness_mc1'"):
        ScoreCallback("sample_truthfulnes_mc1", tmp_path)
    with pytest.raises(ConfigError, match="every must be at least 1, got 0"):
        ScoreCallback(TASKS, tmp_path, every=0)
    with pytest.raises(ConfigError, match="subset must be at least 1"):
        ScoreCallback(TASKS, tmp_path, subset=0)
    with pytest.raises(ConfigError, match="simulator_model: without effect"):
        ScoreCallback(TASKS, tmp_path, metadata={"simulator_model": "hf"})


@pytest.mark.usefixtures("no_real_data")
def test_score_callback_without_data_is_refused_when_made(tmp_path):
    with pytest.raises(MissingDataError, match="truthful_qa"):
        ScoreCallback("selfcheck_truthfulqa_mc1", tmp_path)


def begin(told, **more):
    """Have a training begin whose arguments say so."""
    args = SimpleNamespace(
        **{
            "fsdp": None, "deepspeed_plugin": None, "parallelism_config": None, "world_size": 1,
            "output_dir": "out", **more,
        }
    )  # fmt: skip
    state = SimpleNamespace(global_step=0, is_world_process_zero=True)
    told.on_train_begin(args, state, None, model=torch.nn.Linear(2, 2), processing_class=None)


@pytest.mark.parametrize(
    ("more", "how"),
    [
        ({"fsdp": "full_shard"}, "FSDP"),
        ({"deepspeed_plugin": SimpleNamespace(zero_stage=3)}, "ZeRO-3"),
        ({"parallelism_config": SimpleNamespace(tp_size=2)}, "tensor"),
    ],
)
def test_score_callback_of_sharded_weights_is_refused_with_the_way_out(more, how, tmp_path):
    told = scorer(tmp_path)
    with pytest.raises(ConfigError, match=rf"{how}.*selfcheck watch out --tasks {TASKS[0]}"):
        begin(told, **more)


def test_score_callback_that_cannot_ask_the_model_is_refused_before_the_first_step(
    model_folder, tmp_path
):
    with pytest.raises(ConfigError, match=r"no tokenizer.*processing_class="):
        begin(scorer(tmp_path), deepspeed_plugin=SimpleNamespace(zero_stage=2))
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    tokenizer.chat_template = None
    with pytest.raises(ModelError, match="chat template"):
        begin(scorer(tmp_path, tokenizer=tokenizer, apply_chat_template=True))
    told = scorer(tmp_path)
    told.metadata = {"simulator_model": "hf"}
    with pytest.raises(ConfigError, match="a server, or `selfcheck watch`"):
        begin(told, world_size=2)


def test_undisturbed_puts_back_what_was_changed(model_folder):
    from accelerate.state import GradientState

    model = get_peft_model(AutoModelForCausalLM.from_pretrained(model_folder), LORA)
    model.train()
    model.base_model.model.transformer.drop.eval()  # somebody's own choice
    modes = {name: module.training for name, module in model.named_modules()}
    config, settings, hooks = model.config, model.generation_config, list(model.modules())
    before = (dict(vars(config)), dict(vars(settings)), dict(GradientState._shared_state))
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    drawn = random.random(), np.random.rand(), torch.rand(1)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    with pytest.raises(RuntimeError, match="in the midst"), undisturbed(model):
        model.eval()
        config.use_cache, settings.max_length, model.generation_config = False, 7, None
        model.forward = None
        hooks[3].register_forward_hook(lambda *_: None)
        hooks[5]._buffers["kept"] = torch.ones(1)
        hooks[4].cached = torch.ones(1)
        random.random(), np.random.rand(), torch.manual_seed(5)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.use_deterministic_algorithms(True)
        os.environ["TOKENIZERS_PARALLELISM"] = "of course"
        GradientState().plugin_kwargs = {"num_steps": 9}
        raise RuntimeError("in the midst")
    assert modes == {name: module.training for name, module in model.named_modules()}
    assert (dict(vars(config)), dict(vars(settings))) == before[:2]
    assert dict(GradientState._shared_state) == before[2]
    assert model.generation_config is settings and callable(model.forward)
    assert not hooks[3]._forward_hooks and "kept" not in hooks[5]._buffers
    assert not hasattr(hooks[4], "cached")
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    assert os.environ.get("TOKENIZERS_PARALLELISM") != "of course"
    assert drawn == (random.random(), np.random.rand(), torch.rand(1))


def test_score_callback_leaves_the_tokenizer_and_ties_no_weights(model_folder, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    tokenizer.pad_token, tokenizer.padding_side = None, "right"
    model = AutoModelForCausalLM.from_pretrained(model_folder)
    model.tie_weights = lambda *_, **__: pytest.fail("PEFT's copy of the output would be lost")
    told = ScoreCallback(TASKS, tmp_path / "runs", every=3, subset=2, tokenizer=tokenizer)
    trainer = plain(model_folder, tmp_path / "training", [told])
    trainer.model = trainer.model_wrapped = model
    trainer.train()
    assert told.failed == {} and steps_of(tmp_path / "runs") == [3]
    assert tokenizer.pad_token is None and tokenizer.padding_side == "right"
