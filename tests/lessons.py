"""Small trainings on lessons for tests, and their loss worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from finetune.formats import Completion, Lesson
from finetune.recipe import Adapter, DistillData, Model, Recipe, Score
from finetune.trainer import Trained
from tests import trainings
from tests.tiny import byte_tokenizer, save_tiny_t5
from tests.trainings import ADAPTER, ANSWERS, QUICK

REASONS = (
    "Rain.", "It has always been so, as everybody knows who was there.", "The sea is salt.",
    "Nobody has seen it.", "It is a number below ten and above six, and it is odd.", "So it is.",
    "It has whiskers and a tail.", "What is thrown comes down.",
)  # fmt: skip
"""Of very different length, and longer than the answers."""
PLAIN_SGD: dict[str, Any] = {
    "optim": "sgd",  # an update is the gradient: what scales it shows
    "max_grad_norm": 0.0,
    "learning_rate": 0.1,
    "lr_scheduler_type": "constant",
}
GENTLE = {**PLAIN_SGD, "learning_rate": 0.02}
"""Over some steps, rounding stays small."""


def lessons(count: int = 8, *, explained: bool = True) -> list[Lesson]:
    return [
        Lesson(
            Completion(f"Question {place}?", "Answer:", ANSWERS[place % 8], f"doc{place}"),
            Completion(f"Why {place}?", "Because:", REASONS[place % 8], f"doc{place}")
            if explained
            else None,
        )
        for place in range(count)
    ]


def recipe(
    model: Path,
    *,
    seq2seq: bool = False,
    alpha: float = 0.5,
    adapter: Adapter | None = ADAPTER,
    seed: int = 0,
    chat: bool = False,
    dtype: Any = "auto",
    **trainer: Any,
) -> Recipe:
    return Recipe(
        method="distill",
        seed=seed,
        model=Model(
            name=str(model),
            architecture="seq2seq" if seq2seq else "causal",
            chat_template=chat,
            adapter=adapter,
            dtype=dtype,
        ),
        data=DistillData(questions="x/y", kind="yes_no", alpha=alpha),
        trainer={**QUICK, **trainer},
        score=Score(tasks=["x"]),
    )


def run(told: Recipe, place: Path, rows: Sequence[Lesson] | None = None, **options: Any) -> Trained:
    return trainings.run(told, place, lessons() if rows is None else rows, **options)


def build(told: Recipe, place: Path, rows: Sequence[Lesson] | None = None) -> Any:
    return trainings.build(told, place, lessons() if rows is None else rows)


def logged(trained: Trained, name: str = "loss") -> list[float]:
    return [entry[name] for entry in trained.log if name in entry]


def assert_learnt_alike(parts: Trained, whole: Trained, *, rel: float, atol: float) -> None:
    """Hold a training in parts to one in whole batches: four steps, their losses, the weights."""
    import torch

    assert whole.steps == parts.steps == 4
    for name in ("loss", "loss_answer", "loss_explanation"):
        assert logged(parts, name) == pytest.approx(logged(whole, name), rel=rel)
    ours, theirs = trainings.weights(parts.folder), trainings.weights(whole.folder)
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=10 * rel, atol=atol)


def save_sure_t5(folder: Path) -> Path:
    """Save a T5 without dropout: it answers alike while it is trained."""
    from transformers import T5Config

    save_tiny_t5(folder)
    T5Config.from_pretrained(folder, dropout_rate=0.0).save_pretrained(folder)
    return folder


def save_sure_bart(folder: Path) -> Path:
    """Save one with positions, and a bias on its logits."""
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=128,
        dropout=0.0,
        init_std=0.15,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=0,
        forced_eos_token_id=None,
    )
    model = BartForConditionalGeneration(config)
    model.final_logits_bias.normal_()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def costs_of_decoder(model: Any, tokenizer: Any, part: Completion) -> Any:
    """Give what each token of an answer and its end cost: negative log-probabilities."""
    import torch

    prompt = tokenizer.encode(f"{part.text}\n{part.cue}")
    answer = [*tokenizer.encode(f" {part.answer}"), tokenizer.eos_token_id]
    logits = model(torch.tensor([prompt + answer])).logits[0]
    return _costs(logits[len(prompt) - 1 : -1], answer)


def costs_of_both(model: Any, tokenizer: Any, part: Completion) -> Any:
    """Give the same of an encoder-decoder."""
    import torch

    source = tokenizer.encode(f"{part.text}\n{part.cue}")
    answer = [*tokenizer.encode(part.answer), tokenizer.eos_token_id]
    given = [model.config.decoder_start_token_id, *answer[:-1]]
    logits = model(torch.tensor([source]), decoder_input_ids=torch.tensor([given])).logits[0]
    return _costs(logits, answer)


def _costs(logits: Any, wanted: list[int]) -> Any:
    """Take the logarithm of the softmax by its definition; in torch, for the gradient."""
    chosen = logits[range(len(wanted)), wanted]
    return (logits.double().exp().sum(1).log() - chosen).float()


def means_by_hand(model: Any, tokenizer: Any, rows: Sequence[Lesson]) -> tuple[Any, Any, Any]:
    """Give the mean cost of a token of answers, of one of explanations, and of one of either."""
    import torch

    costs = costs_of_both if model.config.is_encoder_decoder else costs_of_decoder
    answers = torch.cat([costs(model, tokenizer, row.answering) for row in rows])
    parts = [row.explaining for row in rows if row.explaining]
    if not parts:
        return answers.mean(), None, answers.mean()
    explanations = torch.cat([costs(model, tokenizer, part) for part in parts])
    return answers.mean(), explanations.mean(), torch.cat([answers, explanations]).mean()
