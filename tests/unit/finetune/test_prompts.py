"""The prompts of the training methods: frozen whole, and strictly read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from finetune.writing.consistent_answers import SLOTS, completions, consistency_prompts
from finetune.writing.pairs import SLOTS as PAIR_SLOTS
from finetune.writing.pairs import pair_prompts
from finetune.writing.prompt_files import FOLDER, read_prompts
from finetune.writing.teacher_answers import Reasoned, ask
from harness.domains import Posed
from harness.errors import ConfigError

GOLDEN = Path(__file__).parents[2] / "golden" / "prompts"
POSED = {
    "yes_no": Posed("Did Ann <i>row</i> {{ 7 * 7 }} times?"),
    "options": Posed("Where is Ann?", ("sea", "{{ 7 }}")),
}
TOLD = {
    "explanation": "She rows.", "label": "-", "count": "4", "options": "2",
    "reply": "She rows. So the answer is -.",
}  # fmt: skip


def check(name, rendered):
    golden = GOLDEN / f"{name}.txt"
    assert golden.is_file(), f"no {golden}; write:\n{rendered}"
    assert golden.read_text(encoding="utf-8") == rendered


def test_prompts_of_grath_are_the_golden_ones():
    prompts, question = pair_prompts(), POSED["yes_no"].question
    rendered = "".join(
        f"--- {stage}\n{prompts[stage].render(question=question).strip()}\n{prompts[stage].cue}\n"
        for stage in PAIR_SLOTS
    )
    check("finetune_grath", rendered)


@pytest.mark.parametrize("kind", POSED)
def test_prompts_of_ec_sft_are_the_golden_ones_of_their_kind(kind):
    prompts, posed = consistency_prompts(kind), POSED[kind]
    slots = {**TOLD, "asked": posed.text, "question": posed.text, "answers": posed.answers}
    told = [
        ask(prompts, stage, **{name: slots[name] for name in names})
        for stage, names in SLOTS.items()
    ]
    check(
        f"finetune_ec_sft_{kind}",
        "".join(f"--- {question.stage}\n{question.text}\n{question.cue}\n" for question in told),
    )


def test_rows_ask_with_the_golden_prompt():
    prompts, posed = consistency_prompts("yes_no"), POSED["yes_no"]
    reads = {"h": {"rows": [], "dropped": {}}}
    row = completions({"h": Reasoned(posed, "She rows.", "yes")}, reads, prompts).rows[0]
    golden = (GOLDEN / "finetune_ec_sft_yes_no.txt").read_text(encoding="utf-8")
    assert golden.endswith(f"--- train\n{row.text}\n{row.cue}\n") and row.cue


def test_digest_is_that_of_the_file():
    content = (FOLDER / "grath.yaml").read_bytes()
    assert pair_prompts().digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("train: {prompt: 'x'}", "must hold a prompt for each of pair, renew, train"),
        ("[1]", "must hold a prompt for each"),
        ("a: [", "cannot be read"),
        ("pair: {}\nrenew: {prompt: x}\ntrain: {prompt: x}", "prompt"),
        ("pair: x\nrenew: {prompt: x}\ntrain: {prompt: x}", "grath.yaml: "),
        ("pair: {prompt: x, untl: []}\nrenew: {prompt: x}\ntrain: {prompt: x}", "'until'"),
        ("pair: {prompt: '{{ q }}'}\nrenew: {prompt: x}\ntrain: {prompt: x}", "known: question"),
    ],
)
def test_read_prompts_faults_name_the_file(tmp_path, text, complaint):
    file = tmp_path / "grath.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_prompts("grath", PAIR_SLOTS, tmp_path)
    assert str(caught.value).startswith(f"{file}: ") and complaint in str(caught.value)


def test_read_prompts_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"grath\.yaml: cannot be read"):
        read_prompts("grath", PAIR_SLOTS, tmp_path)
