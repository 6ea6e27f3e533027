"""The watch's loop: what is taken, when, in which order, and what is known after a crash."""

from __future__ import annotations

import json
import logging
import shutil
import sys

import psutil
import pytest
from safetensors.torch import save

from finetune.checkpoints import digest
from finetune.watching.scorer import run_command
from finetune.watching.state import open_state
from finetune.watching.state import save as save_state
from finetune.watching.watcher import Watcher
from harness.errors import ComparisonError, ConfigError
from tests.records import store

SETTLE = 30


class Stop(Exception):
    """The end of a watch in a test."""


class World:
    """A watcher with a clock that only its sleep moves on, and a script of what happens then."""

    def __init__(self, folder, output, **more):
        self.now, self.scored, self.boards, self.fails = 0.0, [], [], {}
        self.script = []
        output.mkdir(exist_ok=True)
        self.watcher = Watcher(
            **{
                "folder": folder, "output": output, "score": self.score, "update": self.update,
                "base": output / "runs" / "base", "settle": SETTLE,
                "state": open_state(output, {"tasks": ["t"]}),
                "clock": lambda: self.now, "sleep": self.sleep, **more,
            }
        )  # fmt: skip

    def score(self, checkpoint, run, log):
        self.scored.append(checkpoint.name)
        if checkpoint.name in self.fails:
            return self.fails[checkpoint.name]
        store(run, {"t": {"m": [1, 0]}}, failed=self.fails.get("task"))
        return None

    def update(self, runs):
        self.boards.append(list(runs))

    def sleep(self, seconds):
        self.now += seconds
        if not self.script:
            raise Stop
        happens = self.script.pop(0)
        if happens:
            happens()

    def watch(self, *script, every=10):
        self.script = list(script)
        with pytest.raises(Stop):
            self.watcher.watch(every)
        return self.scored

    def once(self, *script):
        self.script = [*script, None]
        self.watcher.watch_once()
        return self.scored


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


@pytest.fixture
def world(folder, tmp_path):
    return World(folder, tmp_path / "watched")


@pytest.fixture(autouse=True)
def log_of_all(caplog):
    caplog.set_level(logging.INFO, "finetune")


def weights(number=1.0):
    import torch

    return save({"a": torch.full((100,), number)})


def checkpoint(place, number=1.0):
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.json").write_text("{}")
    (place / "model.safetensors").write_bytes(weights(number))
    return place


def kept(output):
    return json.loads((output / "watch.json").read_text())


def test_watch_takes_a_checkpoint_once_it_is_whole_and_quiet(world, folder):
    place = folder / "checkpoint-1"

    def begin():
        place.mkdir()
        (place / "config.json").write_text("{}")
        (place / "model.safetensors").write_bytes(weights()[:100])

    def grow():
        (place / "model.safetensors").write_bytes(weights()[:200])

    seen = []
    end = [None, None, lambda: seen.append(list(world.scored)), *[None] * 20]
    world.watch(begin, None, grow, None, lambda: checkpoint(place), *end)
    assert seen == [[]] and world.scored == ["checkpoint-1"]
    assert world.boards == [["base"], ["base", "checkpoint-1"]]


def test_watch_of_a_stalled_checkpoint_says_why_once_and_takes_it_when_complete(
    world, folder, caplog
):
    place = folder / "checkpoint-1"
    checkpoint(folder / "checkpoint-2")
    checkpoint(place)
    (place / "model.safetensors").write_bytes(weights()[:-7])
    stalled = []
    world.watch(
        *[None] * 9, lambda: stalled.extend(world.scored), lambda: checkpoint(place), *[None] * 9
    )
    assert stalled == ["checkpoint-2"]  # the other did not wait for it
    assert world.scored == ["checkpoint-2", "checkpoint-1"]
    assert caplog.text.count("it cannot be loaded: model.safetensors has") == 1
    assert world.watcher.failed == {}


def test_watch_takes_the_oldest_first_and_updates_the_board_after_each(world, folder):
    for name in ("checkpoint-100", "checkpoint-20", "iter_5/hf", "checkpoint-3"):
        checkpoint(folder / name)
    assert world.watch(*[None] * 9) == ["checkpoint-3", "checkpoint-20", "checkpoint-100", "hf"]
    names = ["base", "checkpoint-3", "checkpoint-20", "checkpoint-100", "iter_5--hf"]
    assert world.boards == [names[:end] for end in range(1, 6)]
    assert (world.watcher.output / "runs" / "iter_5--hf" / "run.json").is_file()


