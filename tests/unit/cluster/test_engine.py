"""What is refused before Ray is started, and how workers are fitted into nodes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.cluster.engine import Wanted, check
from harness.cluster.pool import Room, fit
from harness.commands import main
from harness.errors import ConfigError
from harness.plan import Plan
from harness.servers import Limits
from tests.doubles import FunctionLM

TASK = "sample_importance_sentiment"


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"model": FunctionLM()}, "give a model by its name"),
        ({"model": "local-chat-completions"}, "is a server.*num_concurrent"),
        ({"model": "plantd"}, "unknown model"),
        ({"metadata": {"fewshot_order": "stock"}}, "fewshot_order=stock"),
        ({"options": {"use_cache": "answers"}}, "--use_cache"),
        ({"limits": Limits(max_requests=3)}, "limits of requests and tokens"),
        ({"device": "cuda:1"}, "--device cuda:1"),
        ({"tasks": ("sample_nothing",)}, "unknown task"),
    ],
)
def test_plan_that_cannot_be_cut_up_is_refused_before_ray_is_started(told, fault):
    plan = Plan(**{"model": "planted", "tasks": (TASK,), **told})
    with pytest.raises(ConfigError, match=fault):
        check(plan, Wanted())
    assert "ray" not in sys.modules or not sys.modules["ray"].is_initialized()


def test_model_on_more_gpus_than_it_is_split_over_is_refused():
    with pytest.raises(ConfigError, match="add parallelize=True"):
        check(Plan("hf", (TASK,), {"pretrained": "m"}), Wanted(gpus_per_worker=2))


def test_sampled_answers_are_warned_of(caplog):
    options = {"gen_kwargs": {"do_sample": True, "temperature": 1.0}}
    check(Plan("planted", (TASK,), options=options), Wanted())
    assert "depend on how the documents are spread" in caplog.text


@pytest.mark.parametrize("told", [{"workers": 0}, {"documents_per_shard": 0}])
def test_numbers_below_one_are_refused(told):
    with pytest.raises(ConfigError, match="must be at least 1, got 0"):
        Wanted(**told)


def test_one_of_many_processes_starts_no_workers(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="leave `accelerate launch` out"):
        Wanted()


@pytest.mark.parametrize("option", ["--workers=2", "--address=auto", "--gpus-per-worker=1"])
def test_options_of_ray_without_it_are_refused(option, tmp_path, capsys):
    line = ["run", "--model", "planted", "--tasks", TASK, "--output", str(tmp_path / "run")]
    assert main([*line, option]) == 1
    assert "without effect; add --engine ray" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:port", ":6379"])
def test_address_of_another_form_is_refused(address, tmp_path, capsys):
    line = ["run", "--model", "planted", "--tasks", TASK, "--output", str(tmp_path / "run")]
    assert main([*line, "--engine", "ray", "--address", address]) == 1
    assert "give HOST:PORT of the cluster's head, or auto" in capsys.readouterr().err


@pytest.mark.slow
def test_without_ray_the_command_says_how_to_get_it(tmp_path):
    (tmp_path / "without.py").write_text(
        "import importlib.util as util, sys\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == 'ray' else find(name, *more)\n"
        "from harness.commands import main\n"
        f"sys.exit(main(['run', '--engine', 'ray', '--model', 'planted', '--tasks', '{TASK}']))\n"
    )
    told = subprocess.run(
        [sys.executable, "without.py"], cwd=tmp_path, capture_output=True, text=True, env=os.environ
    )
    assert told.returncode == 1
    assert "pip install 'selfcheck-harness[cluster]'" in told.stderr
    assert "Traceback" not in told.stderr


CPUS = [{"CPU": 8.0}, {"CPU": 4.0}]
GPUS = [{"CPU": 64.0, "GPU": 8.0}, {"CPU": 64.0, "GPU": 4.0}, {"CPU": 8.0}]


@pytest.mark.parametrize(
    ("nodes", "asked", "given"),
    [
        (CPUS, (None, None, False), (2, Room(4, 0))),
        (CPUS, (3, None, False), (3, Room(4, 0))),
        (CPUS, (12, None, False), (12, Room(1, 0))),
        (CPUS, (99, None, False), (99, Room(1, 0))),
        (GPUS, (None, None, False), (12, Room(1, 1))),
        (GPUS, (None, 4, False), (3, Room(1, 4))),
        (GPUS, (2, 8, False), (2, Room(1, 8))),
        (GPUS, (2, None, True), (2, Room(64, 0))),
    ],
)
def test_workers_take_what_the_nodes_have(nodes, asked, given):
    assert fit(nodes, *asked) == given


def test_more_gpus_than_a_node_has_are_refused():
    with pytest.raises(ConfigError, match=r"--gpus-per-worker 9: .* have 8 at most"):
        fit(GPUS, None, 9, False)
