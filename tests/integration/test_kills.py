"""Commands killed with SIGKILL and started again; `tests/benchmarks/kills.py` does so 100 times."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from finetune.recipe import EcSftData, Model, Recipe, Score
from finetune.watching.state import open_state
from finetune.workspace import check_free, open_workspace
from harness.errors import ConfigError
from harness.run_files import lock_of
from harness.whole_files import is_claimed, partial_of, write_text
from leaderboards.board import build_board
from leaderboards.folder import check_output, write_board
from tests.benchmarks.kills import board_command, run_command, tiny
from tests.killing import Kill, Place, Wait, broken_files, compare_places, kill_once, repeated
from tests.unit.leaderboards.making import plain

BOARD = build_board([plain("a", t=0.5)])


def check(kills: list[Kill | None], whole: Place, killed: Place) -> None:
    """Let the killed command end; nothing may be lost, done again, left over or different."""
    done = [kill for kill in kills if kill is not None]
    assert len(done) == len(kills), "it ended before it was killed"
    before = killed.noted()
    assert killed.finish() == 0, killed.said[-3000:]
    assert [kill.again + kill.broken for kill in done] == [[]] * len(done)
    assert repeated(before, killed.noted()[len(before) :]) == broken_files(killed.out) == []
    told = compare_places(whole, killed)
    assert told.differ == [] and told.score <= 1e-4


def places(folder: Path, words: list[str]) -> tuple[Place, Place]:
    whole, killed = Place(folder / "whole", words), Place(folder / "killed", words)
    assert whole.finish() == 0, whole.said[-3000:]
    return whole, killed


def test_run_killed_while_it_asks_and_when_it_has_asked(tmp_path):
    whole, killed = places(tmp_path, list(run_command(tmp_path / "made")))
    waits = [Wait(0.1, "asking"), Wait(0, "settling")]
    kills = [kill_once(killed, wait, alone=False) for wait in waits]
    assert kills[0] is not None and kills[0].phase == "asking"
    check(kills, whole, killed)


def test_board_killed_at_random_moments(tmp_path):
    whole, killed = places(tmp_path, list(board_command(tmp_path / "made")))
    draw = random.Random(5)
    waits = [Wait(draw.uniform(0, 0.01), "writing-a-board") for _ in range(3)]
    kills = [kill_once(killed, wait, alone=False) for wait in waits]
    check([kill for kill in kills if kill], whole, killed)


def test_scoring_of_a_killed_watch_goes_on_and_the_next_watch_takes_its_run(tmp_path):
    tiny(tmp_path / "saved" / "checkpoint-1", seed=1)
    told = ["--tasks", "sample_importance_sentiment", "--subset", "6", "--device", "cpu"]
    base = Place(tmp_path / "base", ["run", "--model", "planted", *told, "--output", "{out}"])
    assert base.finish() == 0, base.said[-3000:]
    words = ["watch", str(tmp_path / "saved"), *told, "--base", str(base.out), "--once"]
    place = Place(tmp_path / "watch", [*words, "--settle", "0", "--output", "{out}"])
    run = place.out / "runs" / "checkpoint-1"
    kill = kill_once(place, Wait(0, "asking"), alone=True)
    assert kill is not None
    assert is_claimed(lock_of(run)) or run.is_dir()
    assert place.finish() == 0, place.said[-3000:]
    assert "Scored checkpoint-1" in place.said or (run / "run.json").is_file()
    asked = [tuple(line[2:]) for line in place.noted() if line[1] == "asked"]
    assert len(asked) == len(set(asked)) > 0, "asked by the scoring that went on, and by another"


def recipe() -> Recipe:
    return Recipe(
        method="ec_sft",
        seed=0,
        model=Model(name="x", chat_template=False, adapter=None),
        data=EcSftData(questions="x/y", kind="yes_no"),
        trainer={},
        score=Score(tasks=["x"]),
    )


def left_by_a_kill(file: Path) -> Path:
    """Leave half a file, as a process that is gone would have."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{2**22 + 1}")  # above the largest process number
    partial.write_text("half")
    return partial


def test_folder_of_a_finetuning_killed_at_its_first_file_is_gone_on_in(tmp_path):
    partial = left_by_a_kill(tmp_path / "recipe.yaml")
    check_free(tmp_path, recipe())
    with open_workspace(tmp_path, recipe()):
        assert not partial.exists()


def test_folder_of_a_watch_killed_at_its_first_file_is_gone_on_in(tmp_path):
    left_by_a_kill(tmp_path / "watch.json")
    assert open_state(tmp_path, {"a": 1}).settings == {"a": 1}
    (tmp_path / "mine").touch()
    with pytest.raises(ConfigError, match="holds something else"):
        open_state(tmp_path, {"a": 1})


def test_writing_a_file_leaves_those_that_living_processes_write(tmp_path):
    file = tmp_path / "file"
    gone, living = left_by_a_kill(file), file.with_name(f".{file.name}.{os.getppid()}")
    living.write_text("half")
    write_text(file, "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"file", living.name}
    assert not gone.exists() and not partial_of(file).exists()


def test_board_moved_away_by_a_killed_process_is_put_back(tmp_path):
    board, draft = tmp_path / "board", tmp_path / ".board-abc_1234.draft"
    write_board(BOARD, board)
    before = {path.name: path.read_bytes() for path in board.iterdir()}
    (draft / "new").mkdir(parents=True)
    board.rename(draft / "old")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leaderboards.folder.board_page", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_board(BOARD, board)
    assert {path.name: path.read_bytes() for path in board.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["board"]
    check_output(board)
