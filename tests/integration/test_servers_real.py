"""The demonstration model under `transformers serve`, and in process: the same, word by word."""

from __future__ import annotations

import json

import pytest

from harness.commands import main
from harness.demo import demo_model
from harness.run_files import read_run
from harness.servers import guarding
from tests.faulty_proxy import FAULTS, FaultyProxy
from tests.real_server import options, transformers_serve
from tests.served import serving, told

TASKS = ("sample_importance_sentiment", "sample_qa", "sample_reasoning_choice")
LONGEST = 24  # tokens of an answer: many are cut off, which is read from them, too


@pytest.fixture(scope="module")
def model():
    return demo_model()


@pytest.fixture(scope="module")
def port(model, tmp_path_factory):
    with transformers_serve(model, tmp_path_factory.mktemp("served") / "log.txt") as opened:
        yield opened


def run_on(folder, *more: str) -> int:
    line = ["run", "--tasks", *TASKS, "--subset", "2", "--apply_chat_template"]
    line += ["--gen_kwargs", f"max_gen_toks={LONGEST}"]
    return main([*line, *more, "--output", str(folder)])


@pytest.fixture(scope="module")
def here(model, tmp_path_factory):
    """The run in process."""
    folder = tmp_path_factory.mktemp("here") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELFCHECK_CACHE", "off")
        args = f"pretrained={model},dtype=float32"
        assert run_on(folder, "--model", "hf", "--model-args", args, "--device", "cpu") == 0
    return folder


def prompts(folder, name):
    return [turn["prompt"] for one in read_run(folder).samples(name) for turn in one["stages"]]


def test_real_server_gives_the_answers_and_numbers_of_the_model_in_process(
    model, port, here, tmp_path
):
    from transformers import AutoTokenizer

    assert run_on(tmp_path / "run", *options(model, port, num_concurrent=4)) == 0
    assert told(tmp_path / "run", TASKS) == told(here, TASKS)
    render = AutoTokenizer.from_pretrained(model).apply_chat_template
    for name in TASKS:
        sent = [
            render(json.loads(prompt), tokenize=False, add_generation_prompt=True)
            for prompt in prompts(tmp_path / "run", name)
        ]
        assert sent == prompts(here, name)


def test_real_server_behind_faults_gives_them_as_well(model, port, here, tmp_path, monkeypatch):
    monkeypatch.setattr(guarding, "FIRST_WAIT", 0.01)
    faults = [fault for fault in FAULTS if fault != "delay"]  # how long an answer takes is unknown
    proxy = FaultyProxy(port, seed=3, faults=faults, most=2)
    with serving(proxy):
        line = options(model, proxy.port, num_concurrent=2, max_retries=3)
        assert run_on(tmp_path / "run", *line) == 0
    assert sum(proxy.met.values()) - proxy.met["passed"] > 5
    assert told(tmp_path / "run", TASKS) == told(here, TASKS)
