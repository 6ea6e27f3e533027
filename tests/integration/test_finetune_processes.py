"""A whole finetuning in two processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finetune.beside import BASE
from tests.integration.test_finetune import GRATH, write
from tests.processes import run_two
from tests.tiny import save_tiny_gpt2

SCRIPT = """
import sys
from pathlib import Path
from accelerate import PartialState
from finetune import grath
from finetune.finetuning import finetune
from finetune.reading.recipe_file import read_recipe

def hold(teacher, dialogues):
    return {key: {"correct": f"Right {key[:4]}.", "incorrect": "Wrong."} for key in dialogues}

grath.hold = hold
report = finetune(read_recipe(Path(sys.argv[1])), Path(sys.argv[2]))
state = PartialState()
assert state.num_processes == 2
assert (report is not None) == state.is_main_process
"""


@pytest.mark.parametrize("reference", ["pretrained", "current"])
def test_finetune_in_two_processes_ends_in_one_report(tmp_path: Path, reference: str) -> None:
    base = save_tiny_gpt2(tmp_path / "base")
    recipe = write(tmp_path, GRATH, base, data__reference=reference)
    out = tmp_path / "out"

    for _ in range(2):  # the second finds everything done
        status, said = run_two(SCRIPT, tmp_path / "processes", str(recipe), str(out))
        assert status == 0, said[-3000:]

    told = json.loads((out / "training.json").read_text())
    assert list(told["runs"]) == [BASE, "round-1", "round-2"]
    assert (out / "comparison.txt").is_file()
