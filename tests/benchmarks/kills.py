"""Kill run, finetune, watch and board with SIGKILL, start them again until they end, and compare.

python -m tests.benchmarks.kills [--kills 104] [--seed 0] [--commands run finetune watch board]

Prints as Markdown what the kills fell into and what was lost, repeated, left or different, against
a run of the same command that nobody killed. Two commands at a time.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.killing import Kill, Outcome, Place, compare_places, kill_until_done

SHARES = {"run": 0.3, "finetune": 0.25, "watch": 0.2, "board": 0.25}
MOST = {"run": 8, "finetune": 7, "watch": 11, "board": 7}
"""Kills until one is let end: so some ends are reached by processes that had little left to do."""
TASKS = "sample_importance_sentiment,sample_redaction_choice,sample_truthfulness_mc1"


def run_command(folder: Path) -> Sequence[str]:
    return [
        "run", "--model", "hf", "--model-args", f"pretrained={tiny(folder / 'base')}",
        "--tasks", TASKS, "--subset", "6", "--batch-size", "4", "--device", "cpu",
        "--output", "{out}",
    ]  # fmt: skip


def finetune_command(folder: Path) -> Sequence[str]:
    from tests.integration.test_distill import BRIEF, DISTILL
    from tests.integration.test_finetune import write

    trainer = {"trainer__per_device_train_batch_size": 2, "trainer__num_train_epochs": 4}
    folder.mkdir(parents=True, exist_ok=True)
    recipe = write(folder, DISTILL, tiny(folder / "base"), **BRIEF, **trainer)
    yaml.safe_load(recipe.read_text())
    return ["finetune", str(recipe), "--output", "{out}"]


def watch_command(folder: Path) -> Sequence[str]:
    for number in (1, 2):
        tiny(folder / "checkpoints" / f"checkpoint-{number}", seed=number)
    return [
        "watch", str(folder / "checkpoints"), "--tasks", "sample_truthfulness_mc1",
        "sample_importance_sentiment", "--subset", "6", "--batch-size", "4", "--device", "cpu",
        "--base", str(tiny(folder / "base")), "--once", "--settle", "0", "--output", "{out}",
    ]  # fmt: skip


def board_command(folder: Path) -> Sequence[str]:
    from tests.boards import make_entries, usual_tasks

    names = ("base", "one", "two", "three")
    runs = folder / "runs"
    entries = make_entries(runs, names, usual_tasks(40))
    told = [f"{entry.name}={run.folder}" for entry in entries for run in entry.runs]
    return ["board", *told, "--base", "base", "--html", "--output", "{out}/board"]


def tiny(folder: Path, seed: int = 0) -> Path:
    from tests.tiny import save_tiny_gpt2

    return save_tiny_gpt2(folder, seed=seed)


COMMANDS: dict[str, Callable[[Path], Sequence[str]]] = {
    "run": run_command,
    "finetune": finetune_command,
    "watch": watch_command,
    "board": board_command,
}


@dataclass
class Told:
    """What the kills of a command came to."""

    command: str
    seconds: float
    kills: list[Kill] = field(default_factory=list)
    ends: list[Outcome] = field(default_factory=list)
    needed: int = 0
    asked: int = 0
    kept: int = 0


def kill_command(words: Sequence[str], folder: Path, kills: int, seed: int) -> Told:
    """Kill a command so many times; each time that it has ended, begin it anew."""
    command = words[0]
    draw = random.Random(f"{seed} {command}")
    whole = Place(folder / "whole", words)
    began = time.monotonic()
    if status := whole.finish():
        raise RuntimeError(f"{command} ended with {status}: {whole.said[-3000:]}")
    told = Told(command, time.monotonic() - began)
    told.needed = count(whole, "kept")
    while len(told.kills) < kills:
        place = Place(folder / f"killed-{len(told.ends)}", words)
        most = min(MOST[command], kills - len(told.kills))
        told.kills += kill_until_done(
            place, whole, draw, told.seconds, most, orphans=command == "watch"
        )
        told.ends.append(compare_places(whole, place))
        phases = [kill.phase for kill in told.kills]
        print(f"{command}: killed in {phases}: {told.ends[-1]}", file=sys.stderr, flush=True)
        told.asked += count(place, "asked")
        told.kept += count(place, "kept")
        shutil.rmtree(place.folder)
    return told


def count(place: Place, word: str) -> int:
    return sum(line[1] == word for line in place.noted())


def print_tables(told: Sequence[Told]) -> None:
    print(
        "| command | s undisturbed | kills | ended | answers needed, times ended | asked | kept ",
        end="",
    )
    print("| done again | not whole | files, values, bytes that differ | scores by | texts |")
    print("|" + "---|" * 12)
    for one in told:
        again = sum(len(kill.again) for kill in one.kills)
        broken = sum(len(kill.broken) for kill in one.kills)
        differ = sum(len(end.differ) for end in one.ends)
        cells = [
            one.command, f"{one.seconds:.0f}", len(one.kills), len(one.ends),
            one.needed * len(one.ends), one.asked, one.kept, again, broken, differ,
            f"{max(end.score for end in one.ends):.1e}", sum(end.texts for end in one.ends),
        ]  # fmt: skip
        print("| " + " | ".join(map(str, cells)) + " |")
    print("\n| command | killed while |\n|---|---|")
    for one in told:
        phases = Counter(kill.phase for kill in one.kills).most_common()
        print(f"| {one.command} | " + ", ".join(f"{name} {times}" for name, times in phases) + " |")
    for one in told:
        for line in [f for k in one.kills for f in (*k.again, *k.broken)]:
            print(f"\n{one.command}: {line}")
        for line in [f for end in one.ends for f in end.differ]:
            print(f"\n{one.command}: {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=104)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    asked = parser.parse_args()
    share = sum(SHARES[command] for command in asked.commands)
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(2) as pool:
        folders = {command: Path(place) / command for command in asked.commands}
        words = {name: COMMANDS[name](folder / "made") for name, folder in folders.items()}
        jobs = [
            pool.submit(
                kill_command, words[command], folder,
                round(asked.kills * SHARES[command] / share), asked.seed,
            )
            for command, folder in folders.items()
        ]  # fmt: skip
        told = [job.result() for job in jobs]
    print_tables(told)
    assert not any(kill.again or kill.broken for one in told for kill in one.kills)
    assert not any(end.differ or end.score > 1e-4 for one in told for end in one.ends)


if __name__ == "__main__":
    main()
