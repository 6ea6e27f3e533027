from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.errors import ConfigError
from leaderboards.commands import register
from leaderboards.tables import read_long, read_wide
from tests.records import store

ROOT = Path(__file__).parents[3]
WITHOUT_TORCH = """
import argparse, sys

class Blocked:  # sys.modules[name] = None would do, were it not for scipy, which looks there
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "lm_eval", "transformers", "datasets"):
            raise ModuleNotFoundError(f"{name} is blocked")

sys.meta_path.insert(0, Blocked())
import leaderboards, leaderboards.board
from leaderboards.commands import register
parser = argparse.ArgumentParser()
register(parser.add_subparsers())
args = parser.parse_args(sys.argv[1:])
sys.exit(args.execute(args, []))
"""


def selfcheck(*words):
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    args = parser.parse_args(["board", *map(str, words)])
    return args.execute(args, [])


@pytest.fixture
def runs(tmp_path):
    store(tmp_path / "base", {"t": {"acc": [0.0] * 8}, "u": {"acc": [0.5] * 8}}, fingerprint="1")
    store(tmp_path / "tuned", {"t": {"acc": [1.0] * 8}}, fingerprint="2")
    return tmp_path


def test_board_writes_files_and_prints_the_ranking(runs, capsys):
    assert selfcheck(runs / "base", runs / "tuned", "--base", "base", "--output", runs / "b") == 0
    told = capsys.readouterr().out
    assert told.index("| base") < told.index("| tuned")  # tuned has more, but lacks a task
    assert "Ranked by the mean" in told and str(runs / "b" / "wide.csv") in told
    assert len(read_long(runs / "b" / "long.csv")) == 3
    assert list(read_wide(runs / "b" / "wide.csv")["model"]) == ["base", "tuned"]


def test_board_tasks_and_names_are_taken(runs, capsys):
    words = ["new=" + str(runs / "tuned"), runs / "base", "--output", runs / "b", "--tasks", "t,t"]
    assert selfcheck(*words) == 0
    frame = read_wide(runs / "b" / "wide.csv")
    assert list(frame["model"]) == ["new", "base"] and list(frame["rank"]) == [1, 2]


def test_board_html_writes_a_page_and_names_it(runs, capsys):
    words = [runs / "base", runs / "tuned", "--output", runs / "b"]
    assert selfcheck(*words, "--html") == 0
    assert str(runs / "b" / "board.html") in capsys.readouterr().out
    page = (runs / "b" / "board.html").read_text()
    assert page.startswith("<!doctype html>") and 'data-block="samples-0-0"' in page
    assert selfcheck(*words, "--html", "--samples-limit", "0") == 0
    assert 'data-block="samples' not in (runs / "b" / "board.html").read_text()
    assert selfcheck(*words) == 0  # an earlier page would not be of this board
    assert not (runs / "b" / "board.html").exists()


@pytest.mark.parametrize(
    "words, fault",
    [
        (["--samples-limit", "5"], "--samples-limit is for the web page: give --html"),
        (["--html", "--samples-limit", "-1"], r"must be 0 to 1000 \(megabytes\), got -1"),
        (["--html", "--samples-limit", "nan"], "got nan"),
    ],
)
def test_board_wrong_samples_limit_is_refused_before_anything_is_read(runs, words, fault):
    with pytest.raises(ConfigError, match=fault):
        selfcheck(runs / "there is no such run", "--output", runs / "b", *words)


def test_board_wrong_output_is_refused_before_anything_is_read(runs):
    with pytest.raises(ConfigError, match="--output"):
        selfcheck(runs / "there is no such run", "--output", runs / "base")


def test_board_hostile_folder_name_is_printed_safely(runs, capsys):
    name = os.fsdecode(b"=a\x1b[2J\xff|<b>\n")
    store(runs / name, {"t": {"acc": [1.0] * 8}})
    assert selfcheck(runs / name, "--output", runs / "board") == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told and "\\x1b[2J\\udcff" in told
    assert list(read_long(runs / "board" / "long.csv")["model"]) == [name]


def test_board_works_where_torch_and_lm_eval_cannot_be_imported(runs):
    words = ["board", runs / "base", runs / "tuned", "--base", "base", "--output", runs / "b"]
    words.append("--html")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert (runs / "b" / "board.html").is_file()


def test_register_imports_no_pandas():
    program = (
        "import sys, leaderboards, leaderboards.commands; "
        "print([name for name in ('pandas', 'torch', 'scipy', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_command_is_an_entry_point():
    with (ROOT / "pyproject.toml").open("rb") as file:
        entries = tomllib.load(file)["project"]["entry-points"]["selfcheck.commands"]
    assert entries["leaderboards"] == "leaderboards.commands:register"
