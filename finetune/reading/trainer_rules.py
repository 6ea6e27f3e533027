"""What the `trainer:` block may not set, and the limits that TRL's annotations do not state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from finetune.methods import Config, Method
from finetune.recipe import DistillData
from finetune.strict import Fault, Rule


def _by_key(reasons: Mapping[str, str]) -> dict[str, str]:
    return {key: reason for reason, keys in reasons.items() for key in keys.split()}


_REFUSED = _by_key(
    {
        "give --output": "output_dir",
        "set `seed` of the recipe": "seed data_seed",
        "set model.dtype": "bf16 fp16 bf16_full_eval fp16_full_eval",
        "run the same command again, it goes on from the last checkpoint": "resume_from_checkpoint "
        "restore_callback_states_from_checkpoint",
        "a killed training must go on as if it had not been": "save_only_model ignore_data_skip",
        "push the finished checkpoint yourself": "push_to_hub hub_always_push hub_model_id "
        "hub_private_repo hub_revision hub_strategy hub_token",
        "it is for `accelerate launch` and its configuration": "deepspeed fsdp "
        "fsdp_config parallelism_config accelerator_config local_rank",
        "it would hide that a training diverged": "logging_nan_inf_filter",
        "how many rows make a step is part of the recipe": "auto_find_batch_size",
        "ec_sft watches the dev loss by itself, others have no dev rows": "eval_strategy "
        "eval_steps eval_delay eval_on_start load_best_model_at_end metric_for_best_model "
        "greater_is_better",
        "it would change nothing here": "do_train do_eval do_predict length_column_name",
        "it goes with the rows, which are made here": "remove_unused_columns label_names",
        "transformers gives it up, set activation_checkpointing": "gradient_checkpointing",
        "transformers gives it up, set activation_checkpointing_kwargs": (
            "gradient_checkpointing_kwargs"
        ),
    }
)
_TRL = _by_key(
    {
        "set it in the block `model`": "model_init_kwargs",
        "no code of a model's repository is run": "trust_remote_code",
        "rows stay apart: what they attend to must not hang on the batch": "padding_free",
        "TRL gives it up; the tokenizer of the model is used": "pad_token",
        "TRL gives it up for its trainers": "use_liger_kernel liger_kernel_config",
    }
)
_DPO = _by_key(
    {
        "set data.reference": "sync_ref_model ref_model_mixup_alpha ref_model_sync_steps",
        "DPO's loss does not use it, set label_smoothing": "label_smoothing_factor",
    }
)
_SFT = _by_key(
    {
        "rows stay apart: what is masked must not hang on the batch": "packing packing_strategy "
        "eval_packing",
        "the prompt is always masked, the answer never": "completion_only_loss assistant_only_loss",
        "rows are prompt and completion, made here": "dataset_kwargs dataset_text_field",
        "it is trained and scored with the tokenizer of the model": "chat_template_path eos_token",
        "TRL gives it up in SFTTrainer": "label_smoothing_factor",
    }
)
_LESSONS = _by_key(
    {
        "each loss is a mean over the tokens of all devices": "average_tokens_across_devices",
        "the losses of answers and explanations are weighed by data.alpha": "loss_type "
        "router_aux_loss_coef",
    }
)
_COMPARES = _by_key(
    {
        "trainings that are compared are on the same batches": "train_sampling_strategy",
    }
)
_SEQ2SEQ = _by_key(
    {
        "each loss is a mean over the tokens of all devices": "average_tokens_across_devices",
        "nothing is generated while it is trained; the checkpoint is scored as score says": (
            "predict_with_generate generation_config generation_max_length generation_num_beams"
        ),
        "all objectives are trained on the same batches": "sortish_sampler",
        "the losses of answers and explanations are weighed by data.alpha, without it": (
            "label_smoothing_factor use_liger_kernel liger_kernel_config"
        ),
    }
)
_OWN: Mapping[Config, Mapping[str, str]] = {
    "DPOConfig": {**_TRL, **_DPO},
    "SFTConfig": {**_TRL, **_SFT},
    "Seq2SeqTrainingArguments": _SEQ2SEQ,
}
_CHOSEN = _by_key(
    {
        "set data.learning_rates (one or more), of which the dev loss chooses": "learning_rate",
        "early stopping saves at each epoch": "save_strategy save_steps",
    }
)
_NEVER_BEST = {"save_strategy": Literal["no", "steps", "epoch"]}  # "best" needs dev rows


def refusals(method: Method, config: Config) -> dict[str, str]:
    """Give the keys of a config class that no recipe of the method sets -> why, and what to do."""
    lessons = method.data is DistillData and config == "SFTConfig"
    return {
        **_REFUSED,
        **_OWN[config],
        **(_CHOSEN if method.chooses_rate else {}),
        **(_LESSONS if lessons else {}),
        **(_COMPARES if method.compares else {}),
    }


RENAMED: Mapping[str, str] = {
    "warmup_ratio": "warmup_steps",  # below 1 it is a share of all steps
    "evaluation_strategy": "eval_strategy",
    "group_by_length": "train_sampling_strategy",
    "max_seq_length": "max_length",
    "max_prompt_length": "max_length",
    "max_completion_length": "max_length",
}
"""Keys of published recipes that TRL and transformers no longer have."""

NO_LENGTH = (
    "Rows are not cut: those of more than 1024 tokens, or than the model's window has, are left "
    "out and counted; leave it out"
)
"""What to do instead of giving `transformers.Seq2SeqTrainingArguments` a length."""

_Losses = Literal[
    "sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot",
    "aot_unpaired", "apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm",
]  # fmt: skip
_Divergences = Literal["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"]
CHOICES: Mapping[Config, Mapping[str, Any]] = {
    "DPOConfig": {
        "loss_type": _Losses | list[_Losses],
        "f_divergence_type": _Divergences,
        **_NEVER_BEST,
    },
    "SFTConfig": _NEVER_BEST,
    "Seq2SeqTrainingArguments": _NEVER_BEST,
}
"""Closed sets that are annotated as text, and looked at when the first step is made."""

_ONE = Rule(lambda n: n is None or n >= 1, "a whole number above 0")
_ABOVE_0 = Rule(lambda x: x is None or x > 0, "a number above 0")
_FROM_0 = Rule(lambda x: x is None or x >= 0, "a number, 0 or more")
_DECAY = Rule(lambda x: 0 <= x < 1, "a number from 0 to below 1")
LIMITS: Mapping[str, Rule] = {
    **dict.fromkeys(
        [
            "per_device_train_batch_size", "per_device_eval_batch_size", "save_total_limit",
            "gradient_accumulation_steps", "max_length", "precompute_ref_batch_size",
            "dataset_num_proc", "eval_accumulation_steps",
        ],
        _ONE,
    ),
    **dict.fromkeys(
        [
            "learning_rate", "num_train_epochs", "adam_epsilon", "beta", "discopop_tau",
            "logging_steps", "save_steps",
        ],
        _ABOVE_0,
    ),
    **dict.fromkeys(
        ["warmup_steps", "weight_decay", "max_grad_norm", "dataloader_num_workers"], _FROM_0
    ),
    **dict.fromkeys(["adam_beta1", "adam_beta2"], _DECAY),
    "max_steps": Rule(lambda n: n == -1 or n >= 1, "a whole number above 0, or -1 (epochs count)"),
    "label_smoothing": Rule(lambda x: 0 <= x < 0.5, "a number from 0 to below 0.5"),
    "ld_alpha": Rule(lambda x: x is None or 0 <= x <= 1, "a number from 0 to 1, or null"),
}  # fmt: skip

_DIVERGING = frozenset("sigmoid sigmoid_norm hinge ipo exo_pair robust discopop sft".split())
_SMOOTHED = frozenset("exo_pair robust aot aot_unpaired".split())


def dpo_contradictions(given: Mapping[str, Any]) -> Iterator[Fault]:
    """Say which keys of `trl.DPOConfig` cannot stand together, or do nothing without another.

    `trl.DPOTrainer` refuses the first three when it has the model and the rows, and passes over
    the others.
    """
    told = given.get("loss_type", "sigmoid")
    losses = {told} if isinstance(told, str) else set(told)
    named = ", ".join(sorted(losses))
    divergence = given.get("f_divergence_type", "reverse_kl")
    if divergence != "reverse_kl" and not losses <= _DIVERGING:
        yield _fault("f_divergence_type", f"{divergence} does not go with the loss {named}")
    if given.get("use_weighting") and losses & {"aot", "aot_unpaired"}:
        yield _fault("use_weighting", f"does not go with the loss {named}, which sorts the rows")
    if "exo_pair" in losses and not given.get("label_smoothing"):
        yield _fault("label_smoothing", "must be above 0 with the loss exo_pair (paper: 1.0e-3)")
    if given.get("label_smoothing") and not losses & _SMOOTHED:
        yield _fault("label_smoothing", f"does nothing with the loss {named}")
    if "discopop_tau" in given and "discopop" not in losses:
        yield _fault("discopop_tau", f"does nothing with the loss {named}")
    if "f_alpha_divergence_coef" in given and divergence != "alpha_divergence":
        yield _fault("f_alpha_divergence_coef", f"does nothing with the divergence {divergence}")


def _fault(key: str, says: str) -> Fault:
    return Fault(("trainer", key), says)
