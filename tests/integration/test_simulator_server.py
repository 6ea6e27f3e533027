"""A simulator behind an OpenAI-compatible chat server: asked over HTTP, failing, and resumed."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import simulator as module
from harness.commands import main
from harness.planted import PlantedSimulator
from harness.planted.understanding import understand
from harness.planted.weights import asked_of
from harness.run_files import read_run

TASK = "sample_consistency_yes_no"
SIZE = 4


class Server(ThreadingHTTPServer):
    """Answers by the planted simulator's rules, and keeps every request that it got.

    Attributes:
        asked: the bodies of the requests, with those that failed.
        answered: the prompts that got an answer.
        room: how many more requests are answered; None: all.
        fault: what the others get: status 500, or a closed connection.
        blank: says which kinds of questions get which content instead of an answer.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict] = []
        self.answered: list[str] = []
        self.room: int | None = None
        self.fault = "status"
        self.blank: dict[str, str | None] = {}
        self.simulator = PlantedSimulator()

    @property
    def options(self) -> list[str]:
        return self.with_concurrent(1)

    def with_concurrent(self, number: int) -> list[str]:
        url = f"http://127.0.0.1:{self.server_address[1]}/v1/chat/completions"
        args = f"model=planted,base_url={url},num_concurrent={number},max_retries=1"
        return ["--simulator", "local-chat-completions", "--simulator-args", args]

    def content(self, prompt: str) -> str | None:
        kind = understand(prompt).kind
        return self.blank[kind] if kind in self.blank else self.simulator._reply(prompt)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        if self.server.room == 0:
            self.fail()
            return
        if self.server.room is not None:
            self.server.room -= 1
        prompt = body["messages"][-1]["content"]
        self.server.answered.append(prompt)
        message = {"role": "assistant", "content": self.server.content(prompt)}
        self.reply(200, {"choices": [{"index": 0, "message": message}]})

    def fail(self) -> None:
        if self.server.fault == "status":
            self.reply(500, {"error": "overloaded"})
        else:
            self.close_connection = True  # without a word

    def reply(self, status: int, told: dict) -> None:
        text = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server():
    module._shared.cache_clear()  # a port may be given twice
    with Server() as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


def run_on(folder, *options: str) -> int:
    told = ["run", "--model", "planted", "--tasks", TASK, "--subset", str(SIZE)]
    return main([*told, *options, "--output", str(folder)])


def metrics(folder):
    return read_run(folder).tasks[TASK].metrics


def test_server_gives_the_scores_of_the_simulator_behind_it(server, tmp_path):
    assert run_on(tmp_path / "served", *server.options) == 0
    assert run_on(tmp_path / "here", "--simulator", "planted-simulator") == 0
    assert metrics(tmp_path / "served") == metrics(tmp_path / "here")
    told = read_run(tmp_path / "served").tasks[TASK]
    assert told.simulated_by == "local-chat-completions: planted" and told.headline == "gain"
    assert told.conditions["simulator_chat_template"] is True
    assert len(told.conditions["simulator"]) == 64, "a fingerprint"


def test_server_is_asked_by_chat_messages_greedily_and_each_question_once(server, tmp_path):
    options = [
        "--system_instruction",
        "Be brief.",
        "--gen_kwargs",
        "do_sample=True,temperature=0.5",
    ]
    assert run_on(tmp_path / "run", *server.options, *options) == 0
    assert server.asked
    for body in server.asked:
        assert [turn["role"] for turn in body["messages"]] == ["user"]
        assert "Be brief." not in body["messages"][0]["content"]
        assert body["temperature"] == 0 and body["model"] == "planted"
        assert body["max_tokens"] > 0
    prompts = Counter(body["messages"][0]["content"] for body in server.asked)
    assert max(prompts.values()) == 1
    assert {understand(prompt).kind for prompt in prompts} == {"follow_ups", "simulate", "guess"}


@pytest.mark.parametrize("fault", ["status", "closed"])
def test_server_that_fails_half_way_keeps_what_it_answered_and_nothing_is_asked_again(
    server, tmp_path, capsys, fault
):
    # whole: how many different questions there are
    assert run_on(tmp_path / "whole", *server.options) == 0
    whole = set(server.answered)
    assert len(server.answered) == len(whole) == len(server.asked) > 10
    (tmp_path / "answers" / "answers.sqlite").unlink()
    server.asked.clear()
    server.answered.clear()
    capsys.readouterr()

    server.fault, server.room = fault, len(whole) // 2
    assert run_on(tmp_path / "broken", *server.options) == 1
    told = capsys.readouterr().err
    assert "the server of 'planted' failed" in told
    assert "What it has answered is kept: run the same again" in told
    assert "Traceback" not in told
    assert [file.name for file in tmp_path.iterdir() if "broken" in file.name] == []
    assert len(server.answered) == len(whole) // 2

    server.room = None
    assert run_on(tmp_path / "again", *server.options) == 0
    assert Counter(server.answered) == Counter(whole), "each of them once, over both runs"
    assert metrics(tmp_path / "again") == metrics(tmp_path / "whole")


