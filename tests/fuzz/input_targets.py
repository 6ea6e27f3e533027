"""What reads what people write: recipes, task files, data, follow-ups, annotations."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.trying import Said, Target, run_command, run_reader
from tests.records import doc_hash
from tests.unit.finetune.annotated import as_line, filled, open_row, write_lines
from tests.unit.finetune.recipe_cases import DISTILL, GRATH, LAFFI, as_yaml

RECIPES = {"grath": GRATH, "laffi": LAFFI, "distill": DISTILL}
OF_THE_TASK = ("unknown task: got 'mine'", "mine: ", "neither here nor on the hub")
"""What a task file names: where it is another's, or its data is not there."""


def build_recipe(name: str) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        (folder / "recipe.yaml").write_text(as_yaml(RECIPES[name]), encoding="utf-8")

    return build


def read_a_recipe(folder: Path) -> Said:
    """Read a recipe, as `finetune` does before it looks for models and data."""
    from finetune.reading.recipe_file import dump_recipe, read_recipe

    def read() -> None:
        told = read_recipe(folder / "recipe.yaml")
        again = folder / "again.yaml"
        again.write_text(dump_recipe(told), encoding="utf-8")
        assert read_recipe(again) == told, "a recipe written out is another one"

    return run_reader(read)


def write_data(folder: Path) -> None:
    rows = [
        {"text": f"This is review {number}, and it is fine, truly.", "label": number % 2}
        for number in range(12)
    ]
    file = folder / "data" / "own__reviews" / "test.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def build_tasks(folder: Path) -> None:
    """Write a task file of a user, one of ours on other data, and the data."""
    from harness.data import tasks_path

    write_data(folder)
    (folder / "tasks").mkdir()
    text = (tasks_path() / "sentiment" / "selfcheck_importance_imdb.yaml").read_text()
    for old, new in (
        ("../", f"{tasks_path().resolve()}/"),
        ("selfcheck_importance_imdb", "mine"),
        ("stanfordnlp/imdb", "own/reviews"),
    ):
        assert old in text
        text = text.replace(old, new)
    text = re.sub(r"^tag: .*\n", "", text, flags=re.MULTILINE)
    (folder / "tasks" / "mine.yaml").write_text(text)


def check_task(folder: Path) -> Said:
    """Check a task file and its data, as `run` does before it loads a model."""
    from harness.evaluate import check
    from harness.plan import Plan

    os.environ["SELFCHECK_DATA"] = str(folder / "data")
    plan = Plan("planted", ("mine",), include_path=(folder / "tasks",))
    return run_reader(lambda: check(plan) and None)


def load_data(folder: Path) -> Said:
    from harness.data import DataRef, load_split

    os.environ["SELFCHECK_DATA"] = str(folder / "data")
    return run_reader(lambda: load_split(DataRef("own/reviews", "test")) and None)


def check_data(folder: Path) -> None:
    """What was loaded is what the lines of the file say, read here in another way."""
    from harness.data import DataRef, load_split

    split = load_split(DataRef("own/reviews", "test"))
    content = (folder / "data/own__reviews/test.jsonl").read_bytes().decode("utf-8-sig")
    told = [json.loads(line) for line in content.split("\n") if line.strip()]
    assert split.docs == told and split.hashes == [doc_hash_of(doc) for doc in told]


def doc_hash_of(doc: dict[str, Any]) -> str:
    from harness.data import doc_hash as of

    return of(doc)


def build_follow_ups(folder: Path) -> None:
    from harness.follow_ups import Header, Row, TaskVersion, Written, write_follow_ups

    header = Header(
        created="2026-01-01T00:00:00+00:00",
        simulator="s" * 64,
        simulator_label="hf: org/name",
        simulator_chat_template=True,
        count=5,
        explanations="0123456789ab",
        tasks={"t": TaskVersion("1.0", "abc"), "u": TaskVersion("2.0", "def")},
    )
    asked = [Written("Is it?", [], "yes"), Written("Which?", ["one", "two"], "B")]
    rows = [Row(task, doc_hash(n), True, asked, {"x": 2}) for task in "tu" for n in range(4)]
    write_follow_ups(folder / "follow-ups.jsonl", header, rows)


def read_follow_ups(folder: Path) -> Said:
    from harness.follow_ups import read_follow_ups_file

    return run_reader(lambda: read_follow_ups_file(str(folder / "follow-ups.jsonl")) and None)


def build_annotations(folder: Path) -> None:
    """Write what was exported, and two people's sheets."""
    rows = [open_row(number) for number in range(1, 7)]
    write_lines(folder / "open.jsonl", *map(as_line, rows))
    for name in ("maria", "tom"):
        write_lines(folder / f"{name}.jsonl", *(as_line(filled(row, name)) for row in rows))


def import_annotations(folder: Path) -> Said:
    sheets = [str(folder / f"{name}.jsonl") for name in ("maria", "tom")]
    told = ["--expected", str(folder / "open.jsonl"), "--output", str(folder / "people.jsonl")]
    return run_command("annotate", "import", *sheets, *told)


def check_annotations(folder: Path) -> None:
    from finetune.writing.annotations import read_annotations

    assert len(read_annotations(folder / "people.jsonl")) <= 6


SHEETS = ("maria.jsonl", "tom.jsonl", "annotators disagree")
INPUT_TARGETS = [
    *(Target(f"recipe-{name}", build_recipe(name), ("*.yaml",), read_a_recipe) for name in RECIPES),
    Target("task-file", build_tasks, ("tasks/*.yaml",), check_task, stands_for=OF_THE_TASK),
    Target("task-data", build_tasks, ("data/*/*.jsonl",), check_task),
    Target("data", write_data, ("data/*/*.jsonl",), load_data, check_data),
    Target("follow-ups", build_follow_ups, ("*.jsonl",), read_follow_ups),
    Target(
        "annotations",
        build_annotations,
        ("*.jsonl",),
        import_annotations,
        check_annotations,
        SHEETS,
    ),
]