def test_watch_killed_between_run_and_state_scores_nothing_twice(world, folder, tmp_path, caplog):
    place = checkpoint(folder / "checkpoint-1")
    score = world.watcher.score

    def killed(*told):
        score(*told)
        raise Stop

    world.watcher.score = killed
    with pytest.raises(Stop):
        world.once()
    output = tmp_path / "watched"
    assert kept(output)["scored"] == {} and list(kept(output)["scoring"]) == ["checkpoint-1"]
    again = World(folder, output)
    assert again.once() == []
    assert again.boards[-1] == ["base", "checkpoint-1"]
    assert kept(output)["scored"] == {"checkpoint-1": digest(place)}
    assert kept(output)["scoring"] == {} and again.watcher.failed == {}
    (place / "config.json").write_text('{"other": 1}')
    assert World(folder, output).once() == []
    assert (
        "its files are not those that were scored; to score what is there now, remove"
        in caplog.text
    )


def test_watch_killed_while_scoring_scores_it_again(world, folder, tmp_path):
    checkpoint(folder / "checkpoint-1")

    def killed(*told):
        raise KeyboardInterrupt

    world.watcher.score = killed
    with pytest.raises(KeyboardInterrupt):
        world.once()
    assert World(folder, tmp_path / "watched").once() == ["checkpoint-1"]


def test_watch_reports_missing_shards_and_scores_the_others(world, folder, caplog):
    checkpoint(folder / "checkpoint-2")
    place = checkpoint(folder / "checkpoint-1")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (place / "model.safetensors.index.json").write_text(json.dumps(index))
    (place / "model.safetensors").rename(place / "model-1.safetensors")
    assert world.once() == ["checkpoint-2"]
    assert "shards are missing: model-2.safetensors" in world.watcher.failed["checkpoint-1"]
    assert "shards are missing" in kept(world.watcher.output)["failed"]["checkpoint-1"]
    assert "shards are missing" in caplog.text


def test_watch_tries_a_failed_checkpoint_again_when_it_changes(world, folder, tmp_path, caplog):
    place = checkpoint(folder / "checkpoint-1")
    checkpoint(folder / "checkpoint-2")
    world.fails["checkpoint-1"] = "out of memory"
    world.watch(*[None] * 20, lambda: checkpoint(place, 2.0), *[None] * 20)
    assert world.scored == ["checkpoint-1", "checkpoint-2", "checkpoint-1"]
    assert "checkpoint-1 is not scored: out of memory" in caplog.text
    assert "out of memory" in kept(tmp_path / "watched")["failed"]["checkpoint-1"]
    again = World(folder, tmp_path / "watched")  # whoever starts it anew has mended something
    assert again.once() == ["checkpoint-1"]
    assert kept(tmp_path / "watched")["failed"] == {} and again.watcher.failed == {}


def test_watch_tells_of_a_replaced_checkpoint_and_scores_it_when_its_run_is_gone(
    world, folder, caplog
):
    place = checkpoint(folder / "checkpoint-1")
    run = world.watcher.output / "runs" / "checkpoint-1"
    replaced = []
    world.watch(
        *[None] * 5, lambda: checkpoint(place, 2.0), *[None] * 12,
        lambda: replaced.extend(world.scored), lambda: shutil.rmtree(run), *[None] * 9,
    )  # fmt: skip
    assert replaced == ["checkpoint-1"] and world.scored == ["checkpoint-1"] * 2
    assert caplog.text.count(f"remove {run}") == 1
    assert world.watcher.state.scored["checkpoint-1"] == digest(place)
    assert world.watcher.failed == {}


def test_watch_drops_a_run_whose_checkpoint_changed_meanwhile(world, folder, caplog):
    place = checkpoint(folder / "checkpoint-1")
    score = world.watcher.score

    def slow(*told):
        if not world.scored:
            checkpoint(place, 2.0)
        return score(*told)

    world.watcher.score = slow
    world.watch(*[None] * 20)
    assert world.scored == ["checkpoint-1"] * 2
    assert "its files changed while it was scored; the run is dropped" in caplog.text
    assert world.watcher.state.scored["checkpoint-1"] == digest(place)


def test_watch_keeps_the_run_of_a_checkpoint_removed_meanwhile(world, folder, caplog):
    place, other = checkpoint(folder / "checkpoint-1"), checkpoint(folder / "checkpoint-2")
    score = world.watcher.score

    def slow(*told):
        for gone in (place, other):
            shutil.rmtree(gone, ignore_errors=True)
        return score(*told)

    world.watcher.score = slow
    world.watch(*[None] * 9)
    assert world.scored == ["checkpoint-1"] and list(world.watcher.runs()) == [
        "base",
        "checkpoint-1",
    ]
    assert "checkpoint-2 was removed before it was scored" in caplog.text


def test_watch_scores_again_whose_run_is_removed(world, folder):
    checkpoint(folder / "checkpoint-1")
    run = world.watcher.output / "runs" / "checkpoint-1"
    world.watch(*[None] * 9, lambda: shutil.rmtree(run), *[None] * 9)
    assert world.scored == ["checkpoint-1"] * 2 and run.is_dir()


