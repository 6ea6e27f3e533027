"""DPO's reference model is the one that was meant: looked at through its log-probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from finetune.trainer import Start
from tests.tiny import save_tiny_llama
from tests.trainings import ADAPTER, build, recipe, run

pytestmark = pytest.mark.slow

BETA = 0.1  # trl's default


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that was trained far from the base."""
    place = tmp_path_factory.mktemp("adapter")
    return run(recipe(tiny, dpo=True, learning_rate=5e-2), place).folder


def log_probs(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Sum the log-probabilities of each answer's tokens, from the logits of all positions."""
    with torch.no_grad():
        logits = model.eval()(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    told = logits[:, :-1].log_softmax(-1).gather(2, batch["input_ids"][:, 1:, None])[..., 0]
    return (told * batch["completion_mask"][:, 1:]).sum(1)


def base_model(tiny: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny)


def reference_of(trainer: Any, batch: Any) -> torch.Tensor:
    """Give what the trainer takes for the reference."""
    chosen, rejected = trainer.compute_ref_log_probs(trainer.ref_model or trainer.model, batch)
    return torch.cat([chosen, rejected])


def loss_of(policy: torch.Tensor, reference: torch.Tensor) -> float:
    """DPO, formula 7 of Rafailov et al. 2023, arXiv:2305.18290."""
    ratio = (policy - reference).chunk(2)
    return -torch.nn.functional.logsigmoid(BETA * (ratio[0] - ratio[1])).mean().item()


def check(trainer: Any, policy: Any, reference: Any) -> None:
    batch = next(iter(trainer.get_train_dataloader()))
    ours, theirs = log_probs(policy, batch), log_probs(reference, batch)
    assert reference_of(trainer, batch) == pytest.approx(theirs, rel=1e-4)
    trainer.model.eval()
    loss = trainer.compute_loss(trainer.model, batch).item()
    assert loss == pytest.approx(loss_of(ours, theirs), rel=1e-4)


def test_train_fresh_adapter_is_measured_against_the_base(tiny: Path, tmp_path: Path):
    trainer = build(recipe(tiny, dpo=True), tmp_path)
    assert trainer.ref_model is None  # the model without the adapter serves
    torch.manual_seed(1)
    for name, value in trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, 0, 0.3)  # as after some steps
    batch = next(iter(trainer.get_train_dataloader()))
    base = log_probs(base_model(tiny), batch)
    assert reference_of(trainer, batch) == pytest.approx(base, rel=1e-4)
    assert (log_probs(trainer.model, batch) - base).abs().min() > 0.1


def test_train_adapter_with_reference_is_measured_against_that(
    tiny: Path, adapter: Path, tmp_path: Path
):
    start = Start(model=str(tiny), adapter=adapter, reference=str(tiny))
    trainer = build(recipe(tiny, dpo=True), tmp_path, start=start)
    assert not any(weight.requires_grad for weight in trainer.ref_model.parameters())
    check(trainer, PeftModel.from_pretrained(base_model(tiny), str(adapter)), base_model(tiny))


def test_train_adapter_without_reference_is_measured_against_its_start(
    tiny: Path, adapter: Path, tmp_path: Path
):
    trainer = build(recipe(tiny, dpo=True), tmp_path, start=Start(model=str(tiny), adapter=adapter))
    begun = PeftModel.from_pretrained(base_model(tiny), str(adapter))
    check(trainer, begun, begun)
    trainer.train()
    batch = next(iter(trainer.get_train_dataloader()))
    assert reference_of(trainer, batch) == pytest.approx(log_probs(begun, batch), rel=1e-4)
    assert (log_probs(trainer.model, batch) - log_probs(begun, batch)).abs().min() > 0.1


def test_train_base_and_adapter_are_far_apart_here(tiny: Path, adapter: Path, tmp_path: Path):
    """Or the tests above could not tell them apart."""
    batch = next(iter(build(recipe(tiny, dpo=True), tmp_path).get_train_dataloader()))
    trained = PeftModel.from_pretrained(base_model(tiny), str(adapter))
    assert (log_probs(trained, batch) - log_probs(base_model(tiny), batch)).abs().min() > 0.5


@pytest.mark.parametrize("precomputed", [False, True])
def test_train_all_weights_are_measured_against_their_start(
    precomputed: bool, tiny: Path, tmp_path: Path
):
    told = recipe(tiny, dpo=True, adapter=None, precompute_ref_log_probs=precomputed)
    trainer = build(told, tmp_path)
    if precomputed:
        assert trainer.ref_model is None
        batch = next(iter(trainer.get_train_dataloader()))
        kept = torch.cat([batch["ref_chosen_logps"], batch["ref_rejected_logps"]])
        assert kept == pytest.approx(log_probs(base_model(tiny), batch), rel=1e-4)
        return
    assert trainer.ref_model.dtype == trainer.model.dtype == torch.float32
    assert not any(weight.requires_grad for weight in trainer.ref_model.parameters())
    check(trainer, base_model(tiny), base_model(tiny))
    trainer.train()
    batch = next(iter(trainer.get_train_dataloader()))
    assert reference_of(trainer, batch) == pytest.approx(
        log_probs(base_model(tiny), batch), rel=1e-4
    )


def test_train_all_weights_with_reference_are_measured_against_that(tiny: Path, tmp_path: Path):
    other = save_tiny_llama(tmp_path / "other", seed=5)
    start = Start(model=str(other), reference=str(tiny))
    trainer = build(recipe(other, dpo=True, adapter=None), tmp_path, start=start)
    check(trainer, base_model(other), base_model(tiny))


def test_train_reference_is_of_the_recipes_revision_and_model_of_the_starts(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """TRL by itself would load the reference from the hub's default revision."""
    from dataclasses import replace

    asked: list[tuple[str, str | None]] = []
    real = AutoModelForCausalLM.from_pretrained

    def load(name: str, **options: Any) -> Any:
        asked.append((name, options.get("revision")))
        return real(tiny, dtype=options["dtype"])

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", load)
    told = recipe(tiny, dpo=True, adapter=None)
    told = replace(told, model=replace(told.model, revision="second"))
    build(told, tmp_path, start=Start(model=str(tiny), revision="first", reference="some/base"))
    build(told, tmp_path, start=Start(model=str(tiny), revision="first"))
    assert asked == [
        (str(tiny), "first"),
        ("some/base", "second"),
        (str(tiny), "first"),
        (str(tiny), "first"),
    ]


def test_train_pretrained_reference_is_kept_over_a_second_round(tiny: Path, tmp_path: Path):
    """Margins of the second round begin where the first ended, and not at 0."""
    told = recipe(tiny, dpo=True, adapter=ADAPTER, num_train_epochs=4)
    first = run(told, tmp_path / "1")
    kept = Start(model=str(tiny), adapter=first.folder, reference=str(tiny))
    renewed = Start(model=str(tiny), adapter=first.folder)
    margins = [
        run(told, tmp_path / name, start=start).log[0]["rewards/margins"]
        for name, start in (("kept", kept), ("renewed", renewed))
    ]
    assert margins[0] > 0.2
    assert margins[1] == pytest.approx(0, abs=1e-6)
