from __future__ import annotations

import copy
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args

import pytest
import transformers
import trl
from accelerate.state import AcceleratorState, PartialState

from finetune.methods import METHODS as KNOWN
from finetune.reading.trainer_keys import trainer_faults
from finetune.reading.trainer_rules import CHOICES, LIMITS, RENAMED, refusals
from finetune.strict import show
from finetune.training.trl_config import EARLY_STOPPING
from tests.unit.finetune.recipe_cases import GRATH, changed, only_fault, write

CONFIGS = {
    method if name.endswith("Config") else f"{method}:{architecture}": (KNOWN[method], name)
    for method in sorted(KNOWN)
    for architecture, name in KNOWN[method].configs.items()
}
METHODS = list(CONFIGS)
SEQ2SEQ = "distill:seq2seq"


def config_class(method: str) -> Any:
    name = CONFIGS[method][1]
    return getattr(transformers if name == "Seq2SeqTrainingArguments" else trl, name)


def told(method: str, given: dict[str, Any]) -> list[str]:
    return [
        f"{show(fault.place)}: {fault.says}" for fault in trainer_faults(*CONFIGS[method], given)
    ]


def names(method: str) -> set[str]:
    return {each.name for each in fields(config_class(method)) if each.init}


def refused(method: str) -> dict[str, str]:
    return refusals(*CONFIGS[method])


@pytest.mark.parametrize("method", METHODS)
def test_trainer_faults_every_default_of_trl_is_taken(method: str) -> None:
    defaults = {
        each.name: each.default if each.default is not MISSING else each.default_factory()
        for each in fields(config_class(method))
        if each.init and each.name not in refused(method)
    }
    idle = {"discopop_tau", "f_alpha_divergence_coef"}  # do nothing beside the other defaults
    given = {key: value for key, value in defaults.items() if key not in idle}
    assert told(method, given) == []


def test_trainer_faults_usual_blocks_are_taken() -> None:
    dpo = {
        "beta": 0.1,
        "learning_rate": 5e-4,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 0.1,
        "max_steps": 1000,
        "optim": "adamw_torch",
        "loss_type": ["sigmoid", "sft"],
        "loss_weights": [1.0, 0.1],
        "precompute_ref_log_probs": True,
        "save_total_limit": None,
        "activation_checkpointing": True,
        "report_to": "none",
        "disable_dropout": False,
    }
    assert told("grath", dpo) == []
    assert told("ec_sft", {"num_train_epochs": 10, "lr_scheduler_kwargs": {}}) == []
    plateau = {"lr_scheduler_type": "reduce_lr_on_plateau"}
    assert told("ec_sft", plateau) == []
    assert "requires an eval strategy" in told("grath", plateau)[0]


