"""What tests share: isolated caches, tiny models made on the spot, real data if there is some."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# no test is about time: how long an example takes depends on what else the machine does
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# before torch: workers with a thread per core each slow each other many times over
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def isolated_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads answers that another one kept."""
    monkeypatch.setenv("SELFCHECK_CACHE", str(tmp_path / "answers"))
    monkeypatch.setenv("SELFCHECK_HOME", str(tmp_path / "home"))


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a network."""
    import datasets

    def refuse(*args: object, **kwargs: object) -> None:
        raise ConnectionError("no network in this test")

    monkeypatch.setattr(datasets, "load_dataset", refuse)


@pytest.fixture
def no_real_data(monkeypatch: pytest.MonkeyPatch, no_hub: None) -> None:
    """As on a machine without data and without a network."""
    monkeypatch.delenv("SELFCHECK_DATA", raising=False)


@pytest.fixture
def real_data() -> Path:
    """The folder of real data."""
    folder = os.environ.get("SELFCHECK_DATA")
    if not folder:
        pytest.skip("SELFCHECK_DATA is not set: this test measures on real data")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a random two-layer GPT-2 and a byte tokenizer."""
    from tests.tiny import save_tiny_gpt2

    yield save_tiny_gpt2(tmp_path_factory.mktemp("tiny-gpt2"))


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a random two-layer T5 and a byte tokenizer."""
    from tests.tiny import save_tiny_t5

    yield save_tiny_t5(tmp_path_factory.mktemp("tiny-t5"))
