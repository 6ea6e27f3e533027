from __future__ import annotations

from pathlib import Path

import pytest

from finetune.reading.recipe_file import read_recipe
from finetune.recipe import Adapter, Asked
from tests.unit.finetune.recipe_cases import EC_SFT, GRATH, LEAST, changed, only_fault, write


def test_read_recipe_override_counts_instead_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, GRATH)
    told = ["trainer.max_steps=3", "seed=5", "model.merge=false", "model.adapter=null"]
    recipe = read_recipe(file, told)
    assert recipe.trainer == {**GRATH["trainer"], "max_steps": 3}
    assert (recipe.seed, recipe.model.merge, recipe.model.adapter) == (5, False, None)


def test_read_recipe_override_makes_what_is_missing_on_the_way(tmp_path: Path) -> None:
    file = write(tmp_path, changed(LEAST, "model.adapter", None))
    recipe = read_recipe(file, ["model.adapter.r=4", "teacher.args.pretrained=org/name"])
    assert recipe.model.adapter == Adapter(r=4)
    assert recipe.teacher == Asked(args={"pretrained": "org/name"})


def test_read_recipe_override_value_may_be_any_yaml_and_hold_equals_signs(tmp_path: Path) -> None:
    file = write(tmp_path, EC_SFT)
    told = ["data.learning_rates=[1.0e-3]", "score.simulator={args: {url: 'u?a=b'}}"]
    recipe = read_recipe(file, told)
    assert recipe.data.learning_rates == (1e-3,)  # type: ignore[attr-defined]
    assert recipe.score.simulator == Asked(args={"url": "u?a=b"})


def test_read_recipe_override_mends_a_fault_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, changed(GRATH, "data.rounds", 0))
    assert read_recipe(file, ["data.rounds=1"]).data.rounds == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("a.b", "--set a.b: must be PLACE=VALUE"),
        ("=c", "--set =c: must be PLACE=VALUE"),
        ("a..b=c", "--set a..b=c: must be PLACE=VALUE"),
        (".a=c", "--set .a=c: must be PLACE=VALUE"),
        ("a. b=c", "--set a. b=c: must be PLACE=VALUE"),
        ("seed=", "--set seed=: lacks a value; for none write seed=null"),
        ("seed=[1", "--set seed, line 1: is not YAML as expected"),
        ("teacher={model: hf, model: x}", "--set teacher: line 1: key 'model' is given twice"),
        ("seed.x=1", "--set seed.x: seed is 17, which has no places in it: set seed as a whole"),
        ("score.tasks.0=a", "--set score.tasks.0: score.tasks is ['selfcheck-truthfulqa']"),
        ("data.rounds=0", "--set data.rounds: must be a whole number above 0, got 0"),
        ("data.rounds=two", "--set data.rounds: must be a whole number above 0, got 'two'"),
        ("trainer.learning_rate=5e-4", "--set trainer.learning_rate: got 5e-4, which YAML reads"),
        ("trainer.betta=1", "--set trainer.betta: unknown key: got 'betta'. Did you mean 'beta'?"),
        ("data.round=1", "--set data.round: unknown key: got 'round'. Did you mean 'rounds'?"),
        ("modle.name=m", "--set modle.name: modle: unknown key: got 'modle'."),
        ("teacher={modle: m}", "--set teacher: teacher.modle: unknown key: got 'modle'."),
    ],
)
def test_read_recipe_wrong_override_is_named_as_such(
    tmp_path: Path, override: str, says: str
) -> None:
    assert says in only_fault(write(tmp_path, GRATH), (override,))


@pytest.mark.parametrize(
    "pair", [("seed=1", "seed=2"), ("teacher=null", "teacher.model=hf"), ("data.a=1", "data={}")]
)
def test_read_recipe_overrides_of_one_place_are_refused(
    tmp_path: Path, pair: tuple[str, str]
) -> None:
    file = write(tmp_path, GRATH)
    with pytest.raises(Exception, match="is given, too: give one of them"):
        read_recipe(file, pair)


def test_read_recipe_fault_of_the_file_beside_an_override_is_the_files(tmp_path: Path) -> None:
    file = write(tmp_path, changed(GRATH, "model.adapter.r", 0))
    told = only_fault(file, ("model.adapter.alpha=4",))
    assert told.startswith(f"{file}: model.adapter.r: ")