@pytest.mark.parametrize(
    ("method", "key", "value", "says"),
    [
        ("grath", "lr_scheduler_type", "cosin", "Did you mean 'cosine'? Known: constant, "),
        ("grath", "optim", "adamw_troch", "Did you mean 'adamw_torch'?"),
        ("grath", "save_strategy", "step", "Did you mean 'steps'?"),
        ("grath", "save_strategy", False, "must be 'no' or 'steps' or 'epoch', got false"),
        ("grath", "loss_type", "sigmod", "Did you mean 'sigmoid'?"),
        ("grath", "loss_type", ["sigmod"], "Did you mean 'sigmoid'?"),
        ("ec_sft", "loss_type", "nl", "Did you mean 'nll'?"),
        ("grath", "f_divergence_type", "kl", "unknown value: got 'kl'"),
        ("grath", "beta", "0.1", "must be a number above 0, got '0.1': take the quotes away"),
        ("grath", "beta", 0, "must be a number above 0, got 0"),
        ("grath", "max_steps", 3.0, "must be a whole number above 0, or -1"),
        ("grath", "max_steps", 0, "must be a whole number above 0, or -1"),
        ("grath", "logging_first_step", 1, "must be true or false, got 1"),
        ("grath", "per_device_train_batch_size", 0, "must be a whole number above 0, got 0"),
        ("grath", "gradient_accumulation_steps", 0, "must be a whole number above 0, got 0"),
        ("grath", "warmup_steps", -1, "must be a number, 0 or more, got -1"),
        ("grath", "max_length", 0, "must be a whole number above 0, got 0"),
        ("grath", "loss_weights", 1.0, "must be a list of a finite number or null, got 1.0"),
        ("grath", "lr_scheduler_kwargs", "{}", "must be a mapping (key: value) or null, got '{}'"),
        ("grath", "report_to", "wand", "unknown or not installed integration: got 'wand'"),
        ("grath", "betta", 0.1, "Did you mean 'beta'? Known: the arguments of trl.DPOConfig."),
        ("ec_sft", "beta", 0.1, "unknown key: got 'beta'."),
        ("grath", "warmup_ratio", 0.1, "Did you mean 'warmup_steps'?"),
        ("grath", "output_dir", "x", "is not taken here; give --output"),
        ("grath", "seed", 3, "is not taken here; set `seed` of the recipe"),
        ("grath", "bf16", True, "is not taken here; set model.dtype"),
        ("grath", "push_to_hub", True, "is not taken here; push the finished checkpoint yourself"),
        ("grath", "sync_ref_model", True, "is not taken here; set data.reference"),
        ("grath", "gradient_checkpointing", True, "set activation_checkpointing"),
        ("ec_sft", "learning_rate", 1e-5, "is not taken here; set data.learning_rates"),
        ("ec_sft", "packing", True, "is not taken here; rows stay apart"),
        ("ec_sft", "completion_only_loss", False, "the prompt is always masked"),
        ("ec_sft", "assistant_only_loss", True, "the prompt is always masked"),
        ("distill", "loss_type", "nll", "are weighed by data.alpha"),
        ("distill", "train_sampling_strategy", "group_by_length", "the same batches"),
        ("laffi", "train_sampling_strategy", "sequential", "the same batches"),
        (SEQ2SEQ, "train_sampling_strategy", "group_by_length", "the same batches"),
        ("distill", "average_tokens_across_devices", False, "the tokens of all devices"),
        (SEQ2SEQ, "predict_with_generate", True, "nothing is generated while it is trained"),
        (SEQ2SEQ, "generation_max_length", 9, "nothing is generated while it is trained"),
        (SEQ2SEQ, "sortish_sampler", True, "the same batches"),
        (SEQ2SEQ, "label_smoothing_factor", 0.1, "weighed by data.alpha, without it"),
        (SEQ2SEQ, "use_liger_kernel", True, "weighed by data.alpha, without it"),
        (SEQ2SEQ, "bf16", True, "is not taken here; set model.dtype"),
        (SEQ2SEQ, "max_length", 512, "unknown key: got 'max_length'. Rows are not cut"),
        (SEQ2SEQ, "max_seq_length", 512, "Rows are not cut"),
        (SEQ2SEQ, "packing", True, "Known: the arguments of transformers.Seq2SeqTrainingArg"),
        (SEQ2SEQ, "warmup_ratio", 0.1, "Did you mean 'warmup_steps'?"),
        (SEQ2SEQ, "learning_rate", 0, "must be a number above 0, got 0"),
        (SEQ2SEQ, "save_strategy", "best", "unknown value: got 'best'"),
        (SEQ2SEQ, "optim", "adamw_troch", "Did you mean 'adamw_torch'?"),
    ],
)
def test_trainer_faults_wrong_key_or_value_is_told_with_the_way_out(
    method: str, key: str, value: Any, says: str
) -> None:
    [found] = told(method, {key: value})
    assert found.startswith(f"trainer.{key}")
    assert says in found


@pytest.mark.parametrize("method", METHODS)
def test_trainer_faults_each_refused_key_is_one_of_trl_and_is_refused(method: str) -> None:
    assert set(refused(method)) <= names(method)
    found = told(method, dict.fromkeys(refused(method)))
    assert [line.split(":")[0] for line in found] == [f"trainer.{key}" for key in refused(method)]


def test_trainer_faults_all_keys_are_told_at_once() -> None:
    given = {"beta": "x", "output_dir": "x", "learning_rat": 1, "optim": "x"}
    places = [line.split(":")[0] for line in told("grath", given)]
    assert places == [f"trainer.{key}" for key in given]


