"""A real server: `transformers serve` on 127.0.0.1, in float32 on the CPU."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

PATIENCE = 120  # seconds until it must be there


@contextmanager
def transformers_serve(model: Path, log: Path) -> Iterator[int]:
    """Serve a model's folder; give the port.

    Args:
        model: the folder.
        log: where the server says what goes wrong.
    """
    port = _free_port()
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(model)]
    command += ["--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=env)
        try:
            _await(process, port, log)
            yield port
        finally:
            for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                each.terminate()
            process.wait(timeout=30)


def options(model: Path, port: int, **more: object) -> list[str]:
    """Give the options that ask a served model."""
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    args = {"model": model, "base_url": url, **more}
    told = ",".join(f"{name}={value}" for name, value in args.items())
    return ["--model", "local-chat-completions", "--model-args", told]


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok:
                return
        except requests.RequestException:
            time.sleep(0.3)
    raise AssertionError(f"the server is not there: {log.read_text()[-3000:]}")
