"""As on a machine without a network: what is not there is not looked for elsewhere."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, no_hub: None) -> None:
    monkeypatch.setattr("harness.hub._hub_answers", lambda: False)
