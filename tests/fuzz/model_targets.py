"""What reads models, answers that were kept, and the folders of finetunings and watches."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz.trying import Said, Target, run_reader
from tests.records import store
from tests.tiny import save_tiny_gpt2
from tests.unit.finetune.recipe_cases import GRATH, as_yaml

ANSWERS = {f"k{number}": f"answer {number} of the model, in some words" for number in range(200)}
MORE = {f"m{number}": f"a later answer, {number}" for number in range(20)}
SETTINGS = {"folder": "/models", "tasks": ["t"], "subset": 5, "base": "b", "model_args": {"a": 1}}
IDENTITY = {"rows": "abc", "base": "def"}


def build_model(folder: Path) -> None:
    save_tiny_gpt2(folder / "model", positions=128, chat=True)


def build_adapter(folder: Path) -> None:
    """Save a model, and an adapter of it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    build_model(folder)
    torch.manual_seed(0)
    config = LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True)
    model = AutoModelForCausalLM.from_pretrained(folder / "model")
    get_peft_model(model, config).save_pretrained(folder / "adapter")
    file = folder / "adapter" / "adapter_config.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "base_model_name_or_path": BASE_OF}))


BASE_OF = "BASE"
"""Stands for the base's folder, which each case has at another place."""


def load_model(folder: Path) -> Said:
    return _load(folder / "model")


def load_adapter(folder: Path) -> Said:
    file = folder / "adapter" / "adapter_config.json"
    if file.is_file():
        base = str(folder / "model").encode()
        file.write_bytes(file.read_bytes().replace(BASE_OF.encode(), base))
    return _load(folder / "adapter")


def _load(folder: Path) -> Said:
    from harness.loading import load
    from harness.models import fingerprint

    os.environ["SELFCHECK_HOME"] = str(folder.parent / "home")

    def read() -> None:
        lm = load(
            "hf", {"pretrained": str(folder)}, chat_template=False, device="cpu", batch_size=1
        )
        fingerprint(lm)

    return run_reader(read)


def build_cache(folder: Path) -> None:
    """Keep answers, some of which are in the log of what was written last."""
    import shutil

    from harness.cache import ResponseCache

    file = folder / "made" / "answers.sqlite"
    with ResponseCache.open(file) as kept:
        for key, answer in ANSWERS.items():
            kept.put("model", "generate_until", key, answer)
    with ResponseCache.open(file) as kept:
        for key, answer in MORE.items():
            kept.put("model", "generate_until", key, answer)
        for name in ("answers.sqlite", "answers.sqlite-wal"):
            shutil.copy(folder / "made" / name, folder / name)
    shutil.rmtree(folder / "made")


def use_cache(folder: Path) -> Said:
    """Look answers up, keep another, and find it again: a run goes on, whatever the file is."""
    from harness.cache import ResponseCache

    os.environ["SELFCHECK_CACHE"] = str(folder)
    wanted = {**ANSWERS, **MORE}

    def read() -> None:
        for _ in range(2):
            with ResponseCache.default() as kept:
                if kept is None:
                    continue
                found = kept.get_many("model", "generate_until", [*wanted, "new"])
                wrong = {key: told for key, told in found.items() if told != wanted.get(key, "new")}
                assert not wrong, f"wrong answers: {wrong}"
                kept.put("model", "generate_until", "new", "new")

    return run_reader(read)


def build_hashes(folder: Path) -> None:
    (folder / "home").mkdir()
    for number in range(3):
        (folder / f"weights-{number}").write_bytes(bytes([number]) * 1000)
        os.utime(folder / f"weights-{number}", (1e9, 1e9))
    entries = {f"/nowhere/{n}": [1000, 1, 1, 1, "0" * 64] for n in range(3)}
    (folder / "home" / "hashes.json").write_text(json.dumps(entries))


def use_hashes(folder: Path) -> Said:
    """Hash files: from what is remembered of them, or anew."""
    from harness.hashes import file_sha256

    os.environ["SELFCHECK_HOME"] = str(folder / "home")

    def read() -> None:
        for _ in range(2):
            for file in sorted(folder.glob("weights-*")):
                assert file_sha256(file) == hashlib.sha256(file.read_bytes()).hexdigest()

    return run_reader(read)