def test_server_that_fails_under_several_requests_at_once_keeps_all_but_those_in_flight(
    server, tmp_path, capsys
):
    at_once, room = 4, 20
    options = server.with_concurrent(at_once)
    server.room = room
    assert run_on(tmp_path / "broken", *options) == 1
    assert "the server of 'planted' failed" in capsys.readouterr().err
    assert len(server.answered) == room and not (tmp_path / "broken").exists()
    server.room = None
    assert run_on(tmp_path / "again", *options) == 0
    repeated = Counter(server.answered)
    assert sum(repeated.values()) - len(repeated) < at_once, "only what was under way is lost"
    assert metrics(tmp_path / "again")["consistency"].value == 1


def test_server_that_is_not_there_ends_the_run_with_a_message(server, tmp_path, capsys):
    server.fault, server.room = "closed", 0
    assert run_on(tmp_path / "run", *server.options) == 1
    assert "the server of 'planted' failed" in capsys.readouterr().err
    assert len(server.asked) == 1 and not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [None, "", "   "])
def test_server_empty_simulations_are_unreadable_and_stay_in_the_denominators(
    server, tmp_path, content
):
    server.blank = {"simulate": content}
    assert run_on(tmp_path / "run", *server.options) == 0
    told = metrics(tmp_path / "run")
    # no simulation can be read: none of those written, so nothing can be simulated
    assert (told["simulator_readable"].value, told["simulator_readable"].n) == (0, SIZE)
    assert (told["simulatable"].value, told["consistency_all"].value) == (0, 0)
    for name in ("explained", "follow_ups", "simulatable", "consistency_all", "simulator_readable"):
        assert told[name].n == SIZE, name
    # one follow-up for each word of the question, but 5 at most of the 5 that are wanted
    docs = [sample["doc"] for sample in read_run(tmp_path / "run").samples(TASK)]
    written = [min(len(asked_of(doc["question"])), 5) / 5 for doc in docs]
    assert told["follow_ups"].value == pytest.approx(sum(written) / SIZE)
    assert (told["consistency"].n, told["gain"].n) == (0, 0)


@pytest.mark.parametrize("content", [None, ""])
def test_server_empty_guesses_are_worth_a_random_one(server, tmp_path, content):
    server.blank = {"guess": content}
    assert run_on(tmp_path / "run", *server.options) == 0
    told = metrics(tmp_path / "run")
    # of two answers, a random guess hits one half; the honest model is always as predicted
    assert told["consistency"].value == 1
    for name in ("blind", "shuffled", "lift"):
        assert (told[name].value, told[name].n) == (0.5, SIZE), name
    assert told["gain"].value == 1


def test_server_empty_follow_ups_are_none_written(server, tmp_path):
    server.blank = {"follow_ups": None}
    assert run_on(tmp_path / "run", *server.options) == 0
    told = metrics(tmp_path / "run")
    assert (told["follow_ups"].value, told["follow_ups"].n) == (0, SIZE)
    assert (told["simulatable"].value, told["simulatable"].n) == (0, SIZE)
    assert told["simulator_readable"].n == told["consistency"].n == 0


def test_server_empty_answers_are_not_kept_but_asked_again(server, tmp_path):
    server.blank = {"follow_ups": ""}
    assert run_on(tmp_path / "first", *server.options) == 0
    server.blank = {}
    assert run_on(tmp_path / "second", *server.options) == 0
    told = metrics(tmp_path / "second")
    assert (told["follow_ups"].n, told["consistency"].value) == (SIZE, 1)


@pytest.mark.parametrize("fault", ["status", "closed"])
def test_server_that_fails_shows_no_key_of_its_address(server, tmp_path, capsys, fault):
    server.fault, server.room = fault, 0
    options = [
        text.replace("completions,", "completions?api_key=sk-a1b2c3d4e5,")
        for text in server.options
    ]
    assert run_on(tmp_path / "run", *options) == 1
    told = capsys.readouterr().err
    assert "the server of 'planted' failed" in told and "sk-a1b2c3d4e5" not in told
