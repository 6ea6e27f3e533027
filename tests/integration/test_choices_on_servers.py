"""Choice tasks on servers that give no log-likelihoods: refused before anything is asked."""

from __future__ import annotations

import pytest

from harness.commands import main
from harness.run_files import read_run
from tests.served import CLIENTS, options

CHOICES, ASKED = ("sample_truthfulness_mc1", "sample_truthfulness_mc2"), "sample_qa"


def run_on(folder, *more: str, tasks: tuple[str, ...] = (*CHOICES, ASKED)) -> int:
    line = ["run", "--tasks", *tasks, "--subset", "2", "--output", str(folder)]
    return main([*line, *more])


@pytest.mark.parametrize("client", CLIENTS)
def test_choice_tasks_are_refused_before_any_request(server, tmp_path, capsys, client):
    assert run_on(tmp_path / "run", *options(client, server.port)) == 1
    said = capsys.readouterr().err
    assert all(name in said for name in CHOICES) and ASKED not in said
    assert "--skip-unscorable" in said and "selfcheck-generative" in said
    assert "Traceback" not in said
    assert not server.asked and not (tmp_path / "run").exists()


def test_choice_tasks_are_left_out_where_that_is_asked_for(server, tmp_path, caplog):
    line = options("local-chat-completions", server.port)
    assert run_on(tmp_path / "run", *line, "--skip-unscorable") == 0
    assert all(f"Left out: {name} (" in caplog.text for name in CHOICES)
    assert list(read_run(tmp_path / "run").tasks) == [ASKED]


def test_choice_tasks_alone_leave_nothing(server, tmp_path, capsys):
    line = options("local-chat-completions", server.port)
    assert run_on(tmp_path / "run", *line, "--skip-unscorable", tasks=CHOICES) == 1
    assert "nothing is left" in capsys.readouterr().err
    assert not server.asked


def test_choice_tasks_are_scored_where_they_can_be(tmp_path):
    assert run_on(tmp_path / "run", "--model", "planted", "--skip-unscorable") == 0
    assert set(read_run(tmp_path / "run").tasks) == {*CHOICES, ASKED}
