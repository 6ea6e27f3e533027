"""Runs on a real Ray cluster of two nodes: equal to one process, whatever dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

from finetune.recipe import DistillData, Model, Recipe, Score
from finetune.scoring import score
from harness import evaluate
from harness.cluster.current import using
from harness.cluster.engine import Cluster, Wanted
from harness.cluster.store import parts_folder
from harness.commands import main
from harness.errors import ModelError
from harness.plan import Plan
from harness.run_files import read_run, write_run
from tests.clusters import (
    OURS,
    SMALL,
    gated_tasks,
    kill,
    measured_by,
    node_of,
    stop,
    struck,
    two_nodes,
)
from tests.tiny import save_tiny_gpt2

SHARD = 5
KINDS = (
    "sample_counterfactual_entailment",
    "sample_importance_sentiment",
    "sample_redaction_yes_no",
    "sample_consistency_yes_no",
    "sample_truthfulness_mc1",
    "sample_truthfulness_mc2",
    "sample_qa",
    "retention_generation",
)


@pytest.fixture(scope="module")
def surroundings():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**OURS, "SELFCHECK_CACHE": "off"}.items():
            patch.setenv(name, value)
        yield patch


@pytest.fixture(scope="module")
def nodes(surroundings):
    with two_nodes() as cluster:
        yield cluster


@pytest.fixture
def wanted(nodes, monkeypatch):
    monkeypatch.setenv("SELFCHECK_CACHE", "off")
    return Wanted(address=nodes.address, workers=2, documents_per_shard=SHARD)


@pytest.fixture
def gated(tmp_path):
    return gated_tasks(tmp_path / "tasks")


@pytest.fixture
def plan(gated):
    return Plan("planted", ("gated",), subset=40, include_path=(gated,))


def measured(cluster, plan, folder):
    with cluster.measured(plan, folder) as run:
        write_run(run, folder)
    assert not parts_folder(folder).exists()
    return read_run(folder)


def alone(plan, folder):
    """Run in this process, with nothing to wait for and nothing noted."""
    for tasks in plan.include_path:
        (tasks / "seconds").rename(tasks / "kept-seconds")
        (tasks / "seconds").write_text("0")
    told = write_run(evaluate.run(plan), folder)
    for tasks in plan.include_path:
        (tasks / "kept-seconds").rename(tasks / "seconds")
        (tasks / "measured.log").unlink()
    return read_run(told)


def assert_equal(one, many):
    assert many.tasks == one.tasks
    for name in one.tasks:
        assert list(many.samples(name)) == list(one.samples(name)), name
    assert many.record.model == one.record.model
    assert many.record.settings == one.record.settings


def test_run_on_workers_is_the_run_of_one_process(wanted, gated, tmp_path):
    plans = {
        "planted": Plan("planted", (*KINDS, "failing"), subset=12, include_path=(gated,)),
        "hf": Plan(
            "hf",
            ("sample_importance_sentiment", "sample_consistency_yes_no", "sample_truthfulness_mc1"),
            {"pretrained": str(save_tiny_gpt2(tmp_path / "model", chat=True)), "dtype": "float32"},
            subset=6,
            batch_size=1,
            device="cpu",
            options={"gen_kwargs": {"max_gen_toks": 12}, "apply_chat_template": True},
        ),
    }
    (gated / "measured.log").touch()
    with Cluster(replace(wanted, documents_per_shard=30)) as cluster:
        for name, plan in plans.items():
            many = measured(cluster, plan, tmp_path / f"{name}-ray")
            one = read_run(write_run(evaluate.run(plan), tmp_path / name))
            assert_equal(one, many)
            if name == "planted":
                assert "nothing to ask" in many.tasks["failing"].failed
                assert many.tasks["sample_consistency_yes_no"].metrics["constant"].value > 0


def test_killed_worker_is_replaced_and_its_unfinished_documents_alone_repeat(
    wanted, plan, gated, tmp_path, caplog
):
    one = alone(plan, tmp_path / "one")
    with Cluster(wanted) as cluster, struck(gated, 6, kill) as killed:
        many = measured(cluster, plan, tmp_path / "ray")
    assert_equal(one, many)
    assert_repeated(gated, killed)
    assert "A worker is gone" in caplog.text


def assert_repeated(gated, killed):
    """Assert that what is measured twice is a part of a shard, and was begun by who was killed."""
    told = measured_by(gated)
    times = Counter(document for _, document in told)
    twice = {document for document, count in times.items() if count > 1}
    assert len(killed) == 1
    assert 1 <= len(twice) <= SHARD
    assert max(times.values()) == 2
    assert twice <= {document for pid, document in told if pid == killed[0]}


def test_killed_node_is_done_without_and_its_unfinished_documents_alone_repeat(
    wanted, plan, gated, nodes, tmp_path
):
    def kill_node(pid):
        node = node_of(nodes, pid)
        if node is nodes.head_node:
            return False
        kill(pid)
        nodes.remove_node(node, allow_graceful=False)
        return True

    one = alone(plan, tmp_path / "one")
    try:
        with Cluster(wanted) as cluster, struck(gated, 6, kill_node) as killed:
            many = measured(cluster, plan, tmp_path / "ray")
    finally:
        nodes.add_node(**SMALL, num_cpus=2)
    assert_equal(one, many)
    assert_repeated(gated, killed)


def test_worker_that_hangs_does_not_hold_the_run(wanted, plan, gated, tmp_path):
    one = alone(plan, tmp_path / "one")
    with Cluster(wanted) as cluster, struck(gated, 6, stop) as stopped:
        many = measured(cluster, plan, tmp_path / "ray")
    with suppress(ProcessLookupError):
        kill(stopped[0])
    assert_equal(one, many)
    assert_repeated(gated, stopped)


def test_killed_driver_goes_on_with_what_was_finished(wanted, plan, gated, tmp_path):
    one = alone(plan, tmp_path / "one")
    output = tmp_path / "ray"
    line = ["run", "--engine", "ray", "--address", wanted.address, "--workers", "2"]
    line += ["--documents-per-shard", str(SHARD), "--model", "planted", "--tasks", "gated"]
    line += ["--include_path", str(gated), "--subset", "40", "--output", str(output)]
    driver = subprocess.Popen(
        [sys.executable, "-m", "harness.commands", *line],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    parts = parts_folder(output)
    deadline = time.monotonic() + 240
    while len(list(parts.glob("0*.jsonl"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    finished = sum(len(file.read_text().splitlines()) // 2 for file in parts.glob("0*.jsonl"))
    assert 3 * SHARD <= finished < 40
    wait_for_silence(gated)
    before = {document for _, document in measured_by(gated)}
    begun = len(measured_by(gated))
    assert main([*line, "--workers", "1"]) == 0
    again = [document for _, document in measured_by(gated)[begun:]]
    assert len(again) == len(set(again)) == 40 - finished
    assert len(before | set(again)) == 40
    assert not parts.exists()
    many = read_run(output)
    assert list(many.samples("gated")) == list(one.samples("gated"))
    assert many.tasks["gated"].metrics == one.tasks["gated"].metrics


def wait_for_silence(gated):
    """Wait until the workers of a killed driver have ended."""
    pids = {pid for pid, _ in measured_by(gated)}
    deadline = time.monotonic() + 60
    while any(psutil.pid_exists(pid) for pid in pids):
        assert time.monotonic() < deadline, "workers outlive their driver"
        time.sleep(0.1)


def test_model_that_changes_on_the_way_is_refused(wanted, gated, tmp_path):
    model = save_tiny_gpt2(tmp_path / "model")
    plan = Plan(
        "hf",
        ("gated",),
        {"pretrained": str(model), "dtype": "float32"},
        subset=20,
        device="cpu",
        include_path=(gated,),
        options={"gen_kwargs": {"max_gen_toks": 4}},
    )

    def replace_and_kill(pid):
        save_tiny_gpt2(model, seed=1)
        return kill(pid)

    alone = replace(wanted, workers=1)  # another would be done before the model is loaded again
    with (
        Cluster(alone) as cluster,
        struck(gated, 3, replace_and_kill),
        pytest.raises(ModelError, match=r"different models.*not the same on every machine"),
    ):
        measured(cluster, plan, tmp_path / "ray")
    assert not (tmp_path / "ray").exists()


def test_model_that_is_not_there_is_one_clear_line(wanted, tmp_path, capsys):
    line = ["run", "--engine", "ray", "--address", wanted.address, "--workers", "1"]
    line += ["--model", "hf", "--model-args", f"pretrained={tmp_path / 'nowhere'}"]
    line += ["--tasks", "sample_importance_sentiment", "--output", str(tmp_path / "run")]
    assert main(line) == 1
    told = capsys.readouterr().err
    assert "cannot be loaded" in told
    assert "nowhere" in told
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir()), "nothing was finished, nothing is left"


def test_address_where_nothing_answers_is_one_clear_line(tmp_path, capsys):
    line = ["run", "--engine", "ray", "--address", "127.0.0.1:1", "--model", "planted"]
    line += ["--tasks", "sample_importance_sentiment", "--output", str(tmp_path / "run")]
    assert main(line) == 1
    assert "--address 127.0.0.1:1: nothing answers there" in capsys.readouterr().err


def test_watch_scores_checkpoints_on_workers_that_stay(wanted, tmp_path, caplog):
    base = save_tiny_gpt2(tmp_path / "base")
    save_tiny_gpt2(tmp_path / "checkpoints" / "checkpoint-1", seed=1)
    save_tiny_gpt2(tmp_path / "checkpoints" / "checkpoint-3", seed=3)
    line = ["watch", str(tmp_path / "checkpoints"), "--base", str(base), "--once", "--settle", "0"]
    line += ["--tasks", "sample_truthfulness_mc1", "--subset", "4", "--dtype", "float32"]
    line += ["--device", "cpu", "--engine", "ray", "--address", wanted.address, "--workers", "1"]
    output = tmp_path / "watched"
    caplog.set_level("INFO", logger="harness")
    assert main([*line, "--output", str(output)]) == 0
    assert caplog.text.count("1 workers on Ray") == 1
    alone = ["run", "--model", "hf", "--tasks", "sample_truthfulness_mc1", "--subset", "4"]
    alone += ["--device", "cpu", "--output", str(tmp_path / "one"), "--model-args"]
    checkpoint = tmp_path / "checkpoints" / "checkpoint-3"
    assert main([*alone, f"pretrained={checkpoint},dtype=float32"]) == 0
    assert_equal(read_run(tmp_path / "one"), read_run(output / "runs" / "checkpoint-3"))
    for name in ("base", "checkpoint-1", "checkpoint-3"):
        assert (output / "runs" / name / "run.json").is_file()
    assert (output / "board" / "wide.csv").is_file()


def test_recipe_is_scored_on_workers(wanted, tmp_path):
    model = save_tiny_gpt2(tmp_path / "model")
    recipe = Recipe(
        method="distill",
        model=Model(name=str(model), chat_template=False),
        data=DistillData(questions="x/y", kind="options"),
        score=Score(tasks=("sample_reasoning_choice",), retention=(), subset=4),
    )
    one = score(recipe, model, tmp_path / "one")
    with Cluster(wanted) as cluster, using(cluster):
        many = score(recipe, model, tmp_path / "ray")
    assert list(many.samples("sample_reasoning_choice")) == list(
        one.samples("sample_reasoning_choice")
    )
    assert many.tasks == one.tasks
