"""What reads run folders and lm-eval's output: compare, gate, show, board, import."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

from harness.run_files import read_run
from tests.fuzz.trying import Said, Target, run_command
from tests.records import LIFT, doc_hash, store

DOCUMENTS = 24
BOUNDS = {"lift": LIFT}
DOCUMENT = doc_hash(3)[:12]
DATE = "2026-01-02T03-04-05.678901"
STAGES = [
    {"name": "predict", "prompt": "Is it good?", "answer": "positive", "value": "positive"},
    {"name": "verify", "prompt": "Is it [REDACTED]?", "answer": "unknown", "value": "unknown"},
]


def build_runs(folder: Path) -> None:
    """Write two runs of two tasks."""
    for name, shift in (("base", 0), ("candidate", 1)):
        acc = [float((place + shift) % 3 == 0) for place in range(DOCUMENTS)]
        lift = [None if place % 5 == 0 else float((place + shift) % 3 - 1) for place in range(24)]
        values = {"t": {"lift": lift, "acc": acc}, "u": {"acc": acc}}
        store(folder / name, values, bounds=BOUNDS, fingerprint=name * 8)
        _add_stages(folder / name / "samples_t.jsonl")


def _add_stages(file: Path) -> None:
    lines = [{**json.loads(line), "stages": STAGES} for line in file.read_text().splitlines()]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def check_scores(folder: Path) -> None:
    """What is read of tasks that both runs have is what their files say, read in another way."""
    runs = {name: read_run(folder / name) for name in ("base", "candidate")}
    shared = set.intersection(*(set(run.tasks) for run in runs.values()))
    for name, run in runs.items():
        for task in filter(run.has_samples, sorted(shared)):
            scores = run.scores(task)
            lines = (folder / name / f"samples_{task}.jsonl").read_bytes().splitlines(True)
            told = [json.loads(line) for line in _whole_lines(lines)]
            assert scores.hashes == [row["doc_hash"] for row in told]
            for metric, column in scores.values.items():
                wanted = [row["metrics"][metric] for row in told]
                assert [None if math.isnan(x) else x for x in column] == wanted


def _whole_lines(lines: list[bytes]) -> list[bytes]:
    """Split at line feeds alone, as a line of JSON ends."""
    return [line for line in b"".join(lines).split(b"\n") if line.strip()]


def compare(folder: Path) -> Said:
    return run_command("compare", str(folder / "base"), str(folder / "candidate"))


def compare_csv(folder: Path) -> Said:
    return run_command(
        "compare", str(folder / "base"), str(folder / "candidate"), "--format", "csv"
    )


def gate(folder: Path) -> Said:
    runs = ["--baseline", str(folder / "base"), "--candidate", str(folder / "candidate")]
    said = run_command("gate", *runs, "--junit", str(folder / "gate.xml"))
    return said._replace(status=0) if said.status in (3, 4) else said


def gate_with(folder: Path) -> Said:
    runs = ["--baseline", str(folder / "base"), "--candidate", str(folder / "candidate")]
    said = run_command("gate", *runs, "--config", str(folder / "gate.yaml"))
    return said._replace(status=0) if said.status in (3, 4) else said


def build_gate(folder: Path) -> None:
    build_runs(folder)
    (folder / "gate.yaml").write_text(
        "margins:\n  acc: 0.05\n  lift: {margin: 0.1, better: higher}\n"
        "tasks:\n  u: {acc: null}\ninconclusive: skip\n"
    )


def show(*line: str) -> Callable[[Path], Said]:
    return lambda folder: run_command("show", str(folder / "base"), *line)


def board(folder: Path) -> Said:
    runs = [str(folder / "base"), str(folder / "candidate")]
    return run_command("board", *runs, "--output", str(folder / "board"), "--html")


def build_output(folder: Path) -> None:
    """Write what plain lm-eval does, of a task of its own."""
    told = {
        "results": {"t": {"acc,none": 0.5, "acc_stderr,none": 0.25}},
        "configs": {"t": {"task": "t", "output_type": "multiple_choice"}},
        "versions": {"t": 1.0},
        "n-shot": {"t": 0},
        "higher_is_better": {"t": {"acc": True}},
        "n-samples": {"t": {"original": 9, "effective": 4}},
        "config": {"model": "hf", "model_args": "pretrained=m", "batch_size": "4", "limit": 4.0},
        "date": 1.8e9,
    }
    (folder / f"results_{DATE}.json").write_text(json.dumps(told))
    rows = [
        {
            "doc_id": number,
            "doc": {"q": number, "text": "a text"},
            "target": 0,
            "arguments": {"gen_args_0": {"arg_0": "q", "arg_1": "a"}},
            "filtered_resps": [["-1.0", "False"]],
            "filter": "none",
            "metrics": ["acc"],
            "acc": float(number % 2),
        }
        for number in range(4)
    ]
    file = folder / f"samples_t_{DATE}.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def import_output(folder: Path) -> Said:
    return run_command("import", str(folder), "--output", str(folder / "run"))


def check_imported(folder: Path) -> None:
    """An imported run can be read, and so can its scores."""
    run = read_run(folder / "run")
    for task in run.tasks:
        if run.has_samples(task) and not run.tasks[task].failed:
            run.scores(task)


RUN_FILES = ("base/run.json", "base/samples_*.jsonl")
BOTH = ("{parent}", "base")
"""A run goes by the name of its folder where it is read, and found unlike the other one."""
OF_IT = (f"samples_t_{DATE}.jsonl", "{parent}: holds", "t FAILED")
OF_THE_RUN = ("{parent}", "unknown task: got 't'")
RUN_TARGETS = [
    Target("compare", build_runs, RUN_FILES, compare, check_scores, BOTH),
    Target("compare-csv", build_runs, RUN_FILES, compare_csv, check_scores, BOTH),
    Target("gate", build_runs, RUN_FILES, gate, None, BOTH),
    Target("gate-margins", build_gate, ("gate.yaml",), gate_with),
    Target("show", build_runs, RUN_FILES, show(), None, ("{parent}",)),
    Target("show-task", build_runs, RUN_FILES, show("--task", "t"), None, OF_THE_RUN),
    Target(
        "show-document",
        build_runs,
        RUN_FILES,
        show("--task", "t", "--document", DOCUMENT),
        None,
        (*OF_THE_RUN, DOCUMENT),
    ),
    Target("board", build_runs, RUN_FILES, board, check_scores, BOTH),
    Target("import", build_output, ("*.json", "*.jsonl"), import_output, check_imported, OF_IT),
]
