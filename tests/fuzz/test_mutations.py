"""The changes change something, the same by the same seed, and the check sees what it should."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from harness.sound_yaml import DEEPEST, fault
from tests.fuzz.mutations import BOMB, mutate
from tests.fuzz.trying import Said, Target, run_reader, try_target

JSON = json.dumps({"a": [1, 2.5, None], "b": {"c": "text"}}).encode()


@pytest.mark.parametrize("name", ["x.json", "x.jsonl", "x.yaml", "x.bin", "x.csv"])
def test_mutate_changes_a_file_and_does_the_same_again(name: str) -> None:
    content = b"a: 1\nb: [2, 3]\nc: {d: text}\n" if name.endswith("yaml") else JSON
    made = [mutate(content, name, random.Random(seed)) for seed in range(300)]
    assert made == [mutate(content, name, random.Random(seed)) for seed in range(300)]
    assert sum(one.content != content for one in made) > 290
    assert len({one.name.split(":")[0] for one in made}) > 15


def _write(folder: Path) -> None:
    (folder / "x.json").write_bytes(JSON)


def _reads(folder: Path) -> Said:
    return run_reader(lambda: None)


def _crashes(folder: Path) -> Said:
    json.loads((folder / "x.json").read_bytes().decode())
    return Said(0, "")


def _says_little(folder: Path) -> Said:
    return Said(int((folder / "x.json").read_bytes() != JSON), "selfcheck: something is wrong")


def _litters(folder: Path) -> Said:
    if (folder / "x.json").read_bytes() != JSON:
        (folder.parent / "litter").touch()
    return Said(0, "")


@pytest.mark.parametrize(
    ("attempt", "verdict"),
    [(_reads, "harmless"), (_crashes, "failed"), (_says_little, "failed"), (_litters, "failed")],
)
def test_try_target_tells_what_fails(tmp_path: Path, attempt, verdict: str) -> None:
    tried: list[str] = []
    target = Target("t", _write, ("x.json",), attempt)
    if attempt is not _reads:
        target = Target("t", _write, ("x.json",), lambda folder: _or_failed(attempt, folder))
    try_target(target, tmp_path, 0, range(30), lambda one: tried.append(one.verdict))
    assert verdict in tried


def _or_failed(attempt, folder: Path) -> Said:
    if not (folder / "x.json").is_file():
        return Said(1, "x.json")
    return attempt(folder)


def test_fault_refuses_what_no_reader_survives() -> None:
    assert "nested too deeply" in str(fault("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)))
    assert "nested too deeply" in str(fault("[" * 1_000_000))
    assert "too large" in str(fault(f"{BOMB}\nx: *a9"))
    assert "is not YAML: line 2" in str(fault("a: 1\nb: ]"))
    for sound in (
        "",
        "a: &x [1, 2]\nb: *x",
        "!function a.b",
        "- {a: 1, a: 2}",
        "[" * 50 + "]" * 50,
    ):
        assert fault(sound) is None
