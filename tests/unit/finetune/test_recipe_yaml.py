from __future__ import annotations

from pathlib import Path

import pytest

from finetune.reading.recipe_file import read_recipe
from tests.unit.finetune.recipe_cases import (
    GRATH,
    LEAST,
    as_yaml,
    changed,
    faults,
    only_fault,
    write,
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty; a recipe is a mapping with the keys method, seed"),
        ("# nothing\n", "is empty"),
        ("- a\n", "a recipe is a mapping"),
        ("just text", "holds 'just text'"),
        ("method: grath\ndata: [1, 2\n", "line 3: is not YAML as expected"),
        ("method: 'grath\n", "is not YAML as expected"),
        ("method: grath\n---\nmethod: grath\n", "line 2: is not YAML as expected"),
        ("method: grath\nseed: !!int 3\n", "line 2: is not YAML as expected: tags"),
        ("seed: &a 3\ndata: *a\n", "line 2: is not YAML as expected: aliases"),
        ("a: \x00", "is not YAML as expected"),
        ("? [a]\n: b\n", "line 1: is not YAML as expected"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_read_recipe_no_mapping_of_yaml_says_so(tmp_path: Path, text: str, says: str) -> None:
    file = write(tmp_path, text)
    told = only_fault(file)
    assert told.startswith(str(file))
    assert says in told


def test_read_recipe_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    assert "there is no such recipe" in only_fault(tmp_path / "none.yaml")
    assert "cannot be read: Is a directory" in only_fault(tmp_path)
    (tmp_path / "latin").write_bytes(b"method: gr\xe4th")
    assert "is not text in UTF-8" in only_fault(tmp_path / "latin")


def test_read_recipe_repeated_keys_are_all_told_with_their_lines(tmp_path: Path) -> None:
    text = as_yaml(LEAST) + "seed: 1\nmethod: grath\nseed: 2\n"
    file = write(tmp_path, text)
    assert faults(file) == [
        f"{file}: line 11: key 'method' is given twice (first in line 1)",
        f"{file}: line 12: key 'seed' is given twice (first in line 10)",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("5e-4", "write 5.0e-4"),
        ("5.0e4", "write 50000"),
        ("1E5", "write 100000"),
        ("-.5", "write a plain decimal number"),
        ("yes", "write true"),
        ("Off", "write false"),
        ("010", "write a plain decimal number"),
        ("0x1f", "write a plain decimal number"),
        ("1:30", "write a plain decimal number"),
        ("2024-01-01", "in quotes if that is text"),
    ],
)
@pytest.mark.parametrize("place", ["seed", "model.name", "teacher.args.x", "trainer.beta"])
def test_read_recipe_text_that_yaml_reads_otherwise_is_refused_everywhere(
    tmp_path: Path, text: str, says: str, place: str
) -> None:
    file = write(tmp_path, as_yaml(changed(GRATH, place, "HERE")).replace("HERE", text))
    told = only_fault(file)
    assert told.startswith(f"{file}: {place}: got {text}, which YAML reads ")
    assert says in told
    assert f'"{text}" in quotes' in told


def test_read_recipe_key_that_yaml_reads_otherwise_is_refused(tmp_path: Path) -> None:
    text = as_yaml(changed(GRATH, "teacher.args", {"HERE": 1})).replace("HERE", "on")
    assert "teacher.args.on: got on, which YAML reads as true" in only_fault(write(tmp_path, text))


def test_read_recipe_same_text_in_quotes_is_text(tmp_path: Path) -> None:
    text = as_yaml(changed(GRATH, "model.name", "HERE")).replace("HERE", '"no"')
    assert read_recipe(write(tmp_path, text)).model.name == "no"


def test_read_recipe_control_characters_are_not_printed(tmp_path: Path) -> None:
    found = only_fault(write(tmp_path, {**GRATH, "a\x1b[2J\nb": 1}))
    assert found.isprintable()
