"""`selfcheck watch`: real checkpoints of tiny models, scored in processes of their own."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.commands import main
from harness.run_files import read_run
from tests.tiny import save_tiny_gpt2

TASK = "sample_truthfulness_mc1"
ASKED = ["--tasks", TASK, "--subset", "4", "--device", "cpu", "--dtype", "float32"]
QUICK = ["--once", "--settle", "0"]


@pytest.fixture(autouse=True)
def no_other_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def base(tmp_path):
    return save_tiny_gpt2(tmp_path / "base, of=mine")  # a name that arguments must survive


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


def save_adapter(base, folder):
    config = LoraConfig(target_modules=["c_attn"], fan_in_fan_out=True, init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)


def watch(folder, base, output, *more):
    return main(["watch", str(folder), *ASKED, "--base", str(base), "--output", str(output), *more])


def board_of(output):
    with (output / "board" / "wide.csv").open(newline="") as lines:
        return [row["model"] for row in csv.DictReader(lines)]


def test_watch_scores_models_and_adapters_once_and_keeps_a_board(base, folder, tmp_path, capsys):
    output = tmp_path / "watched"
    save_tiny_gpt2(folder / "checkpoint-2", seed=1)
    save_adapter(base, folder / "checkpoint-10")
    shutil.copytree(base, folder / "checkpoint-11")
    (folder / "checkpoint-11" / "model.safetensors").unlink()
    save_tiny_gpt2(folder / "checkpoint-12", seed=2)
    for file in folder.glob("checkpoint-12/token*"):
        file.unlink()
    assert watch(folder, base, output, *QUICK) == 1
    runs = {path.name: read_run(path) for path in (output / "runs").iterdir()}
    assert set(runs) == {"base", "checkpoint-2", "checkpoint-10"}
    assert runs["base"].record.model.args["pretrained"] == str(base)
    assert runs["checkpoint-10"].record.model.args["dtype"] == "float32"
    assert len({run.record.model.fingerprint for run in runs.values()}) == 3
    assert sorted(board_of(output)) == ["base", "checkpoint-10", "checkpoint-2"]
    assert "*" not in board_of(output) and "compared with base" not in capsys.readouterr().err
    failed = json.loads((output / "watch.json").read_text())["failed"]
    assert "there are no weights" in failed["checkpoint-11"]
    assert "it has no tokenizer" in failed["checkpoint-12"]

    shutil.rmtree(folder / "checkpoint-11")
    AutoTokenizer.from_pretrained(base).save_pretrained(folder / "checkpoint-12")
    assert watch(folder, base, output, *QUICK) == 0
    assert len(board_of(output)) == 4
    kept = {name: read_run(output / "runs" / name).id for name in runs}
    assert kept == {name: run.id for name, run in runs.items()}  # none was scored twice

    other = tmp_path / "other"
    assert watch(folder, output / "runs" / "base", other, *QUICK) == 0
    assert not (other / "runs" / "base").exists() and len(board_of(other)) == 4
    again = read_run(other / "runs" / "checkpoint-2").tasks[TASK]
    assert again.metrics == runs["checkpoint-2"].tasks[TASK].metrics


def test_watch_that_is_told_to_end_ends_cleanly_and_goes_on_later(base, folder, tmp_path):
    output = tmp_path / "watched"
    line = [sys.executable, "-m", "harness.commands", "watch", str(folder), *ASKED]
    line += ["--base", str(base), "--output", str(output), "--settle", "0", "--every", "0.2"]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        wait_for(output / "runs" / "base" / "run.json", process)
        save_tiny_gpt2(tmp_path / "made", seed=1)
        (tmp_path / "made").rename(folder.with_name("tmp"))
        folder.mkdir()
        folder.with_name("tmp").rename(folder / "step-1")
        wait_for(output / "runs" / "step-1" / "run.json", process)
        wait_for(output / "board" / "board.md", process)
    finally:
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 0 and "Stopped; what is scored is kept" in told
    assert watch(folder, base, output, *QUICK) == 0


def wait_for(file, process):
    while not file.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)


def refusal(capsys, status, *line):
    assert main(["watch", *map(str, line)]) == status
    return capsys.readouterr().err


def test_watch_says_what_is_wrong_before_it_begins(base, folder, tmp_path, capsys):
    folder.mkdir()
    output = tmp_path / "watched"
    told = [folder, *ASKED, "--output", output, "--once", "--base"]
    assert "Did you mean 'sample_truthfulness_mc1'" in refusal(
        capsys, 1, folder, "--tasks", "sample_truthfulnes_mc1", "--base", base, "--output", output
    )
    assert "there is no such folder" in refusal(capsys, 1, *told, tmp_path / "nothing")
    (base / "model.safetensors").write_bytes(b"")
    assert "cannot be loaded: model.safetensors is empty" in refusal(capsys, 1, *told, base)
    for more, complaint in [
        (["--every", "0"], "--every must be more than 0"),
        (["--settle", "-1"], "--settle must be 0"),
        (["--model-args", "pretrained=x"], "pretrained is what is watched"),
        (["--model-args", "dtype=bfloat16"], "disagree on dtype"),
        (["--simulator", "hf"], "simulator_model: without effect"),
    ]:
        assert complaint in refusal(capsys, 1, *told, base, *more)
    assert not output.exists()


@pytest.mark.usefixtures("no_real_data")
def test_watch_without_data_says_so_before_it_begins(base, folder, tmp_path, capsys):
    line = [
        folder,
        "--tasks",
        "selfcheck_truthfulqa_mc1",
        "--base",
        base,
        "--output",
        tmp_path / "w",
    ]
    assert "SELFCHECK_DATA" in refusal(capsys, 1, *line)


def test_watch_of_a_base_run_on_other_documents_is_refused(folder, tmp_path, capsys):
    from tests.records import store

    folder.mkdir()
    place = tmp_path / "run"
    told = [folder, *ASKED, "--output", tmp_path / "watched", "--once", "--base", place]
    store(place, {"other": {"m": [1]}}, settings={"subset": 4, "subset_seed": 0})
    assert f"lacks {TASK}" in refusal(capsys, 1, *told)
    shutil.rmtree(place)
    store(place, {TASK: {"m": [1]}}, settings={"subset": 5, "subset_seed": 0})
    assert "was scored on other documents (subset 5, seed 0" in refusal(capsys, 1, *told)


def test_watch_of_a_folder_that_another_watch_has_is_refused(folder, tmp_path, capsys):
    from tests.records import store

    folder.mkdir()
    output = tmp_path / "watched"
    output.mkdir()
    store(tmp_path / "run", {TASK: {"m": [1]}}, settings={"subset": 4, "subset_seed": 0})
    told = [folder, *ASKED, *QUICK, "--output", output, "--base", tmp_path / "run"]
    with FileLock(output / ".watch.lock"):
        assert "another selfcheck watch works in it" in refusal(capsys, 1, *told)
    assert main(["watch", *map(str, told)]) == 0
    told[told.index("4")] = "5"
    store(tmp_path / "run5", {TASK: {"m": [1]}}, settings={"subset": 5, "subset_seed": 0})
    told[-1] = tmp_path / "run5"
    assert "subset: 4 there, 5 here" in refusal(capsys, 1, *told)
