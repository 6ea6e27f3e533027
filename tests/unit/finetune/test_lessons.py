"""Lessons learnt by a decoder: the loss by hand, what is masked, batches, resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune.formats import Completion, Lesson
from finetune.recipe import Adapter
from harness.errors import TrainingError
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
)
from tests.processes import run_two
from tests.tiny import CHAT_TEMPLATE, save_tiny_gpt2, save_tiny_llama
from tests.trainings import ADAPTER, completions, equal, weights
from tests.unit.finetune.test_trainer_faults import Spoil
from tests.unit.finetune.test_trainer_resume import OFTEN, StopAt, StoppedError

pytestmark = pytest.mark.slow

ENDED = CHAT_TEMPLATE.replace(
    "{{ m['content'] }}\n", "{{ m['content'] }}{{ '<eos>' if m['role'] == 'assistant' }}\n"
)
SURE = Adapter(r=4, alpha=8)
"""Without dropout."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"), chat=ENDED)


def all_at_once(rows: list[Lesson]) -> dict[str, Any]:
    return {"per_device_train_batch_size": len(rows), "max_steps": 1, **PLAIN_SGD}


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.75])
def test_lessons_loss_is_that_worked_out_by_hand_from_logits(
    alpha: float, tiny: Path, tmp_path: Path
):
    """Each sequence by itself, without padding, in numpy."""
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(tiny),
        AutoTokenizer.from_pretrained(tiny),
    )
    rows, means, tokens = lessons(5), [], []
    for part in ("answering", "explaining"):
        lost = []
        for row in rows:
            told = getattr(row, part)
            prompt = tokenizer.encode(f"{told.text}\n{told.cue}")
            ids = [*prompt, *tokenizer.encode(f" {told.answer}"), 0]  # 0 is the end
            with torch.no_grad():
                logits = model(torch.tensor([ids])).logits[0].numpy().astype(np.float64)
            for place in range(len(prompt), len(ids)):
                before = logits[place - 1]
                lost.append(np.log(np.exp(before).sum()) - before[ids[place]])
        means.append(np.mean(lost))
        tokens.append(lost)
    trained = run(recipe(tiny, alpha=alpha, **all_at_once(rows)), tmp_path, rows)
    by_hand = alpha * means[0] + (1 - alpha) * means[1]
    assert logged(trained) == pytest.approx([by_hand], rel=1e-5)
    assert logged(trained, "loss_answer") == pytest.approx([means[0]], rel=1e-5)
    assert logged(trained, "loss_explanation") == pytest.approx([means[1]], rel=1e-5)
    of_all_tokens = np.mean(tokens[0] + tokens[1])  # Trainer's own: explanations count more
    assert len(tokens[1]) > 2 * len(tokens[0])
    assert abs(logged(trained)[0] - of_all_tokens) > 0.01


def test_lessons_first_token_is_not_counted_where_nothing_stands_before_it(
    tiny: Path, tmp_path: Path
):
    """Without a question, " abc" and its end are five tokens, of which four can be predicted."""
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(tiny),
        AutoTokenizer.from_pretrained(tiny),
    )
    ids = torch.tensor([*tokenizer.encode(" abc"), 0])
    by_hand = torch.nn.functional.cross_entropy(model(ids[None]).logits[0, :-1], ids[1:]).item()
    rows = [Lesson(Completion("", "", "abc", "doc"), None)]
    trained = run(recipe(tiny, **all_at_once(rows)), tmp_path, rows)
    assert logged(trained) == pytest.approx([by_hand], rel=1e-5)


@pytest.mark.parametrize("alpha", [0.25, 0.5])
def test_lessons_a_step_goes_down_the_gradient_of_the_weighed_loss(
    alpha: float, tiny: Path, tmp_path: Path
):
    """All weights, by plain gradient descent; batches of 3 and 2 lessons make one step."""
    model, tokenizer = (
        AutoModelForCausalLM.from_pretrained(tiny),
        AutoTokenizer.from_pretrained(tiny),
    )
    rows = lessons(5)
    answers, explanations, _ = means_by_hand(model, tokenizer, rows)
    (alpha * answers + (1 - alpha) * explanations).backward()
    told = recipe(
        tiny, alpha=alpha, adapter=None, max_steps=1,
        **{**PLAIN_SGD, "per_device_train_batch_size": 3, "gradient_accumulation_steps": 2},
    )  # fmt: skip
    after = weights(run(told, tmp_path, rows).folder)
    for name, weight in model.named_parameters():
        if name in after:
            assert weight.grad.abs().max() > 1e-4
            stepped = weight.detach() - 0.1 * weight.grad
            torch.testing.assert_close(after[name], stepped, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("batch", "accumulated"), [(4, 2), (2, 4), (1, 8)])
def test_lessons_accumulated_gradients_make_the_steps_of_one_batch(
    batch: int, accumulated: int, tiny: Path, tmp_path: Path
):
    """Two steps of eight lessons and of four, twice."""
    rows = lessons(12)
    whole, parts = (
        run(
            recipe(
                tiny, adapter=None, per_device_train_batch_size=size,
                gradient_accumulation_steps=count, **PLAIN_SGD,
            ),
            tmp_path / str(size),
            rows,
        )
        for size, count in ((8, 1), (batch, accumulated))
    )  # fmt: skip
    assert_learnt_alike(parts, whole, rel=1e-5, atol=1e-6)


