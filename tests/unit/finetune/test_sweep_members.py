"""What --sweep and --seeds say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.reading import strict_yaml
from finetune.sweeps.members import Member, parse_axis, read_members, split_values
from harness.errors import ConfigError

RECIPE: dict[str, Any] = {
    "method": "grath",
    "seed": 5,
    "model": {"name": "some/model", "dtype": "float32", "chat_template": False},
    "data": {"questions": "selfcheck-sample/rationales"},
    "score": {"tasks": ["sample_truthfulness_mc1"], "retention": []},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    told = tmp_path / "recipe.yaml"
    told.write_text(yaml.safe_dump(RECIPE))
    return told


def read(
    file: Path, *sweeps: str, seeds: str | None = None, given: tuple[str, ...] = ()
) -> list[Member]:
    return read_members(file, given, sweeps, seeds)


def faults(file: Path, *sweeps: str, **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(file, *sweeps, **more)
    return str(caught.value).split("\n")


def test_members_are_the_product_of_values_and_seeds_seeds_changing_fastest(file: Path) -> None:
    members = read(file, "data.rounds=1,2", "model.adapter.r=4,8", seeds="1,2")

    assert [
        (m.recipe.data.rounds, m.recipe.model.adapter.r, m.recipe.seed)  # type: ignore[attr-defined, union-attr]
        for m in members
    ] == [(rounds, r, seed) for rounds in (1, 2) for r in (4, 8) for seed in (1, 2)]
    assert members[0].name == "rounds-1-r-4-seed-1"
    assert members[0].setting == {"data.rounds": 1, "model.adapter.r": 4}
    assert [m.setting_name for m in members[:3]] == ["rounds-1-r-4", "rounds-1-r-4", "rounds-1-r-8"]


def test_members_without_seeds_have_the_recipes(file: Path) -> None:
    members = read(file, "data.rounds=1,2")

    assert [(m.name, m.recipe.seed) for m in members] == [("rounds-1", 5), ("rounds-2", 5)]


def test_members_seeds_change_nothing_else(file: Path) -> None:
    first, second = read(file, seeds="1,2", given=("data.subset_seed=9",))

    assert (first.name, first.setting, first.setting_name) == ("seed-1", {}, "")
    assert first.recipe.data == second.recipe.data
    assert first.recipe.score == second.recipe.score
    assert first.recipe.seed != second.recipe.seed


def test_members_set_values_count_for_all(file: Path) -> None:
    members = read(file, "data.rounds=1,2", given=("data.subset=20",))

    assert {m.recipe.data.subset for m in members} == {20}


def test_members_places_of_the_same_name_are_told_apart(file: Path) -> None:
    (member,) = read(file, "model.adapter.alpha=8", "trainer.warmup_steps=3", "model.merge=true")
    assert member.name == "alpha-8-warmup_steps-3-merge-true"

    (member, *_) = read(file, "data.subset_seed=0,1", seeds="3")
    assert member.name == "subset_seed-0-seed-3"


def test_members_names_are_file_names_and_differ_where_case_alone_does(file: Path) -> None:
    long = "x" * 150
    told = [m.name for m in read(file, f'model.name="../a b","{long}1","{long}2",Ab/C,ab/c')]

    assert all(re.fullmatch(r"[A-Za-z0-9._+-]{1,110}", name) for name in told)
    assert len({name.casefold() for name in told}) == 5
    assert told[0] == "name-.._a_b"
    assert told[3].startswith("name-Ab_C-")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("score.subset=1,2", "score cannot be swept: scores of members must be comparable"),
        ("score={}", "score cannot be swept"),
        ("seed=1,2", "seed cannot be swept: give --seeds"),
        ("method=grath,ec_sft", "method cannot be swept"),
        ("trainer.use_cpu=true,false", "trainer.use_cpu cannot be swept"),
        ("data.rounds", "must be PLACE=VALUE,VALUE"),
        ("=1", "must be PLACE=VALUE,VALUE"),
        ("data. rounds=1", "must be PLACE=VALUE,VALUE"),
        ("data.rounds=", "lacks a value"),
        ("data.rounds=1,", "lacks a value"),
        ("data.rounds=1,,2", "is not YAML as expected"),
        ("data.rounds=1], [2", "is not YAML as expected"),
        ("data.rounds=&a 1,*a", "aliases"),
        ("data.rounds=!!int 1", "tags"),
    ],
)
def test_parse_axis_faults_say_where_and_what(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        parse_axis(text)
    assert str(caught.value).startswith("--sweep ")


def test_members_all_faults_of_all_members_are_told_at_once(file: Path) -> None:
    told = faults(file, "data.rounds=0,1,x", "trainer.beta=-1,0.1", seeds="1,2,-3")

    assert told == [
        "--sweep data.rounds=0: must be a whole number above 0, got 0",
        "--sweep trainer.beta=-1: must be a number above 0, got -1",
        "--seeds=-3: must be a whole number from 0 to 4294967295, got -3",
        "--sweep data.rounds=x: must be a whole number above 0, got 'x'",
    ]


def test_members_a_fault_of_the_file_is_told_once(file: Path) -> None:
    file.write_text(yaml.safe_dump({**RECIPE, "colour": "red"}))

    told = faults(file, seeds="1,2")

    assert len(told) == 1
    assert "recipe.yaml: colour: unknown key" in told[0]


def test_members_values_that_contradict_each_other_are_told(file: Path) -> None:
    told = faults(file, "model.adapter=null,{r: 4}", "model.merge=true,false")

    assert told == ["--sweep model.merge=true: needs an adapter, but model.adapter is null"]


def test_members_places_given_twice_are_told(file: Path) -> None:
    told = faults(
        file, "model.adapter.r=4", "model.adapter=null", "data.rounds=1",
        seeds="1", given=("seed=3", "data.rounds=2"),
    )  # fmt: skip

    assert told == [
        "--sweep model.adapter: --sweep model.adapter.r is given, too: give one of them",
        "--sweep data.rounds: --set data.rounds is given, too: give one of them",
        "--seeds: --set seed is given, too: give one of them",
    ]


@pytest.mark.parametrize(
    ("sweep", "seeds"),
    [("data.rounds=1,1", None), ("trainer.beta=0.1,0.10", "1"), ("data.rounds=1", "2,2")],
)
def test_members_with_equal_recipes_are_refused(file: Path, sweep: str, seeds: str | None) -> None:
    (told,) = faults(file, sweep, seeds=seeds)

    assert "are the same recipe: give each value once" in told


def test_members_faults_show_no_control_characters(file: Path) -> None:
    told = faults(file, 'data.rounds="\\e[2J"')

    assert "\x1b" not in told[0]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)


@given(st.lists(SCALARS | st.lists(SCALARS, max_size=3), min_size=1, max_size=5))
def test_split_values_finds_the_values_that_were_joined(values: list[Any]) -> None:
    written = [
        yaml.safe_dump(
            v,
            default_flow_style=True,
            width=10**9,
            default_style='"' if isinstance(v, str) else None,
        )
        for v in values
    ]
    written = [text.removesuffix("\n").removesuffix("\n...").removesuffix("\n") for text in written]

    told = split_values(", ".join(written), "--sweep x")

    assert [strict_yaml.load(text, "x")[0] for text in told] == [
        strict_yaml.load(text, "x")[0] for text in written
    ]


@given(st.text(st.sampled_from("ab1.,[]{}:'\"#&*!|>%@`?- \n\t\\=0x\x00é"), max_size=25))
@settings(max_examples=500)
def test_split_values_of_anything_are_yaml_or_a_fault(text: str) -> None:
    try:
        told = split_values(text, "--sweep x")
    except ConfigError as err:
        assert str(err).startswith("--sweep x")
    else:
        assert told
        assert [strict_yaml.load(value, "x")[0] for value in told] == strict_yaml.load(
            f"[{text}]", "x"
        )[0]
