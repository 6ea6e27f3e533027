"""Training in several processes: here two on CPU, as `accelerate launch` starts them on GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.tiny import save_tiny_llama
from tests.trainings import equal

SCRIPT = """
import json
import sys
from pathlib import Path
from accelerate import PartialState
from tests.trainings import *
from tests.unit.finetune.test_trainer_resume import DEV, StopAt

place, dpo, stop = Path(sys.argv[1]), sys.argv[2] == "dpo", int(sys.argv[3])
told = recipe(place.parent / "model", dpo=dpo, num_train_epochs=3, save_steps=1)
trained = run(told, place, dev=() if dpo else DEV, callbacks=[StopAt(stop)] if stop else [])
assert (place / "done" / "adapter_model.safetensors").is_file()  # for every process
rank = PartialState().process_index
assert PartialState().num_processes == 2
(place / f"rank{rank}.json").write_text(json.dumps([trained.steps, trained.resumed_from]))
"""


def launch(place: Path, kind: str, stop: int = 0) -> tuple[int, str]:
    """Run two processes; give their status and what they said. They are ended if they hang."""
    place.mkdir(exist_ok=True)
    script = place / "script.py"
    script.write_text(SCRIPT)
    told = ["--nproc_per_node=2", "--rdzv_backend=c10d", "--rdzv_endpoint=127.0.0.1:0"]
    told += ["--local_addr=127.0.0.1"]
    command = [sys.executable, "-m", "torch.distributed.run", *told, str(script)]
    paths = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    output = place / "output.txt"
    with output.open("w") as said:
        process = subprocess.Popen(
            [*command, str(place), kind, str(stop)],
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": paths, "ACCELERATE_USE_CPU": "true"},
        )
        try:
            process.wait(timeout=300)
        except subprocess.TimeoutExpired:
            for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                each.kill()
            process.wait()
            pytest.fail(f"the processes wait for each other: {output.read_text()[-3000:]}")
    return process.returncode, output.read_text()


LEFT = {"script.py", "output.txt", "work", "done", "rank0.json", "rank1.json"}


@pytest.mark.slow
def test_train_dpo_in_two_processes_saves_once(tmp_path: Path):
    save_tiny_llama(tmp_path / "model")
    status, said = launch(tmp_path / "whole", "dpo")
    assert status == 0, said[-3000:]
    assert {file.name for file in (tmp_path / "whole").iterdir()} == LEFT


@pytest.mark.slow
def test_train_in_two_processes_stopped_gives_the_weights_of_not_stopped(tmp_path: Path):
    save_tiny_llama(tmp_path / "model")
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    status, said = launch(whole, "sft")
    assert status == 0, said[-3000:]
    assert {file.name for file in whole.iterdir()} == LEFT
    assert (whole / "rank0.json").read_text() == (whole / "rank1.json").read_text() == "[6, null]"
    status, said = launch(parts, "sft", stop=4)
    assert status != 0 and "StoppedError" in said
    assert not (parts / "done").exists()
    status, said = launch(parts, "sft")
    assert status == 0, said[-3000:]
    assert (parts / "rank1.json").read_text() == "[6, 3]"
    assert equal(whole / "done", parts / "done")
