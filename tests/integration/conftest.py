"""What integration tests share: they are slow; a chat server; simulated runs, once a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.commands import main
from harness.run_files import StoredRun, read_run
from tests.served import PlantedServer, serving, set_keys
from tests.simulated import external, follow_ups


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave them out of the fast tier: whole runs, one by one, are most of its time."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Make runs on first use, each once: a name for the folder, and a command line."""
    folder = tmp_path_factory.mktemp("runs")

    def made(name: str, told: list[str]) -> StoredRun:
        if not (folder / name).exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SELFCHECK_CACHE", "off")
                assert main([*told, "--output", str(folder / name)]) == 0
        return read_run(folder / name)

    return made


@pytest.fixture
def server(monkeypatch) -> Iterator[PlantedServer]:
    """A chat server with the planted model, and keys for it."""
    set_keys(monkeypatch)
    opened = PlantedServer()
    with serving(opened):
        yield opened


@pytest.fixture(scope="module")
def base(runs):
    return runs("base", external())


@pytest.fixture(scope="module")
def frozen(base) -> Path:
    """Follow-ups to the explanations of the base."""
    file = base.folder.parent / "follow-ups.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELFCHECK_CACHE", "off")
        assert main(follow_ups(base, file)) == 0
    return file
