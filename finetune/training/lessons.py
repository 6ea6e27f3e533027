"""Lessons: what is lost on answers, and what on explanations, weighed against each other.

    loss = alpha * (mean over tokens of answers) + (1 - alpha) * (mean over tokens of explanations)

of the negative log-probability in float32. Both means are over all that makes a step: the batches
whose gradients are accumulated, of all processes. (Trainer's own mean is over all tokens: long
explanations would outweigh alpha.) Where nothing is explained, the loss is the mean over answers,
with weight 1: that is plain SFT.

Trainer logs `loss`, and here each mean without its weight: `loss_answer`, and `loss_explanation`
where something is explained; averaged over the steps since the last line.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import Trainer
from trl import SFTTrainer
from trl.data_utils import common_prefix_length

from finetune.formats import Completion, Lesson
from finetune.training.fitting import tokenize
from harness.errors import ConfigError

Encoded = dict[str, list[int]]
COLUMNS = ("input_ids", "labels")
IGNORED = -100
"""The label of a token that is not learnt."""
EXPLAINING = "explaining_"
"""Before the names of the columns of an explanation."""
EXPLAINS = "explains"
"""Says of each sequence of a batch whether an explanation is learnt from it."""


class PairLoss(Trainer):  # type: ignore[misc]
    """The loss of lessons; a trainer of an architecture says what a token costs.

    Args:
        alpha: weight of the answers; None: nothing is explained.
        options: of the trainer that this is mixed into.

    Attributes:
        first_label: place of the first label that is predicted.
    """

    loss_is_scaled_for_ga = True  # over all accumulated batches
    first_label: int

    def __init__(self, *, alpha: float | None, **options: Any) -> None:
        options["args"].remove_unused_columns = False  # each has its use
        super().__init__(**options)
        self.data_collator: Any = SideBySide(self.data_collator)
        self.explains = alpha is not None
        self.weights = (1.0, 0.0) if alpha is None else (alpha, 1 - alpha)
        self._means: Any = 0.0
        self._steps = 0
        if self.get_tp_size() * self.get_cp_size() * self.get_sp_size() > 1:
            raise ConfigError(
                "distill: sequences are not spread over processes while it is trained; use "
                "neither tensor nor context nor sequence parallelism"
            )

    @abstractmethod
    def token_losses(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """Give what is lost on each label in float32: sequences x labels; 0 where it is ignored."""

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """Give the batches of a step, and its learnt tokens: of answers, and of explanations."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._steps += bool(batches)
        counts = torch.zeros(2, dtype=torch.int64, device=device)
        for batch in batches:
            learnt = (batch["labels"][:, self.first_label :] != IGNORED).sum(1)
            counts += _of_each(learnt, batch[EXPLAINS]).to(device)
        return batches, self._over_processes(counts)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """Give a batch's part of the loss; Trainer adds the parts up, and averages processes."""
        explains = inputs.pop(EXPLAINS)
        sums = _of_each(self.token_losses(model, inputs), explains)
        means = sums / num_items_in_batch.clamp(min=1)
        self._means = self._means + means.detach()
        weighed = self.weights[0] * means[0] + self.weights[1] * means[1]
        whole: torch.Tensor = weighed * self.accelerator.num_processes
        return whole

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Tell both means with the loss."""
        if "loss" in logs:
            answers, explanations = (self._over_processes(self._means) / self._steps).tolist()
            logs["loss_answer"] = answers
            if self.explains:
                logs["loss_explanation"] = explanations
            self._means, self._steps = 0.0, 0
        super().log(logs, start_time)

    def _over_processes(self, pair: torch.Tensor) -> torch.Tensor:
        gathered: torch.Tensor = self.accelerator.gather(pair)
        return gathered.view(-1, 2).sum(0)


class LessonTrainer(PairLoss, SFTTrainer):  # type: ignore[misc]
    """Trains a decoder on lessons.

    Its losses are TRL's: the logits of a long sequence are never held all at once. What keeps the
    experts of a mixture evenly used is no part of them.

    Args:
        lessons: to train on.
        options: as of `trl.SFTTrainer`.
    """

    first_label = 1  # nothing stands before the first token, from which to predict it

    def __init__(self, *, lessons: Sequence[Lesson], chat_template: bool, **options: Any) -> None:
        tokenizer = options["processing_class"]

        def encode(part: Completion) -> Encoded:
            ((prompt, whole),) = tokenize(part, tokenizer, chat_template)
            learnt = common_prefix_length(prompt, whole)
            return {"input_ids": whole, "labels": [IGNORED] * learnt + whole[learnt:]}

        options["args"].router_aux_loss_coef = 0.0
        super().__init__(train_dataset=encoded(lessons, encode), **options)

    def token_losses(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """Give what is lost on all labels but the first."""
        told: torch.Tensor = model(**inputs, use_cache=False, fused_lm_head=True).log_probs
        return -told


class SideBySide:
    """Makes a batch of lessons: all their answers, then all their explanations.

    Args:
        pad: makes a batch of sequences.
    """

    def __init__(self, pad: Callable[[list[Encoded]], dict[str, Any]]) -> None:
        self.pad = pad

    def __call__(self, rows: Sequence[Mapping[str, list[int]]]) -> dict[str, Any]:
        """Make the batch."""
        answers = [{name: row[name] for name in COLUMNS} for row in rows]
        explanations = [
            {name: row[EXPLAINING + name] for name in COLUMNS}
            for row in rows
            if EXPLAINING + COLUMNS[0] in row
        ]
        explains = [False] * len(answers) + [True] * len(explanations)
        return {**self.pad(answers + explanations), EXPLAINS: torch.tensor(explains)}


def encoded(lessons: Sequence[Lesson], encode: Callable[[Completion], Encoded]) -> Any:
    """Give lessons as a data set of tokens and labels.

    Args:
        encode: gives those of an answer or explanation.
    """
    rows = []
    for lesson in lessons:
        row = encode(lesson.answering)
        if lesson.explaining is not None:
            told = encode(lesson.explaining)
            row |= {EXPLAINING + name: tokens for name, tokens in told.items()}
        rows.append(row)
    return Dataset.from_list(rows)


def _of_each(values: torch.Tensor, explains: torch.Tensor) -> torch.Tensor:
    """Sum what belongs to answers, and what to explanations."""
    return torch.stack([values[~explains].sum(), values[explains].sum()])
