"""What the wheel holds."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from harness.data import tasks_path

ROOT = Path(__file__).parents[2]


def test_wheel_ships_task_files_and_samples_and_nothing_into_lm_eval(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    shipped = {
        f"harness/_tasks/{path.relative_to(tasks_path())}"
        for path in tasks_path().rglob("*")
        if path.is_file()
    }
    assert shipped <= names and "harness/_tasks/sample/sentiment/test.jsonl" in shipped
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"harness", "finetune", "leaderboards"}