@pytest.mark.slow
def test_lessons_logged_losses_add_up_and_are_averaged_over_steps(tiny: Path, tmp_path: Path):
    often, seldom = (
        run(
            recipe(tiny, alpha=0.3, gradient_accumulation_steps=2, logging_steps=steps),
            tmp_path / str(steps),
        )
        for steps in (1, 2)
    )
    names = ("loss_answer", "loss_explanation")
    for name in names:
        one_by_one = logged(often, name)
        pairs = [sum(one_by_one[place : place + 2]) / 2 for place in (0, 2)]
        assert logged(seldom, name) == pytest.approx(pairs, rel=1e-5)
    for trained in (often, seldom):
        answers, explanations = (logged(trained, name) for name in names)
        weighed = [0.3 * a + 0.7 * e for a, e in zip(answers, explanations, strict=True)]
        assert logged(trained) == pytest.approx(weighed, rel=1e-5)


@pytest.mark.parametrize("chat", [False, True])
def test_lessons_are_tokenized_and_masked_as_trl_does(chat: bool, tiny: Path, tmp_path: Path):
    ours = build(recipe(tiny, chat=chat), tmp_path / "ours").train_dataset
    for part, before in (("answering", ""), ("explaining", "explaining_")):
        plain = trainings.build(
            trainings.recipe(tiny, chat=chat),
            tmp_path / part,
            [getattr(row, part) for row in lessons()],
        )
        theirs = plain.train_dataset
        for name in ("input_ids", "labels"):
            assert ours[before + name] == theirs[name]


@pytest.mark.parametrize("chat", [False, True])
def test_lessons_prompts_are_masked_and_answers_are_learnt_with_their_end(
    chat: bool, tiny: Path, tmp_path: Path
):
    trainer = build(recipe(tiny, chat=chat), tmp_path)
    tokenizer = trainer.processing_class
    batch = next(iter(trainer.get_train_dataloader()))
    assert batch["explains"].tolist() == [False, False, True, True]
    known = {part.text: part for row in lessons() for part in (row.answering, row.explaining)}
    for place, (ids, labels) in enumerate(zip(batch["input_ids"], batch["labels"], strict=True)):
        text = tokenizer.decode(ids)
        part = next(known[text] for text in known if text in tokenizer.decode(ids))
        assert part.text.startswith("Question" if place < 2 else "Why")
        prompt = f"<user>{part.text}\n<assistant>" if chat else f"{part.text}\n{part.cue}"
        answer = f"{part.answer}<eos>\n" if chat else f" {part.answer}<eos>"
        assert text.startswith(prompt + answer)
        learnt = range(len(prompt), len(prompt) + len(answer) - len("<eos>") + 1)
        assert [at for at, label in enumerate(labels.tolist()) if label != -100] == [*learnt]
        assert torch.equal(ids[labels != -100], labels[labels != -100])
        assert batch["attention_mask"][place].sum() == learnt[-1] + 1


@pytest.mark.parametrize("adapter", [ADAPTER, None])
def test_lessons_answers_alone_are_plain_sft(adapter: Any, tiny: Path, tmp_path: Path):
    """The same losses and weights as TRL's own trainer has; alpha does not matter."""
    ours = run(recipe(tiny, adapter=adapter, alpha=0.1), tmp_path / "a", lessons(explained=False))
    answers = [row.answering for row in lessons()]
    theirs = trainings.run(trainings.recipe(tiny, adapter=adapter), tmp_path / "b", answers)
    assert logged(ours) == pytest.approx(logged(theirs), rel=1e-5)
    assert logged(ours, "loss_answer") == pytest.approx(logged(ours), rel=1e-6)
    assert logged(ours, "loss_explanation") == []
    first, second = weights(ours.folder), weights(theirs.folder)
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("adapter", [ADAPTER, None])
def test_lessons_both_losses_fall(adapter: Any, tiny: Path, tmp_path: Path):
    trained = run(recipe(tiny, adapter=adapter, num_train_epochs=8), tmp_path)
    for name in ("loss_answer", "loss_explanation"):
        losses = logged(trained, name)
        assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    assert (trained.rows, trained.dropped, trained.epochs) == (8, {}, 8.0)


@pytest.mark.slow
def test_lessons_weight_decides_what_is_learnt_better(tiny: Path, tmp_path: Path):
    answers, explanations = (
        run(recipe(tiny, alpha=alpha, num_train_epochs=8), tmp_path / str(alpha))
        for alpha in (0.95, 0.05)
    )
    assert logged(answers, "loss_answer")[-1] < logged(explanations, "loss_answer")[-1]
    assert logged(answers, "loss_explanation")[-1] > logged(explanations, "loss_explanation")[-1]


