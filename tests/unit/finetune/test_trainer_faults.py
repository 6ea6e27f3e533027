"""Trainings that cannot be, or go wrong: told clearly, and never left as finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, TrainerCallback

from finetune.recipe import Adapter
from finetune.trainer import Start
from finetune.training.base_model import (
    check_tokenizer,
    choose_dtype,
    choose_precision,
    device_kind,
    load_tokenizer,
)
from harness.errors import ConfigError, ModelError, TrainingError
from tests.tiny import CHAT_TEMPLATE, byte_tokenizer, save_tiny_gpt2, save_tiny_llama
from tests.trainings import ADAPTER, build, completions, recipe, run, weights

pytestmark = pytest.mark.slow

NOT_LOADED = "finetune.training.jobs.load_model"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"))


class Spoil(TrainerCallback):
    """Makes a weight NaN after a step: the next loss is."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args, state, control, model=None, **_):
        if state.global_step == self.step:
            weight = next(one for one in model.parameters() if one.requires_grad)
            with torch.no_grad():
                weight.fill_(float("nan"))


@pytest.mark.parametrize("dpo", [False, True])
@pytest.mark.parametrize("adapter", [ADAPTER, None])
def test_train_nan_loss_stops_at_its_step_and_leaves_nothing_finished(
    adapter: Any, dpo: bool, tiny: Path, tmp_path: Path
):
    told = recipe(tiny, dpo=dpo, adapter=adapter)
    with pytest.raises(TrainingError, match=r"diverged at step 4: loss is nan.*learning_rate"):
        run(told, tmp_path, callbacks=[Spoil(3)])
    assert {file.name for file in tmp_path.iterdir()} - {"home"} == {"work"}  # home: known hashes


def test_train_learning_rate_far_too_high_diverges(tiny: Path, tmp_path: Path):
    told = recipe(tiny, adapter=None, learning_rate=1e20, max_grad_norm=0.0, num_train_epochs=3)
    with pytest.raises(TrainingError, match="diverged"):
        run(told, tmp_path)
    assert not (tmp_path / "done").exists()


def test_train_nan_that_no_loss_showed_is_seen_before_saving(tiny: Path, tmp_path: Path):
    with pytest.raises(TrainingError, match=r"diverged: .* is not finite at its end"):
        run(recipe(tiny), tmp_path, callbacks=[Spoil(8)])
    assert not (tmp_path / "done").exists()


def test_train_nan_between_sparse_logs_is_seen_at_the_next(tiny: Path, tmp_path: Path):
    """Trainer's own default replaces it by the mean of the losses before."""
    with pytest.raises(TrainingError, match="diverged at step 6"):
        run(recipe(tiny, logging_steps=3), tmp_path, callbacks=[Spoil(4)])


def test_choose_precision_on_cpu_is_float32_throughout(tiny: Path):
    for adapter in (ADAPTER, None):
        told = choose_precision(recipe(tiny, adapter=adapter))
        assert (told.weights, told.autocast, told.device) == ("float32", "no", "cpu")


@pytest.fixture
def on_cuda(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    return monkeypatch


@pytest.mark.parametrize(
    ("dtype", "adapter", "kept", "autocast"),
    [
        ("auto", ADAPTER, "bfloat16", "bf16"),
        ("auto", None, "float32", "bf16"),  # master weights
        ("float32", ADAPTER, "float32", "no"),
        ("bfloat16", None, "bfloat16", "bf16"),
        ("float16", ADAPTER, "float16", "fp16"),
    ],
)
def test_choose_precision_on_a_gpu_with_bfloat16(
    dtype: str, adapter: Any, kept: str, autocast: str, tiny: Path, on_cuda: Any
):
    told = choose_precision(recipe(tiny, adapter=adapter, dtype=dtype))
    assert (told.weights, told.autocast, told.device) == (kept, autocast, "cuda")


def test_choose_precision_gpu_that_emulates_bfloat16_computes_in_float32(
    tiny: Path, on_cuda: pytest.MonkeyPatch
):
    on_cuda.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation
    )
    told = recipe(tiny)
    assert choose_precision(told).weights == choose_dtype(told.model) == "float32"
    assert choose_precision(told).autocast == "no"


