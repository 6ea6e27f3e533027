from __future__ import annotations

import json

import pytest

from leaderboards.board import build_board
from leaderboards.page import render_page
from leaderboards.page.bundle import HASH, NO_DOCUMENTS, NO_MORE, NO_ROOM, NOTHING
from tests.boards import Task, make_entries, usual_tasks
from tests.unit.leaderboards.page.reading import BLOCK, blocks

ROOM = 10_000_000
NAMES = ["base", "b", "c"]


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    tasks = [*usual_tasks(documents=12)]
    return make_entries(tmp_path_factory.mktemp("runs"), NAMES, tasks)


def page_of(entries, limit):
    return blocks(render_page(build_board(entries, "base"), entries, limit))


def sizes(page):
    return sum(len(content) for name, content in BLOCK.findall(page) if name != "board")


def test_page_with_room_has_every_document_of_every_model(entries):
    told = page_of(entries, ROOM)
    tasks = told["board"]["tasks"]
    assert len(tasks) == len(usual_tasks())
    for number, task in enumerate(tasks):
        assert task["shown"] == task["documents"] == 12
        assert len(told[f"documents-{number}"]) == 12
        for model in range(3):
            assert len(told[f"samples-{number}-{model}"]) == 12


def test_page_scores_are_those_of_the_runs_in_the_order_of_the_hashes(entries):
    told = page_of(entries, ROOM)
    models = [model["name"] for model in told["board"]["models"]]
    for number, task in enumerate(told["board"]["tasks"]):
        scores = told[f"scores-{number}"]
        assert scores["hashes"] == sorted(scores["hashes"])
        for entry in entries:
            lines = {
                sample["doc_hash"][:HASH]: sample for sample in entry.runs[0].samples(task["name"])
            }
            values = scores["values"][models.index(entry.name)]
            for name, column in zip(scores["metrics"], values, strict=True):
                wanted = [lines[digest]["metrics"][name] for digest in scores["hashes"]]
                assert column == wanted, (task["name"], name)
        assert scores["by"] in scores["metrics"]


def test_page_answers_are_the_models_own(entries):
    told = page_of(entries, ROOM)
    models = [model["name"] for model in told["board"]["models"]]
    number = next(
        place for place, task in enumerate(told["board"]["tasks"]) if "redaction" in task["name"]
    )
    task, hashes = told["board"]["tasks"][number]["name"], told[f"scores-{number}"]["hashes"]
    for entry in entries:
        lines = {sample["doc_hash"][:HASH]: sample for sample in entry.runs[0].samples(task)}
        packed = told[f"samples-{number}-{models.index(entry.name)}"]
        for digest, sample in zip(hashes, packed, strict=True):
            turns = {turn["stage"]: turn for turn in sample["turns"]}
            for stage in lines[digest]["stages"]:
                answer = "".join(text for _, text in turns[stage["stage"]]["answer"])
                assert answer == stage["answer"]


@pytest.mark.parametrize("limit", [5_000, 20_000, 60_000])
def test_page_samples_keep_to_the_limit_and_are_of_the_same_documents(entries, limit):
    page = render_page(build_board(entries, "base"), entries, limit)
    told = blocks(page)
    shown = [task["shown"] for task in told["board"]["tasks"]]
    assert sizes(page) <= limit and min(shown) < 12
    for number, count in enumerate(shown):
        packed = [told[f"samples-{number}-{model}"] for model in range(3)] if count else []
        assert all(len(samples) == count for samples in packed)
        assert count == 0 or len(told[f"documents-{number}"]) == count


def test_page_scores_come_before_texts(entries):
    whole = page_of(entries, ROOM)
    scores = [name for name in whole if name.startswith("scores")]
    page = render_page(build_board(entries, "base"), entries, ROOM)
    room = sum(len(text) for name, text in BLOCK.findall(page) if name in scores) + 200
    told = page_of(entries, room)
    assert set(told) == {"board", *scores}
    assert all(task["scored"] and not task["shown"] for task in told["board"]["tasks"])


def lacks(told):
    return {task["lacks"] for task in told["board"]["tasks"]}


def test_page_says_why_samples_are_not_there(entries, tmp_path):
    assert lacks(page_of(entries, ROOM)) == {None}
    assert lacks(page_of(entries, 0)) == {NOTHING}
    assert lacks(page_of(entries, 20)) == {NO_ROOM}
    assert NO_MORE in lacks(page_of(entries, 60_000))
    bare = make_entries(tmp_path, ["a"], usual_tasks(documents=3, sampled=False))
    assert lacks(page_of_any(bare)) == {NO_DOCUMENTS}


def test_page_uses_most_of_its_limit(entries):
    board = build_board(entries, "base")
    whole = sizes(render_page(board, entries, ROOM))
    half = sizes(render_page(board, entries, whole // 2))
    assert 0.6 * whole / 2 < half <= whole / 2


def test_page_without_samples_has_the_board_alone(entries):
    told = page_of(entries, 0)
    assert set(told) == {"board"} and {task["shown"] for task in told["board"]["tasks"]} == {0}


def test_page_of_a_task_whose_samples_only_some_models_have(tmp_path):
    tasks = [Task("selfcheck_redaction_x", "redaction", 3)]
    kept = make_entries(tmp_path / "kept", ["a"], tasks)
    bare = make_entries(
        tmp_path / "bare", ["b"], [Task("selfcheck_redaction_x", "redaction", 3, (), False)]
    )
    told = page_of_any([*kept, *bare])
    models = [model["name"] for model in told["board"]["models"]]
    values = told["scores-0"]["values"]
    assert values[models.index("b")] is None and values[models.index("a")] is not None
    assert f"samples-0-{models.index('a')}" in told and f"samples-0-{models.index('b')}" not in told


def page_of_any(entries):
    return blocks(render_page(build_board(entries), entries, ROOM))


def test_page_same_runs_give_the_same_bytes(entries):
    board = build_board(entries, "base")
    again = build_board(list(reversed(entries)), "base")
    assert render_page(board, entries, 60_000) == render_page(again, entries[::-1], 60_000)


def test_page_numbers_are_json_that_every_browser_reads(entries):
    text = json.dumps(page_of(entries, ROOM), allow_nan=False)
    assert "NaN" not in text
