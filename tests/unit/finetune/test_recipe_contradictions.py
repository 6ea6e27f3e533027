"""Recipes of which each field is right, and which are wrong all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finetune.reading.recipe_file import read_recipe
from finetune.sweeps.members import read_members
from harness.errors import ConfigError
from tests.unit.finetune.recipe_cases import (
    DISTILL,
    EC_SFT,
    GRATH,
    LAFFI,
    changed,
    faults,
    only_fault,
    write,
)

PEOPLE = {"data.human_fraction": 0.5, "data.annotations": "people.jsonl"}
ASKED = {"data.explanation": None, "data.teacher_answer": None}
TEACHER = {"model": "hf", "args": {"pretrained": "org/teacher"}}


def with_all(recipe: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    for place, value in changes.items():
        recipe = changed(recipe, place, value)
    return recipe


def without_teacher(recipe: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key != "teacher"}


@pytest.mark.parametrize(
    ("recipe", "changes", "place", "says"),
    [
        (DISTILL, {"model.chat_template": True}, "model.chat_template", "set it to false"),
        (DISTILL, {"model.adapter": {"r": 4}}, "model.adapter", "know nothing: set it to null"),
        (DISTILL, {"model.merge": True}, "model.merge", "needs an adapter"),
        (DISTILL, {"model.revision": "abc"}, "model.revision", "(model.scratch) have none"),
        (DISTILL, {"model.name": "demo-model", "model.revision": "v2"}, "model.revision", "'v2'"),
        (GRATH, {"model.architecture": "seq2seq", "model.chat_template": False},
         "model.architecture", "is 'seq2seq', but grath trains 'causal' only: set it to that"),
        (LAFFI, {"model.architecture": "seq2seq", "model.chat_template": False},
         "model.architecture", "but laffi trains 'causal' only"),
        (LAFFI, {"data.human_fraction": 0.5}, "data.human_fraction",
         "is 0.5, but data.annotations is null: name the file"),
        (LAFFI, PEOPLE, "data.annotations", "there is no file 'people.jsonl' in /"),
        (LAFFI, {"data.annotator": "templated"}, "teacher",
         "without effect, it writes nothing: data.annotator is 'templated'; leave it out"),
        (DISTILL, {"teacher": TEACHER}, "teacher", "data.explanations is 'given'; leave it out"),
        (DISTILL, {"data.explanation": None}, "data.explanation", "name the column that has them"),
        (DISTILL, {**ASKED, "data.explanations": "crop", "data.explanation": "why",
                   "teacher": TEACHER}, "data.explanation", "is 'why', without effect"),
        (DISTILL, {**ASKED, "data.explanations": "rp", "data.teacher_answer": "says",
                   "teacher": TEACHER}, "data.teacher_answer", "is 'says', without effect"),
        (DISTILL, {**ASKED, "data.explanations": "cote"}, "teacher",
         "is null, so that random weights (model.scratch) would write the training set"),
    ],
)  # fmt: skip
def test_read_recipe_contradiction_is_told_with_the_way_out(
    tmp_path: Path, recipe: dict[str, Any], changes: dict[str, Any], place: str, says: str
) -> None:
    file = write(tmp_path, with_all(recipe, changes))

    told = only_fault(file)

    assert told.startswith(f"{file}: {place}: ")
    assert says in told


@pytest.mark.parametrize(
    ("recipe", "changes"),
    [
        (GRATH, {"model.name": "demo-model", "model.revision": "main"}),
        (without_teacher(LAFFI), {"data.annotator": "templated"}),
        (LAFFI, {}),
        (without_teacher(EC_SFT), {"data.explanation": "facts"}),
        (DISTILL, {"data.controls": ["shuffled"]}),
        (DISTILL, {**ASKED, "data.explanations": "cote", "teacher": TEACHER}),
        (DISTILL, {**ASKED, "data.explanations": "rp", "model.scratch": None}),
        (DISTILL, {"model.scratch": None, "model.adapter": {"r": 4}, "model.merge": True}),
        (DISTILL, {"model.scratch": {"type": "gpt2"}, "model.architecture": "causal",
                   "model.chat_template": True}),
    ],
)  # fmt: skip
def test_read_recipe_what_goes_together_is_read(
    tmp_path: Path, recipe: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert read_recipe(write(tmp_path, with_all(recipe, changes))).method == recipe["method"]


@pytest.mark.parametrize("shares", [("0", "0.5", "1")])
@pytest.mark.parametrize("recipe", [LAFFI, without_teacher(LAFFI)])
def test_members_of_a_sweep_over_the_share_of_people_are_read_from_one_recipe(
    tmp_path: Path, recipe: dict[str, Any], shares: tuple[str, ...]
) -> None:
    people = tmp_path / "people.jsonl"
    people.write_text("")
    file = write(tmp_path, recipe)

    members = read_members(
        file, [f"data.annotations={people}"], [f"data.human_fraction={','.join(shares)}"], "1,2"
    )

    told = [(one.recipe.data.human_fraction, one.recipe.seed) for one in members]  # type: ignore[attr-defined]
    assert told == [(float(share), seed) for share in shares for seed in (1, 2)]
    assert [one.recipe.data.asks_teacher for one in members] == [True] * 4 + [False] * 2


def test_members_of_a_sweep_over_the_share_of_people_beside_rules_have_no_teacher(
    tmp_path: Path,
) -> None:
    people = tmp_path / "people.jsonl"
    people.write_text("")
    given = [f"data.annotations={people}", "data.annotator=templated"]
    sweep = ["data.human_fraction=0,1"]

    assert len(read_members(write(tmp_path, without_teacher(LAFFI)), given, sweep, None)) == 2
    with pytest.raises(ConfigError, match="teacher: without effect"):
        read_members(write(tmp_path, LAFFI), given, sweep, None)


def test_read_recipe_annotations_of_a_share_of_none_must_be_there(tmp_path: Path) -> None:
    told = only_fault(write(tmp_path, changed(LAFFI, "data.annotations", "people.jsonl")))

    assert "data.annotations: there is no file 'people.jsonl'" in told


def test_read_recipe_feedback_need_not_be_there_to_be_asked_for(tmp_path: Path) -> None:
    file = write(tmp_path, with_all(LAFFI, PEOPLE))

    assert read_recipe(file, annotated=False).data.annotations == "people.jsonl"  # type: ignore[attr-defined]


def test_read_recipe_contradictions_are_told_together(tmp_path: Path) -> None:
    told = with_all(
        DISTILL, {"model.revision": "abc", "data.explanation": None, "teacher": TEACHER}
    )

    found = faults(write(tmp_path, told))

    assert [line.split(": ")[1] for line in found] == [
        "model.revision",
        "data.explanation",
        "teacher",
    ]
