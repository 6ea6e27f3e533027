"""Lessons for an encoder-decoder (T5, BART): the encoder reads the question, the decoder answers.

Of the question nothing is learnt; the answer is learnt with its end. It stands at the beginning of
what is written, so no space goes before it. Loss, and what is logged: as in `lessons`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import Seq2SeqTrainer, set_seed

from finetune.formats import Completion, Lesson
from finetune.training.fitting import tokenize
from finetune.training.lessons import IGNORED, Encoded, PairLoss, encoded


class Seq2SeqLessonTrainer(PairLoss, Seq2SeqTrainer):  # type: ignore[misc]
    """Trains an encoder-decoder on lessons.

    Args:
        lessons: to train on.
        model: to train.
        peft_config: of an adapter that is to be put on it; None: it is trained as it is.
        chat_template: must be false: there are no chat templates for encoder-decoders.
        options: as of `transformers.Seq2SeqTrainer`.
    """

    first_label = 0

    def __init__(
        self,
        *,
        lessons: Sequence[Lesson],
        model: Any,
        peft_config: Any,
        chat_template: bool,
        **options: Any,
    ) -> None:
        tokenizer = options["processing_class"]

        def encode(part: Completion) -> Encoded:
            ((source, target),) = tokenize(part, tokenizer, chat_template, "seq2seq")
            return {"input_ids": source, "labels": target}

        super().__init__(
            model=_adapted(model, peft_config, options["args"]),
            train_dataset=encoded(lessons, encode),
            data_collator=Padded(tokenizer),
            **options,
        )

    def token_losses(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """Give what is lost on all labels.

        The model takes the labels, too: it makes of them what its decoder is given.
        """
        labels, logits = inputs["labels"], model(**inputs, use_cache=False).logits
        told = cross_entropy(
            logits.float().flatten(0, 1), labels.flatten(), reduction="none", ignore_index=IGNORED
        )
        return told.view_as(labels)


class Padded:
    """Makes a batch of sequences of unequal length: what is added is neither read nor learnt."""

    def __init__(self, tokenizer: Any) -> None:
        pad = tokenizer.pad_token_id
        self.fill = {
            "input_ids": tokenizer.eos_token_id if pad is None else pad,
            "attention_mask": 0,
            "labels": IGNORED,
        }

    def __call__(self, rows: Sequence[Encoded]) -> dict[str, torch.Tensor]:
        """Make the batch."""
        whole = [{**row, "attention_mask": [1] * len(row["input_ids"])} for row in rows]
        return {
            name: pad_sequence([torch.tensor(row[name]) for row in whole], True, fill)
            for name, fill in self.fill.items()
        }


def _adapted(model: Any, peft_config: Any, args: Any) -> Any:
    """Put a new adapter on a model, as TRL does it: its weights follow from the seed."""
    from peft import PeftModel, get_peft_model

    set_seed(args.seed)
    if peft_config is not None:
        model = get_peft_model(model, peft_config)
    if isinstance(model, PeftModel) and args.activation_checkpointing:
        model.enable_input_require_grads()  # or nothing reaches the adapter through a checkpoint
    return model