def test_lessons_in_bfloat16_are_weighed_in_float32(tiny: Path, tmp_path: Path):
    trainer = build(recipe(tiny, dtype="bfloat16"), tmp_path)
    batch = next(iter(trainer.get_train_dataloader()))
    del batch["explains"]
    with trainer.accelerator.autocast():
        assert trainer.token_losses(trainer.model, batch).dtype == torch.float32


@pytest.mark.slow
def test_lessons_equal_seeds_give_equal_weights_and_others_others(tiny: Path, tmp_path: Path):
    first, second, other = (
        run(recipe(tiny, seed=seed), tmp_path / str(place)) for place, seed in enumerate([3, 3, 4])
    )
    assert equal(first.folder, second.folder)
    assert not equal(first.folder, other.folder)


@pytest.mark.slow
@pytest.mark.parametrize("explained", [True, False])
@pytest.mark.parametrize("adapter", [Adapter(r=4, alpha=8, dropout=0.3), None])
def test_lessons_stopped_give_the_weights_of_not_stopped(
    adapter: Any, explained: bool, tiny: Path, tmp_path: Path
):
    told = recipe(tiny, adapter=adapter, gradient_accumulation_steps=2, **OFTEN)
    rows = lessons(explained=explained)
    whole = run(told, tmp_path / "whole", rows)
    with pytest.raises(StoppedError):
        run(told, tmp_path / "parts", rows, callbacks=[StopAt(3)])
    parts = run(told, tmp_path / "parts", rows)
    assert parts.resumed_from == 2 and parts.steps == whole.steps == 4
    assert equal(whole.folder, parts.folder)
    assert logged(parts) == logged(whole)
    assert logged(parts, "loss_answer") == logged(whole, "loss_answer")


@pytest.mark.slow
def test_lessons_folder_of_a_training_with_another_alpha_is_refused(tiny: Path, tmp_path: Path):
    with pytest.raises(StoppedError):
        run(recipe(tiny, **OFTEN), tmp_path, callbacks=[StopAt(3)])
    with pytest.raises(TrainingError, match=r"holds another training: data\.alpha differ"):
        run(recipe(tiny, alpha=0.6, **OFTEN), tmp_path)


def test_lessons_nan_loss_stops_at_its_step(tiny: Path, tmp_path: Path):
    with pytest.raises(TrainingError, match="diverged at step 4: loss is nan"):
        run(recipe(tiny), tmp_path, callbacks=[Spoil(3)])


SCRIPT = """
import json
import sys
from pathlib import Path
from accelerate import PartialState
from tests.lessons import *

place, seq2seq = Path(sys.argv[1]), sys.argv[2] == "seq2seq"
told = recipe(
    place.parent / "model", seq2seq=seq2seq, adapter=None, per_device_train_batch_size=1,
    gradient_accumulation_steps=2, **GENTLE,
)
trained = run(told, place)
assert PartialState().num_processes == 2
names = ("loss", "loss_answer", "loss_explanation")
losses = json.dumps([logged(trained, name) for name in names])
(place / f"rank{PartialState().process_index}.json").write_text(losses)
PartialState().destroy_process_group()
"""


def require_two_processes_to_be_as_one(model: Path, place: Path, *, seq2seq: bool) -> None:
    """Compare two processes, each with two batches of one a step, with one with batches of 4."""
    import json

    kind = "seq2seq" if seq2seq else "causal"
    status, said = run_two(SCRIPT, place / "two", str(place / "two"), kind)
    assert status == 0, said[-3000:]
    told = recipe(model, seq2seq=seq2seq, adapter=None, per_device_train_batch_size=4, **GENTLE)
    one = run(told, place / "one")
    for rank in (0, 1):
        told_losses = json.loads((place / "two" / f"rank{rank}.json").read_text())
        names = ("loss", "loss_answer", "loss_explanation")
        for name, losses in zip(names, told_losses, strict=True):
            assert len(losses) == 4  # two epochs of eight lessons, four a step
            assert losses == pytest.approx(logged(one, name), rel=1e-5)
    ours, theirs = weights(place / "two" / "done"), weights(one.folder)
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_lessons_in_two_processes_are_learnt_as_in_one(tmp_path: Path):
    model = save_tiny_llama(tmp_path / "model")
    require_two_processes_to_be_as_one(model, tmp_path, seq2seq=False)


def test_lessons_some_without_explanation_or_with_other_rows_are_refused(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("finetune.training.jobs.load_model", lambda *_: pytest.fail("was loaded"))
    mixed = [*lessons(2), *lessons(2, explained=False)]
    with pytest.raises(ValueError, match="or none of them"):
        run(recipe(tiny), tmp_path, mixed)
    with pytest.raises(ValueError, match="of one type"):
        run(recipe(tiny), tmp_path, [*lessons(2), *completions(2)])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="dev must be empty"):
        run(recipe(tiny), tmp_path, dev=lessons(1))
    with pytest.raises(ValueError, match="only recipes of distill"):
        trainings.run(trainings.recipe(tiny), tmp_path, lessons())


def test_lessons_gpt2_whose_layers_are_transposed_learns_them_too(tmp_path: Path):
    trained = run(recipe(save_tiny_gpt2(tmp_path / "gpt2"), num_train_epochs=6), tmp_path)
    assert logged(trained)[-1] < logged(trained)[0]