def build_watch(folder: Path) -> None:
    from finetune.watching.state import open_state, save

    state = open_state(folder, SETTINGS)
    state.scored["checkpoint-1"], state.failed["checkpoint-2"] = "0" * 64, "it has no weights"
    save(state, folder)


def open_watch(folder: Path) -> Said:
    from finetune.watching.state import open_state, save

    return run_reader(lambda: save(open_state(folder, SETTINGS), folder))


def build_finetuning(folder: Path) -> None:
    """Write what a finetuning leaves, as far as a later one reads it."""
    from finetune.stages import Facts
    from finetune.training.resume import Ledger
    from finetune.workspace import Workspace

    work = Workspace(folder)
    for name in ("data", "training", "checkpoints", "runs"):
        (folder / name).mkdir()
    (folder / "recipe.yaml").write_text(as_yaml(GRATH))
    runs = {name: store(work.run(name), {"t": {"acc": [0.0, 1.0] * 5}}) for name in ("base", "dpo")}
    save_tiny_gpt2(work.checkpoint("dpo"), positions=32)
    stage = {"name": "dpo", "checkpoint": "dpo", "facts": {"loss": 0.5}, "baselines": []}
    told = {"stages": [stage], "runs": {n: run.id for n, run in runs.items()}, "inputs": {"d": "x"}}
    (folder / "training.json").write_text(json.dumps(told, indent=1))
    _write_facts(work.facts("dpo"), Facts)
    work.training("dpo").mkdir()
    Ledger(work.training("dpo") / "selfcheck.json", IDENTITY, 5.0, 1000).write()
    _write_rows(work.rows("pairs"))


def _write_facts(file: Path, kind: Any) -> None:
    from dataclasses import fields

    values = {"key": "abc", "peak_memory_of": "cpu", "dropped": {"long": 1}, "log": [{"loss": 0.5}]}
    made = {one.name: values.get(one.name, 1) for one in fields(kind)}
    file.write_text(json.dumps(made, indent=1))


def _write_rows(file: Path) -> None:
    from finetune.formats import Completion
    from finetune.writing.row_files import Header, write_rows

    header = Header(
        method="ec_sft", name="pairs", data={"path": "p"}, teacher="t", teacher_identity="i",
        prompts="d", documents=4, dropped={"x": 1}, leaked=["y"], key="key",
    )  # fmt: skip
    write_rows(file, header, [_row(Completion, number) for number in range(4)])


def _row(kind: Any, number: int) -> Any:
    return kind(f"prompt {number}", "Answer:", f"completion {number}", f"{number:064x}")


def read_finetuning(folder: Path) -> Said:
    """Read all that a later command reads of a finetuning's folder."""
    from finetune.stages import facts_of
    from finetune.sweeps.finished import read_finished
    from finetune.training.resume import open_ledger
    from finetune.workspace import Workspace, check_free
    from finetune.writing.row_files import read_rows

    work = Workspace(folder)

    def read() -> str | None:
        check_free(folder, _recipe())
        facts_of(work, "dpo")
        open_ledger(work.training("dpo"), IDENTITY)
        read_rows(work.rows("pairs"), "key")
        told = read_finished(folder, True)
        return told if isinstance(told, str) else None

    return run_reader(read)


@cache
def _recipe() -> Any:
    import tempfile

    from finetune.reading.recipe_file import read_recipe

    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "recipe.yaml").write_text(as_yaml(GRATH))
        return read_recipe(Path(place) / "recipe.yaml")


FINETUNING = ("*.yaml", "*.json", "training/*.json", "training/*/*.json", "data/*.jsonl")
MODEL_TARGETS = [
    Target("checkpoint", build_model, ("model/*",), load_model, stands_for=("{parent}",)),
    Target("adapter", build_adapter, ("adapter/adapter*",), load_adapter, stands_for=("{parent}",)),
    Target("cache", build_cache, ("answers.sqlite*",), use_cache),
    Target("hashes", build_hashes, ("home/*.json",), use_hashes),
    Target("watch", build_watch, ("watch.json",), open_watch, stands_for=("--output {folder}",)),
    Target(
        "finetuning",
        build_finetuning,
        FINETUNING,
        read_finetuning,
        stands_for=("{parent}", "not scored", "it has no checkpoint"),
    ),
]
