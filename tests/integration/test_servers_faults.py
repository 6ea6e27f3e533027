"""Whole runs through a proxy that spoils what passes: equal results, or a clean stop and more."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from harness.commands import main
from harness.servers import guarding
from tests.faulty_proxy import FAULTS, FaultyProxy
from tests.served import CLIENTS, KEY, options, serving, told

TASKS = ("sample_importance_sentiment", "sample_qa")
SPOILS_AFTER = ("truncate", "half")  # the server has answered, and nobody has got it


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(guarding, "FIRST_WAIT", 0.01)


def run_on(folder, *more: str) -> int:
    return main(["run", "--tasks", *TASKS, "--subset", "6", *more, "--output", str(folder)])


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("here") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELFCHECK_CACHE", "off")
        assert run_on(folder, "--model", "planted") == 0
    return told(folder, TASKS)


DIFFERENT = [client for client in CLIENTS if client != "openai-chat-completions"]
"""Clients with code of their own for what comes back."""


def faults_for(client: str) -> list[str]:
    """Give what a client can tell from an answer.

    litellm fills in what a body lacks, so that a message without a content is one with null.
    """
    return [fault for fault in FAULTS if client != "litellm" or fault != "shape"]


@pytest.mark.parametrize("concurrent", [1, 4])
@pytest.mark.parametrize("client", DIFFERENT)
def test_run_through_faults_equals_the_run_without(
    server, tmp_path, capsys, caplog, here, client, concurrent
):
    proxy = FaultyProxy(server.port, seed=concurrent, faults=faults_for(client), most=2, delay=3)
    with serving(proxy):
        # two more attempts than faults: a busy machine may need longer than the time-out, too
        line = options(client, proxy.port, num_concurrent=concurrent, timeout=2, max_retries=5)
        assert run_on(tmp_path / "run", *line) == 0
    faults = sum(proxy.met.values()) - proxy.met["passed"]
    assert faults > 10 and len(proxy.met) > len(FAULTS) / 2
    assert told(tmp_path / "run", TASKS) == here
    said = capsys.readouterr().err + caplog.text
    requests, retries = map(int, re.findall(r"(\d+) requests, (\d+) of them", said)[-1])
    assert requests >= sum(proxy.met.values()) and retries >= faults
    assert not any(word in said for word in ("Traceback", KEY, "\x1b[31m"))


@pytest.mark.parametrize("concurrent", [1, 4])
@pytest.mark.parametrize("client", DIFFERENT)
def test_more_faults_than_attempts_stop_cleanly_and_the_same_command_goes_on(
    server, tmp_path, capsys, caplog, here, client, concurrent
):
    faults = [fault for fault in faults_for(client) if fault != "delay"]
    proxy = FaultyProxy(server.port, seed=1, faults=faults, most=3)
    with serving(proxy):
        line = options(client, proxy.port, num_concurrent=concurrent, max_retries=2)
        statuses = []
        while not statuses or (statuses[-1] and len(statuses) < 40):
            statuses.append(run_on(tmp_path / "run", *line))
            said = capsys.readouterr().err
            logged = said + caplog.text
            assert not any(word in logged for word in ("Traceback", "never retrieved", KEY))
            if statuses[-1]:
                assert re.search(r"server of '.*planted' failed \(.*\(2 attempts\)\)", said)
                assert "What it has answered is kept: run the same again" in said
                assert not (tmp_path / "run").exists()
    assert statuses[-1] == 0 and len(statuses) > 2
    assert told(tmp_path / "run", TASKS) == here
    spoilt = sum(proxy.met[fault] for fault in SPOILS_AFTER)
    assert proxy.met["passed"] == len(set(server.answered)), "what was answered is not asked again"
    assert len(server.answered) == proxy.met["passed"] + spoilt


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_refusal_is_said_once_and_not_repeated(server, tmp_path, capsys, caplog, status):
    refused = Refusing(server.port, status)
    with serving(refused):
        line = options("local-chat-completions", refused.port, num_concurrent=4, max_retries=5)
        assert run_on(tmp_path / "run", *line) == 1
    said = capsys.readouterr().err
    assert said.count(f"(status {status}: your key *** is no good)") == 1
    logged = said + caplog.text
    assert not any(word in logged for word in ("Traceback", "never retrieved", KEY, "again in"))
    assert len(refused.arrivals) == sum(refused.arrivals.values()) <= 4


class Refusing(FaultyProxy):
    """Refuses everything, and repeats the key, as some servers do."""

    def __init__(self, port: int, status: int) -> None:
        super().__init__(port, faults=["refused"], most=1)
        self.status = status

    def next_fault(self, body: bytes) -> str | None:
        super().next_fault(body)
        return "refused"

    def refusal(self) -> tuple[int, bytes]:
        return self.status, f'{{"error": {{"message": "your key {KEY} is no good"}}}}'.encode()


class OneFails(FaultyProxy):
    """Fails the first request at once, while it is slow with those beside it."""

    def next_fault(self, body: bytes) -> str | None:
        super().next_fault(body)
        sent = sum(self.arrivals.values())
        return "500" if sent == 1 else "slow" if sent <= 4 else None


def test_requests_under_way_are_kept_when_another_fails(server, tmp_path, capsys, here):
    proxy = OneFails(server.port, most=0, delay=0.5)
    line = options("local-chat-completions", proxy.port, num_concurrent=4, max_retries=1)
    with serving(proxy):
        assert run_on(tmp_path / "run", *line) == 1
        assert "failed (status 500: <html>Internal" in capsys.readouterr().err
        assert len(server.answered) == 3
        assert run_on(tmp_path / "run", *line) == 0
    assert max(Counter(server.answered).values()) == 1, "the three were kept"
    assert told(tmp_path / "run", TASKS) == here
