"""A real browser, and pages that are watched. Tests in a browser are slow."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.watching import Watch

NAMES = ("chromium", "chromium-browser", "google-chrome")
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
SETTLE = 100
"""Milliseconds: what a page does at last is told a little later."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave them out of the fast tier: it needs no browser."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slow)


def find_chromium() -> str | None:
    """Find the program: the one that SELFCHECK_CHROMIUM names, or one that is installed."""
    return os.environ.get("SELFCHECK_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A browser. Not longer than these tests: while it is there, `asyncio.run` is refused."""
    program = find_chromium()
    if program is None:
        pytest.skip(
            "no browser: install one (Debian: apt-get install chromium), or name the program of "
            "another Chromium in SELFCHECK_CHROMIUM"
        )
    as_root = os.geteuid() == 0  # Chromium's sandbox refuses to work for root
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, chromium_sandbox=not as_root)
        yield chromium
        chromium.close()


@pytest.fixture
def watch() -> Watch:
    """What `page` does that no page of ours does."""
    return Watch()


@pytest.fixture
def page(browser: Browser, watch: Watch) -> Iterator[Page]:
    """A watched page, 1440 pixels wide; whatever `watch` has seen at the end fails the test."""
    context = browser.new_context(viewport=DESKTOP)
    page = watch.follow(context)
    yield page
    page.wait_for_timeout(SETTLE)
    context.close()
    assert not watch.seen
