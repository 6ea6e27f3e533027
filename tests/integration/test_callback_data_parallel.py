"""ScoreCallback in a training of two processes with gloo: the first scores, the other waits."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.tiny import save_tiny_gpt2


def train_here(source, folder, scored):
    """Train on this rank, and leave what came of it in a file."""
    from finetune.callback import ScoreCallback
    from tests.unit.finetune.test_callback import TASKS, sft

    told = ScoreCallback(TASKS[:1], folder / "runs", every=2, subset=2, at_start=True)
    trainer = sft(source, folder / "training", [told] if scored else [])
    trainer.train()
    assert trainer.args.world_size == 2 and told.failed == {}
    losses = [row.get("loss") for row in trainer.state.log_history]
    total = sum(float(weight.double().sum()) for weight in trainer.model.state_dict().values())
    file = folder / f"{'scored' if scored else 'alone'}-{os.environ['RANK']}.json"
    file.write_text(json.dumps([losses, total]))


def launch(source, folder, scored):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    line = [sys.executable, "-m", __spec__.name, str(source), str(folder), str(scored)]
    ranks = [
        subprocess.Popen(
            line, env={**os.environ, **common, "RANK": rank, "LOCAL_RANK": rank}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for rank in "01"
    ]  # fmt: skip
    try:
        for process in ranks:
            told = process.communicate(timeout=300)[0]
            assert process.returncode == 0, told[-3000:]
    finally:
        for process in ranks:
            process.kill()


def test_score_callback_of_two_processes_changes_no_losses(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    source = save_tiny_gpt2(tmp_path / "model", positions=512)
    for scored in (0, 1):
        launch(source, tmp_path, scored)
    told = [
        json.loads((tmp_path / f"{name}-{rank}.json").read_text())
        for name in ("alone", "scored")
        for rank in (0, 1)
    ]
    assert all(one == told[0] for one in told) and told[0][0][0] is not None
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "step-000000", "step-000002",
    ]  # fmt: skip


if __name__ == "__main__":
    train_here(Path(sys.argv[1]), Path(sys.argv[2]), bool(int(sys.argv[3])))
