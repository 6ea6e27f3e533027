"""Training in several processes: here two on CPU, as `accelerate launch` starts them on GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes import run_two
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
PartialState().destroy_process_group()
"""


def launch(place: Path, kind: str, stop: int = 0) -> tuple[int, str]:
    return run_two(SCRIPT, place, str(place), kind, str(stop))


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
