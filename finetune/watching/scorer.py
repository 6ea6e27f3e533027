"""Score one model with the options of `selfcheck watch`, in a process of its own.

What the process leaks or breaks ends with it, and memory that runs out ends it alone.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.checkpoints import digest
from finetune.watching.state import State, save
from finetune.watching.watcher import BASE
from harness.errors import ConfigError, ModelError, printable
from harness.run_files import RECORD, lock_of
from harness.trust import ADAPTER_CONFIG
from harness.whole_files import is_claimed

log = logging.getLogger(__name__)

TOKENIZERS = ("tokenizer*", "vocab*", "*.model", "*.tiktoken")
PASSED_ON = (
    "subset", "subset_seed", "batch_size", "device", "simulator", "simulator_args",
    "simulator_chat_template", "follow_ups", "follow_up_count", "include_path",
)  # fmt: skip
PROGRAM = (sys.executable, "-P", "-m", "harness.commands")
POLL = 0.2
PATIENCE = 30  # seconds that a scoring gets to end when it is told to
LONGEST_REASON = 500


@dataclass(frozen=True)
class Scorer:
    """Scores base and checkpoints alike.

    Attributes:
        args: the options.
        model_args: of lm-eval's hf, beside the model's place.
        stopped: whether this is to end.
    """

    args: argparse.Namespace
    model_args: Mapping[str, Any]
    stopped: Callable[[], bool]

    def checkpoint(self, checkpoint: Path, run: Path, printed: Path) -> str | None:
        """Score a checkpoint (as `watch.Score`)."""
        is_adapter = (checkpoint / ADAPTER_CONFIG).is_file()
        has_tokenizer = any(any(checkpoint.glob(pattern)) for pattern in TOKENIZERS)
        if not (is_adapter or has_tokenizer or "tokenizer" in self.model_args):
            return "it has no tokenizer: save one with it, or give --model-args tokenizer=..."
        return self._score(str(checkpoint), run, printed)

    def base(self, base: str, output: Path, state: State) -> None:
        """Score the base model, unless it is done.

        Raises:
            ConfigError: it was scored, and is another one now.
            ModelError: it cannot be scored.
        """
        run = output / "runs" / BASE
        now = digest(Path(base)) if Path(base).is_dir() else ""
        if (run / RECORD).is_file():
            if state.scored.setdefault(BASE, now) != now:
                raise ConfigError(
                    f"--base {base}: its files are not those that were scored; give another "
                    f"--output, or remove {run} to score it anew"
                )
            return
        log.info("Scoring the base: %s", base)
        state.scored[BASE] = now
        save(state, output)
        reason = self._score(base, run, output / f"logs/{BASE}.log")
        if not (run / RECORD).is_file():
            raise ModelError(f"--base {base} cannot be scored: {reason}")

    def _score(self, model: str, run: Path, printed: Path) -> str | None:
        if is_claimed(lock_of(run)):  # a killed watch leaves its scoring at work
            log.info("An earlier scoring is still at work on %s: waiting for it", run)
        while is_claimed(lock_of(run)):
            if self.stopped():
                raise KeyboardInterrupt
            time.sleep(POLL)
        if (run / RECORD).is_file():
            return None
        line = self.line(model, run)
        if self.args.engine == "ray":
            return run_here(line, printed, self.stopped)
        return run_command([*PROGRAM, *line], printed, self.stopped)

    def line(self, model: str, run: Path) -> list[str]:
        """Give what `selfcheck` is told to score a model."""
        told = json.dumps({"pretrained": model, **self.model_args})
        line = ["run", "--model", "hf"]
        line += ["--model-args", told, "--tasks", *self.args.tasks, "--output", str(run)]
        for name in PASSED_ON:
            if (value := getattr(self.args, name)) is not None:
                line += [f"--{name}={value}"]
        line += ["--allow-pickles"] if self.args.allow_pickles else []
        return line + (["--apply_chat_template"] if self.args.apply_chat_template else [])


def run_here(line: Sequence[str], log_file: Path, stopped: Callable[[], bool]) -> str | None:
    """Run a command of ours in this process, on the workers that it holds; give None, or its fault.

    Raises:
        KeyboardInterrupt: it was `stopped`.
    """
    from harness.commands import main

    log_file.parent.mkdir(parents=True, exist_ok=True)
    with (
        log_file.open("w", encoding="utf-8") as printed,
        redirect_stdout(printed),
        redirect_stderr(printed),
    ):
        status = main(line)
    if stopped():
        raise KeyboardInterrupt
    if status == 0:
        return None
    return f"{_last_words(log_file)} (status {status}; all of it: {log_file})"


def run_command(
    command: Sequence[str], log_file: Path, stopped: Callable[[], bool] = lambda: False
) -> str | None:
    """Run a program that prints into a file; give None, or why it failed.

    Raises:
        KeyboardInterrupt: it was `stopped`, and has ended.
    """
    if stopped():
        raise KeyboardInterrupt
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("wb") as printed:
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            status = _wait(process, stopped)
        except BaseException:
            _end(process)
            raise
    if status == 0:
        return None
    how = f"status {status}" if status > 0 else f"signal {-status}; did memory run out?"
    return f"{_last_words(log_file)} ({how}; all of it: {log_file})"


def _wait(process: subprocess.Popen[bytes], stopped: Callable[[], bool]) -> int:
    while True:
        try:
            return process.wait(POLL)
        except subprocess.TimeoutExpired:
            if stopped():
                raise KeyboardInterrupt from None


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.terminate()
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()


def _last_words(log_file: Path) -> str:
    """Give the line that says why: our own, or else the last."""
    text = log_file.read_text(encoding="utf-8", errors="replace").replace("\r", "\n")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("selfcheck: ")]
    return printable((own or lines or ["it printed nothing"])[-1])[:LONGEST_REASON]