def test_device_kind_cpu_that_was_asked_for_is_taken(tiny: Path, on_cuda: pytest.MonkeyPatch):
    assert device_kind() == "cuda"
    assert device_kind({"use_cpu": True}) == "cpu"
    on_cuda.setenv("ACCELERATE_USE_CPU", "True")
    assert device_kind() == "cpu"


def test_choose_precision_all_weights_in_bfloat16_is_warned_of(
    tiny: Path, caplog: pytest.LogCaptureFixture
):
    choose_precision(recipe(tiny, adapter=None, dtype="bfloat16"))
    assert "small updates are lost" in caplog.text


@pytest.mark.parametrize(("adapter", "where"), [(None, "without an adapter"), (ADAPTER, "on cpu")])
def test_train_float16_is_refused_before_loading(
    adapter: Any, where: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(NOT_LOADED, lambda *_: pytest.fail("was loaded"))
    with pytest.raises(ConfigError, match=f"float16 weights cannot be trained {where}"):
        run(recipe(tiny, adapter=adapter, dtype="float16"), tmp_path)


def test_train_bfloat16_weights_carry_an_adapter_in_float32(tiny: Path, tmp_path: Path):
    told = recipe(tiny, dtype="bfloat16")
    trainer = build(told, tmp_path)
    kinds = {one.requires_grad: one.dtype for one in trainer.model.parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}
    assert trainer.args.bf16
    trained = run(told, tmp_path)
    assert {one.dtype for one in weights(trained.folder).values()} == {torch.float32}


def test_train_config_on_cpu_is_not_trls(tiny: Path, tmp_path: Path):
    """TRL's defaults are bfloat16 and recomputing activations, both slow there."""
    args = build(recipe(tiny), tmp_path).args
    assert not args.bf16 and not args.fp16 and args.use_cpu
    assert not args.gradient_checkpointing and not args.activation_checkpointing
    assert not args.logging_nan_inf_filter and args.report_to == []
    again = build(recipe(tiny, activation_checkpointing=True), tmp_path).args
    assert again.gradient_checkpointing


def test_train_with_activation_checkpointing_gives_the_same_losses(tiny: Path, tmp_path: Path):
    plain, again = (
        run(recipe(tiny, dpo=True, activation_checkpointing=flag), tmp_path / str(flag))
        for flag in (False, True)
    )
    losses = [[entry["loss"] for entry in one.log if "loss" in entry] for one in (plain, again)]
    assert len(losses[0]) == 8 and losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_train_setting_that_trl_refuses_is_told(tiny: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="trainer: "):
        run(recipe(tiny, optim="no-such"), tmp_path)
    with pytest.raises(ConfigError, match=r"trainer\.save_strategy"):
        run(recipe(tiny, save_strategy="no"), tmp_path, dev=completions(2))


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        (["q_porj"], "Did you mean 'q_proj'"),
        (["q_proj", "nothing_like_it"], "got 'nothing_like_it'"),
        ("k_prj", "Did you mean 'k_proj'"),
        (["lm_head"], "'lm_head' is the output layer"),
    ],
)
def test_train_adapter_without_a_place_is_told(targets: Any, says: str, tiny: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=says):
        run(recipe(tiny, adapter=Adapter(targets=targets)), tmp_path)


@pytest.mark.parametrize("targets", ["q_proj", ["self_attn.q_proj"], ["q_proj", "down_proj"]])
def test_train_adapter_is_put_on_the_modules_named(targets: Any, tiny: Path, tmp_path: Path):
    trained = run(recipe(tiny, adapter=Adapter(targets=targets), max_steps=1), tmp_path)
    where = {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in weights(trained.folder)}
    named = [targets] if isinstance(targets, str) else targets
    assert where == {name.split(".")[-1] for name in named}


