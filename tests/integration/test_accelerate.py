"""Plain lm-eval in two processes, as `accelerate launch -m lm_eval` starts it on two GPUs.

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
from lm_eval.__main__ import cli_evaluate
sys.argv[0] = "lm_eval"
cli_evaluate()
assert torch.distributed.get_world_size() == 2
torch.distributed.destroy_process_group()
"""


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
        status, said = run_two(TWO_DEVICES, place / "two", *options(model, place / "two" / "out"))
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


def test_a_model_spread_by_device_map_auto_gives_the_documents_of_a_whole_one(
    outputs, tmp_path, monkeypatch, caplog
):
    monkeypatch.setenv("SELFCHECK_CACHE", "off")
    told = {"pretrained": str(outputs[0].parent / "model"), "dtype": "float32"}
    # without a GPU accelerate finds room for the weights on the disk only
    spread = {**told, "parallelize": True, "offload_folder": str(tmp_path / "offload")}
    whole, parts = (
        run(Plan(model="hf", model_args=args, tasks=TASKS, subset=LIMIT, device="cpu"))
        for args in (told, spread)
    )
    assert whole is not None and parts is not None
    assert "offloaded to the disk" in caplog.text
    for task in TASKS:
        for ours, theirs in zip(parts.samples[task], whole.samples[task], strict=True):
            assert ours["doc_hash"] == theirs["doc_hash"]
            assert ours.get("stages") == theirs.get("stages")
            assert ours["metrics"] == pytest.approx(theirs["metrics"], abs=1e-4, nan_ok=True)