def test_watch_keeps_the_run_of_a_checkpoint_that_is_being_removed(world, folder):
    place = checkpoint(folder / "checkpoint-1")
    score = world.watcher.score

    def slow(*told):
        (place / "model.safetensors").unlink()
        return score(*told)

    world.watcher.score = slow
    assert world.once() == ["checkpoint-1"]
    assert list(world.watcher.runs()) == ["base", "checkpoint-1"]


def test_watch_waits_for_a_folder_that_is_not_there(tmp_path, caplog):
    world = World(tmp_path / "later", tmp_path / "watched")
    world.watch(None, None, lambda: checkpoint(tmp_path / "later" / "step-1"), *[None] * 9)
    assert world.scored == ["step-1"]
    assert caplog.text.count("is not there yet") == 1
    with pytest.raises(ConfigError, match="no such folder"):
        World(tmp_path / "never", tmp_path / "other").once()


def test_watch_once_leaves_what_is_being_written(world, folder, caplog):
    checkpoint(folder / "checkpoint-1")
    assert world.once(lambda: checkpoint(folder / "checkpoint-2")) == ["checkpoint-1"]
    assert "checkpoint-2 is still being written" in caplog.text and world.watcher.failed == {}
    assert world.now == SETTLE


def test_watch_once_of_a_model_whose_tasks_fail_keeps_the_run_and_counts_it(world, folder, caplog):
    checkpoint(folder)
    world.fails["task"] = "NaN in document 3"
    assert world.once() == ["checkpoints"]  # the folder itself is one
    assert world.watcher.failed == {"checkpoints": "tasks failed: t"}
    assert "NaN in document 3" in caplog.text and list(world.watcher.runs()) == [
        "base",
        "checkpoints",
    ]


def test_watch_refuses_names_that_are_taken(world, folder):
    checkpoint(folder / "base")
    checkpoint(folder / "a" / "b")
    checkpoint(folder / "a--b")
    checkpoint(folder / ("long" * 60))
    assert world.once() == ["a--b"]
    told = "\n".join(world.watcher.failed.values())
    assert "its name is too long; rename" in told
    assert "base is not scored: its name is that of the base" in told
    assert f"a/b is not scored: its name is that of {folder}/a--b" in told


@pytest.mark.parametrize("error", [ComparisonError("other \x1b documents"), ZeroDivisionError("x")])
def test_watch_goes_on_without_a_board(error, world, folder, caplog):
    def fail(runs):
        raise error

    world.watcher.update = fail
    checkpoint(folder / "checkpoint-1")
    checkpoint(folder / "checkpoint-2")
    assert world.once() == ["checkpoint-1", "checkpoint-2"]
    assert caplog.text.count("The board could not be written") == 3 and "\x1b" not in caplog.text


def test_open_state_refuses_other_settings_and_foreign_folders(tmp_path):
    settings = {
        "subset": 20,
        "tasks": ["a", "b"],
        "metadata": {"simulator_args": "api_key=s3cret1"},
    }
    save_state(open_state(tmp_path, settings), tmp_path)
    assert "s3cret1" not in (tmp_path / "watch.json").read_text()
    assert open_state(tmp_path, settings).settings["subset"] == 20
    with pytest.raises(ConfigError, match="subset: 20 there, 30 here"):
        open_state(tmp_path, {**settings, "subset": 30})
    (tmp_path / "watch.json").write_text('{"version": 1}')
    with pytest.raises(ConfigError, match=r"watch\.json: cannot be read"):
        open_state(tmp_path, settings)
    (tmp_path / "watch.json").rename(tmp_path / "thesis.txt")
    with pytest.raises(ConfigError, match="holds something else"):
        open_state(tmp_path, settings)


def test_run_command_gives_the_last_words_of_what_fails(tmp_path):
    file = tmp_path / "logs" / "one.log"
    assert run_command([sys.executable, "-c", "print('well')"], file) is None
    assert file.read_text() == "well\n"
    code = "import sys; print('selfcheck: no such \x1b[2J'); print('bye'); sys.exit(3)"
    told = run_command([sys.executable, "-c", code], file)
    assert told == f"selfcheck: no such \\x1b[2J (status 3; all of it: {file})"
    code = "import os; os.kill(os.getpid(), 9)"
    assert "it printed nothing (signal 9; did memory run out?" in run_command(
        [sys.executable, "-c", code], file
    )


def test_run_command_that_is_stopped_ends_what_it_runs(tmp_path):
    started = tmp_path / "started"
    code = f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(600)"
    before = set(psutil.Process().children())
    with pytest.raises(KeyboardInterrupt):
        run_command([sys.executable, "-c", code], tmp_path / "log", started.exists)
    assert set(psutil.Process().children()) <= before
    with pytest.raises(KeyboardInterrupt):
        run_command(["no such program"], tmp_path / "log", started.exists)
