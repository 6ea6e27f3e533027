"""Students of encoder and decoder are scored like others, by lm-eval's own class."""

from __future__ import annotations

from pathlib import Path

from lm_eval.models.huggingface import HFLM

from finetune.recipe import DistillData, Model, Recipe, Score, Scratch
from finetune.scoring import score
from finetune.sources import base_of
from harness.backend import Backend
from tests.tiny import byte_tokenizer, save_tiny_t5

SHORT, LONG = "Is water wet?", "Is water wet? " * 20
SETTINGS = {"max_gen_toks": 6, "until": ["\n"], "do_sample": False}


def test_score_random_t5_answers_dialogues_and_choices(tmp_path: Path) -> None:
    byte_tokenizer().save_pretrained(tmp_path / "tokenizer")
    config = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    recipe = Recipe(
        method="distill",
        model=Model(
            name=str(tmp_path / "tokenizer"),
            architecture="seq2seq",
            scratch=Scratch(type="t5", config=config),
            chat_template=False,
            adapter=None,
        ),
        data=DistillData(questions="x/y", kind="options"),
        score=Score(
            tasks=("sample_reasoning_choice", "sample_truthfulness_mc1"),
            retention=("retention_generation",),
            subset=4,
        ),
    )

    run = score(recipe, base_of(recipe), tmp_path / "run")

    assert run is not None
    assert {name: task.failed for name, task in run.tasks.items()} == dict.fromkeys(
        ("sample_reasoning_choice", "sample_truthfulness_mc1", "retention_generation")
    )
    assert run.tasks["sample_reasoning_choice"].metrics["accuracy"].n == 4
    assert run.tasks["sample_truthfulness_mc1"].metrics["acc"].n == 4


def test_backend_decoder_beside_an_encoder_is_held_to_its_limit_in_any_company(
    tmp_path: Path,
) -> None:
    """A random T5 ends nothing by itself; each of its tokens is a byte."""
    lm = HFLM(str(save_tiny_t5(tmp_path)), device="cpu", batch_size=2)
    lm.model.generation_config.suppress_tokens = [lm.eot_token_id]
    requests = [(SHORT, dict(SETTINGS)), (LONG, dict(SETTINGS))]

    [alone] = Backend(lm).ask("generate_until", requests[:1])
    together = Backend(lm).ask("generate_until", requests)

    assert together[0] == alone
    tokens = lm.tokenizer(SHORT, return_tensors="pt").input_ids
    whole = lm.model.generate(tokens, max_new_tokens=6, do_sample=False)
    assert alone == lm.tok_decode(whole[0].tolist()).split("\n")[0] != ""
