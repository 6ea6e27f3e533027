"""Two processes of one program on CPU, as `accelerate launch` starts them on GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest


def run_two(code: str, place: Path, *args: str) -> tuple[int, str]:
    """Run code in two processes; give their status and what they said.

    They are ended, and the test fails, if they hang.
    """
    place.mkdir(exist_ok=True)
    script = place / "script.py"
    script.write_text(code)
    told = ["--nproc_per_node=2", "--rdzv_backend=c10d", "--rdzv_endpoint=127.0.0.1:0"]
    told += ["--local_addr=127.0.0.1"]
    command = [sys.executable, "-m", "torch.distributed.run", *told, str(script), *args]
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    output = place / "output.txt"
    with output.open("w") as said:
        process = subprocess.Popen(
            command,
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