@pytest.mark.parametrize(
    ("method", "given", "says"),
    [
        ("grath", {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0]}, "same length"),
        ("grath", {"logging_steps": 1.5}, "must be an integer if bigger than 1"),
        ("grath", {"dataloader_prefetch_factor": 2}, "dataloader_num_workers > 0"),
        (SEQ2SEQ, {"logging_steps": 1.5}, "must be an integer if bigger than 1"),
        (SEQ2SEQ, {"lr_scheduler_type": "cosine_with_min_lr"}, "min_lr"),
        (SEQ2SEQ, {"lr_scheduler_type": "reduce_lr_on_plateau"}, "transformers.Seq2SeqTrainingA"),
        ("grath", {"truncation_mode": "keep_end"}, "deprecated"),
        ("ec_sft", {"loss_type": "chunked_nll"}, "deprecated"),
        ("grath", {"lr_scheduler_type": "cosine_with_min_lr"}, "min_lr"),
        ("grath", {"lr_scheduler_kwargs": {"num_cyles": 2}}, "num_cyles"),
        ("grath", {"optim": "galore_adamw"}, "galore"),
        ("grath", {"loss_type": "exo_pair"}, "label_smoothing: must be above 0"),
        ("grath", {"label_smoothing": 0.1}, "label_smoothing: does nothing with the loss sigmoid"),
        ("grath", {"discopop_tau": 0.1}, "discopop_tau: does nothing"),
        ("grath", {"f_alpha_divergence_coef": 0.1}, "f_alpha_divergence_coef: does nothing"),
        ("grath", {"f_divergence_type": "forward_kl", "loss_type": "aot"}, "f_divergence_type"),
        ("grath", {"use_weighting": True, "loss_type": "aot"}, "use_weighting: does not go"),
    ],
)
def test_trainer_faults_keys_that_do_not_go_together_are_told(
    method: str, given: dict[str, Any], says: str
) -> None:
    [found] = told(method, given)
    assert says in found


def test_trainer_faults_leaves_the_process_and_the_folder_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    states = (PartialState._shared_state, AcceleratorState._shared_state)
    monkeypatch.setitem(PartialState._shared_state, "selfcheck", "mark")
    before = copy.copy(states[0]), copy.copy(states[1])
    assert told("grath", {"tf32": True, "torch_compile": True, "max_steps": 1}) == []
    assert (PartialState._shared_state, AcceleratorState._shared_state) == before
    assert list(tmp_path.iterdir()) == []


def test_trainer_rules_what_the_trainer_sets_over_a_recipe_is_refused_in_it() -> None:
    always = {"output_dir", "seed", "data_seed", "bf16", "fp16", "logging_nan_inf_filter"}
    assert always <= set(refused("grath"))
    assert {*always, *EARLY_STOPPING, "learning_rate"} <= set(refused("ec_sft"))


def test_trainer_rules_name_keys_that_trl_has() -> None:
    known = set().union(*map(names, METHODS))
    assert set(LIMITS) <= known
    assert set(RENAMED.values()) <= known
    assert not set(RENAMED) & known
    assert all(set(CHOICES[CONFIGS[method][1]]) <= names(method) for method in METHODS)


def test_trainer_rules_choices_are_those_that_trl_documents() -> None:
    says = {each.name: each.metadata["help"] for each in fields(trl.DPOConfig) if each.init}
    losses, _ = get_args(CHOICES["DPOConfig"]["loss_type"])
    assert set(get_args(losses)) == set(re.findall(r"`'(\w+)'`", says["loss_type"]))
    divergences, _ = says["f_divergence_type"].split("Only the loss types")
    documented = set(re.findall(r"`(\w+)`", divergences))
    assert set(get_args(CHOICES["DPOConfig"]["f_divergence_type"])) == documented


def test_read_recipe_dropout_that_dpo_turns_off_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, changed(GRATH, "trainer.disable_dropout", True))

    assert "model.adapter.dropout: is 0.05, but" in only_fault(file)
