"""Whole runs on chat servers, through lm-eval's clients: the numbers of the model behind them."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.commands import main
from harness.run_files import read_run
from tests.served import CLIENTS, KEY, TASKS, PlantedServer, options, serving, told

SIZE = 3


def run_on(folder, *more: str) -> int:
    line = ["run", "--tasks", *TASKS, "--subset", str(SIZE), "--output", str(folder)]
    return main([*line, *more])


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """What the planted model gets in process."""
    folder = tmp_path_factory.mktemp("here") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELFCHECK_CACHE", "off")
        assert run_on(folder, "--model", "planted") == 0
    return told(folder)


@pytest.mark.parametrize("concurrent", [1, 4])
@pytest.mark.parametrize("client", CLIENTS)
def test_run_on_a_server_equals_the_run_in_process_document_by_document(
    server, tmp_path, here, client, concurrent, caplog
):
    line = options(client, server.port, num_concurrent=concurrent)
    assert run_on(tmp_path / "run", *line) == 0
    assert told(tmp_path / "run") == here
    assert max(Counter(server.answered).values()) == 1, "each question once"
    assert f"Servers: {len(server.asked)} requests, 0 of them retries" in caplog.text
    asked = len(server.asked)
    assert run_on(tmp_path / "again", *line) == 0
    assert len(server.asked) == asked, "everything was kept"


@pytest.mark.parametrize(
    ("client", "ends"),
    [  # litellm fills in that an answer ended by itself
        (client, ends)
        for client in CLIENTS
        for ends in (True, False, None)
        if (client, ends) != ("litellm", None) and client != "openai-chat-completions"
    ],
)
def test_what_a_server_says_of_answers_that_reached_their_limit_is_recorded_and_kept(
    server, tmp_path, client, ends
):
    server.ends = ends
    line = [*options(client, server.port), "--tasks", "sample_importance_sentiment"]
    wanted = {True: 0, False: SIZE, None: None}[ends]
    for name in ("run", "from the cache"):
        assert run_on(tmp_path / name, *line) == 0
        task = read_run(tmp_path / name).tasks["sample_importance_sentiment"]
        assert task.answers_cut == wanted
        stages = [
            stage
            for sample in read_run(tmp_path / name).samples("sample_importance_sentiment")
            for stage in sample["stages"]
        ]
        assert {stage["answer_cut"] for stage in stages} == {None if ends is None else not ends}
    assert max(Counter(server.answered).values()) == 1, "the second run asked nothing"


@pytest.mark.parametrize("client", CLIENTS)
def test_key_is_sent_and_stands_nowhere(server, tmp_path, client, capsys, caplog):
    assert run_on(tmp_path / "run", *options(client, server.port)) == 0
    sent = server.asked[0]["headers"]
    assert KEY in " ".join(sent.values())
    said = capsys.readouterr()
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) > len(TASKS)
    assert KEY not in said.out + said.err + caplog.text
    assert not any(KEY.encode() in file.read_bytes() for file in files)


def test_budget_of_requests_stops_there_and_a_larger_one_goes_on(server, tmp_path, capsys, here):
    line = options("local-chat-completions", server.port, num_concurrent=4)
    assert run_on(tmp_path / "run", *line, "--max-requests", "10") == 1
    said = capsys.readouterr().err
    assert "budget spent: 10 of 10 requests (--max-requests); what was answered is kept" in said
    assert "Traceback" not in said and not (tmp_path / "run").exists()
    assert len(server.asked) == len(set(server.answered)) == 10
    assert run_on(tmp_path / "run", *line, "--max-requests", "1000") == 0
    assert max(Counter(server.answered).values()) == 1, "nothing was asked twice"
    assert told(tmp_path / "run") == here


@pytest.mark.parametrize("concurrent", [1, 4])
def test_budget_of_tokens_is_overshot_by_what_is_under_way_alone(
    server, tmp_path, capsys, here, concurrent
):
    line = options("local-chat-completions", server.port, num_concurrent=concurrent)
    assert run_on(tmp_path / "run", *line, "--max-tokens", "300") == 1
    said = capsys.readouterr().err
    assert "of 300 tokens (--max-tokens); what was answered is kept" in said
    used = [
        len(prompt.split()) + len(server.lm._reply(prompt).split()) for prompt in server.answered
    ]
    assert sum(used) >= 300 > sum(used) - sum(sorted(used)[-concurrent:])
    assert run_on(tmp_path / "run", *line, "--max-tokens", "1000000") == 0
    assert max(Counter(server.answered).values()) == 1
    assert told(tmp_path / "run") == here


def test_budget_of_tokens_is_refused_where_the_server_counts_none(server, tmp_path, capsys):
    server.counts = False
    line = options("local-chat-completions", server.port)
    assert run_on(tmp_path / "run", *line, "--max-tokens", "1000") == 1
    assert "the server reports no usage" in capsys.readouterr().err
    assert len(server.asked) == 1


def test_budget_is_one_for_model_and_simulator(server, tmp_path, capsys):
    with serving(other := PlantedServer()):
        [_, simulator, _, args, _] = options("local-chat-completions", other.port)
        line = ["--simulator", simulator, "--simulator-args", args, "--max-requests", "12"]
        line += ["--tasks", "sample_consistency_yes_no", "--subset", "3"]
        model = options("local-chat-completions", server.port)
        assert main(["run", *model, *line, "--output", str(tmp_path / "run")]) == 1
    assert "budget spent: 12 of 12 requests" in capsys.readouterr().err
    assert len(server.asked) + len(other.asked) == 12
    assert server.asked and other.asked


@pytest.mark.parametrize("option", ["--max-requests", "--max-tokens", "--requests-per-minute"])
def test_limit_below_one_is_refused_before_anything_is_asked(server, tmp_path, capsys, option):
    assert (
        run_on(tmp_path / "run", *options("local-chat-completions", server.port), option, "0") == 1
    )
    assert f"{option} must be at least 1, got 0" in capsys.readouterr().err
    assert not server.asked


@pytest.mark.parametrize("client", CLIENTS)
def test_chat_server_without_a_chat_template_is_told_so(server, tmp_path, capsys, client):
    line = options(client, server.port)[:-1]
    assert run_on(tmp_path / "run", *line) == 1
    said = capsys.readouterr().err
    assert "asked by messages, not by a text: add --apply_chat_template" in said
    assert "Traceback" not in said and not server.asked