def with_tokenizer(folder: Path, template: str | None, **tokens: Any) -> Path:
    save_tiny_llama(folder, chat=template)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for name, value in tokens.items():
        setattr(tokenizer, name, value)
    tokenizer.save_pretrained(folder)
    return folder


NO_PROMPT = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
MISTRAL = (
    "{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% else %} {{ m['content'] }}<eos>{% endif %}{% endfor %}"
)
OTHERWISE = (  # thinks when asked; thoughts are left out of what was said before
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant><think>{% endif %}"
)
THINKS = CHAT_TEMPLATE.replace(
    "{{ m['content'] }}", "{% if m['role'] == 'assistant' %}<no think>{% endif %}{{ m['content'] }}"
)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (None, "has none. Set it to false"),
        (NO_PROMPT, "has no generation prompt: '<assistant>' goes before an answer"),
        (OTHERWISE, "renders a question otherwise before an answer"),
        ("{% for m in messages %}{{ nothing.here }}{% endfor %}", "cannot render"),
        ("{% for m in messages %}<{{ m['role'] }}>{% endfor %}", "leaves the answer out"),
    ],
)
def test_train_chat_template_that_cannot_be_trained_is_told_before_loading(
    template: str | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(NOT_LOADED, lambda *_: pytest.fail("was loaded"))
    model = with_tokenizer(tmp_path / "model", template)
    with pytest.raises(ModelError, match=says):
        run(recipe(model, chat=True), tmp_path)


def test_check_tokenizer_template_that_needs_no_generation_prompt_is_right(tiny: Path):
    """Llama 2, Mistral: the end of the question is where the answer begins."""
    check_tokenizer(byte_tokenizer(MISTRAL), recipe(tiny, chat=True))


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (THINKS, "puts '<no think>' before a learnt answer"),
        (CHAT_TEMPLATE, "ends an answer with no special token"),
        (MISTRAL, ""),
    ],
)
def test_check_tokenizer_rare_templates_are_warned_of(
    template: str, says: str, tiny: Path, caplog: pytest.LogCaptureFixture
):
    check_tokenizer(byte_tokenizer(template), recipe(tiny, chat=True))
    assert says in caplog.text and bool(says) == bool(caplog.text)


def test_train_tokenizer_without_end_token_is_told(tmp_path: Path):
    model = with_tokenizer(tmp_path / "model", None, eos_token=None)
    with pytest.raises(ModelError, match="has no eos_token"):
        run(recipe(model), tmp_path)


def test_load_tokenizer_that_is_not_there_is_told(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"the tokenizer of .*empty cannot be loaded"):
        load_tokenizer(recipe(tmp_path / "empty"))


def test_train_damaged_weights_are_told(tmp_path: Path):
    model = save_tiny_gpt2(tmp_path / "model")
    file = model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"model: cannot be loaded: .*safetensors"):
        run(recipe(model), tmp_path)


def test_train_adapter_of_another_model_is_told(tiny: Path, tmp_path: Path):
    other = save_tiny_gpt2(tmp_path / "other")
    trained = run(recipe(other, max_steps=1), tmp_path / "other-run")
    with pytest.raises(ModelError, match=r"adapter .* cannot be loaded"):
        run(recipe(tiny), tmp_path, start=Start(model=str(tiny), adapter=trained.folder))


def test_train_row_whose_question_changes_its_tokens_is_warned_of(
    tiny: Path, caplog: pytest.LogCaptureFixture
):
    from finetune.training.fitting import fit_rows

    class Merging:
        eos_token = "<eos>"

        def __call__(self, text):
            return {"input_ids": [*text.replace(": Y", "\0")]}

    fitted = fit_rows(completions(8), Merging(), False, {})
    assert len(fitted.rows) == 8
    assert "1 of 8 rows: the question's last tokens change" in caplog.text
