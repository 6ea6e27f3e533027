"""Two processes of lm-eval's command, and of ours, as `accelerate launch` starts them on two GPUs.

Here both are on the CPU, under gloo. lm-eval's HF backend is data-parallel only where it counts
several GPUs: each process is told that there are two, and accelerate puts it on the CPU.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from harness.data import tasks_path
from harness.evaluate import run
from harness.plan import Plan
from harness.run_files import read_run
from harness.runs import Run
from tests.processes import run_two
from tests.tiny import save_tiny_llama

TASKS = (
    "sample_consistency_yes_no", "sample_importance_sentiment", "sample_reasoning_yes_no",
    "sample_truthfulness_mc2",
)  # fmt: skip
LIMIT = 5  # three documents for one process, two for the other
TWO_DEVICES = """
import sys
import torch
torch.cuda.device_count = lambda: 2
{}
assert torch.distributed.get_world_size() == 2
torch.distributed.destroy_process_group()
"""
LM_EVAL = TWO_DEVICES.format("""
from lm_eval.__main__ import cli_evaluate
sys.argv[0] = "lm_eval"
cli_evaluate()
""")
OURS = TWO_DEVICES.format("""
from harness.commands import main
assert main(sys.argv[1:]) == 0
""")


def options(model: Path, output: Path) -> list[str]:
    told = ["run", "--model", "hf", "--model_args", f"pretrained={model},dtype=float32"]
    told += ["--tasks", ",".join(TASKS), "--include_path", str(tasks_path())]
    told += ["--limit", str(LIMIT), "--batch_size", "auto", "--device", "cpu"]
    return [*told, "--log_samples", "--output_path", str(output)]


def samples(output: Path, task: str) -> list[dict]:
    (file,) = output.rglob(f"samples_{task}_*.jsonl")
    told = [json.loads(line) for line in file.read_text().splitlines()]
    return sorted(told, key=lambda sample: sample["doc_id"])


def numbers(output: Path) -> dict[str, dict]:
    (file,) = output.rglob("results_*.json")
    return json.loads(file.read_text())["results"]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("launched")
    model = save_tiny_llama(place / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELFCHECK_CACHE", "off")
        line = [sys.executable, "-m", "lm_eval", *options(model, place / "one")]
        alone = subprocess.run(line, cwd=place, capture_output=True, text=True, check=False)
        assert alone.returncode == 0, alone.stderr[-3000:]
        status, said = run_two(LM_EVAL, place / "two", *options(model, place / "two" / "out"))
    assert status == 0, said[-3000:]
    return place / "one", place / "two" / "out"


@pytest.mark.parametrize("task", TASKS)
def test_each_document_is_asked_and_answered_as_in_one_process(outputs, task):
    one, two = (samples(output, task) for output in outputs)
    assert [sample["doc_hash"] for sample in two] == [sample["doc_hash"] for sample in one]
    assert len(two) == LIMIT
    for ours, theirs in zip(two, one, strict=True):
        if "truthfulness" in task:
            told = [
                [float(score) for score, _ in sample["filtered_resps"]] for sample in (ours, theirs)
            ]
            assert told[0] == pytest.approx(told[1], abs=1e-4)
        else:
            assert ours["filtered_resps"] == theirs["filtered_resps"]


def test_metrics_are_those_of_one_process(outputs):
    one, two = map(numbers, outputs)
    assert set(one) == set(two) == set(TASKS)
    compared = 0
    for task in TASKS:
        for name, value in one[task].items():
            if isinstance(value, float) and not math.isnan(value):
                assert two[task][name] == pytest.approx(value, abs=1e-4), (task, name)
                compared += 1
            else:
                assert str(two[task][name]) == str(value), (task, name)
    assert compared > 10


def measured(model: Path, **more) -> Run:
    told = {"pretrained": str(model), "dtype": "float32", **more}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELFCHECK_CACHE", "off")
        made = run(Plan(model="hf", model_args=told, tasks=TASKS, subset=LIMIT, device="cpu"))
    assert made is not None
    return made


@pytest.fixture(scope="module")
def whole(outputs) -> Run:
    return measured(outputs[0].parent / "model")


def same_documents(task: str, ours: list[dict], theirs: list[dict]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        assert one["doc_hash"] == other["doc_hash"]
        assert one.get("stages") == other.get("stages")
        assert one["metrics"] == pytest.approx(other["metrics"], abs=1e-4, nan_ok=True), task


def test_our_command_writes_one_run_of_all_documents(outputs, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("SELFCHECK_CACHE", "off")
    line = ["run", "--model", "hf", "--tasks", *TASKS, "--subset", str(LIMIT), "--device", "cpu"]
    told = f"pretrained={outputs[0].parent / 'model'},dtype=float32"
    line += ["--model-args", told, "--output", str(tmp_path / "run")]
    status, said = run_two(OURS, tmp_path / "two", *line)
    assert status == 0, said[-3000:]
    stored = read_run(tmp_path / "run")
    assert list(stored.tasks) == list(whole.samples)
    for task in TASKS:
        same_documents(task, list(stored.samples(task)), whole.samples[task])


def test_a_model_spread_by_device_map_auto_gives_the_documents_of_a_whole_one(
    outputs, whole, tmp_path, caplog
):
    # without a GPU accelerate finds room for the weights on the disk only
    spread = {"parallelize": True, "offload_folder": str(tmp_path / "offload")}
    parts = measured(outputs[0].parent / "model", **spread)
    assert "offloaded to the disk" in caplog.text
    for task in TASKS:
        same_documents(task, parts.samples[task], whole.samples[task])
