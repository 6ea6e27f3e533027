"""The watch itself: it sees what vectors do to a page that takes texts for markup."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Error, Page

from tests.browser.watching import Watch
from tests.hostile import GROUPS, VECTORS

PLACES = {
    "text": "<p>{}</p>",
    "title": "<title>{}</title>",
    "field": "<textarea>{}</textarea>",
    "comment": "<!-- {} -->",
    "double": '<img alt="{}">',
    "single": "<img alt='{}'>",
    "bare": "<b class={}>x</b>",
    "link": '<a id=link href="{}">x</a>',
    "script": "<script>const told = '{}';</script>",
    "data": '<script type=text/plain>["{}"]</script>',
    "style": "<style>p {{ color: {} }}</style>",
}


ANY = ("text",)
ATTRIBUTES = ("double", "single", "bare", "link", "script")
GROUPS_AT = {
    "scripts": ANY,
    "closings": ("text", "title", "field", "comment", "data", "style"),
    "quotes": ATTRIBUTES,
    "handlers": ANY,
    "svg": ANY,
    "frames": ANY,
    "addresses": ("link",),
    "styles": ANY,
    "polyglots": tuple(PLACES),
}


def write(folder: Path, place: str, name: str) -> str:
    """A page that escapes nothing, with a vector at a place."""
    file = folder / f"{place}.html"
    text = VECTORS[name].encode("utf-8", "replace").decode()
    file.write_text(f"<!doctype html><meta charset=utf-8>{PLACES[place].format(text)}")
    return file.as_uri()


def acts(page: Page, watch: Watch, url: str) -> bool:
    """Open a page, touch it, and say whether a vector did anything."""
    try:
        page.goto(url)
        page.mouse.move(11, 21)
        page.mouse.click(11, 23)
        done = page.evaluate("window.pwned !== undefined") or bool(watch.seen)
    except Error:  # the vector went elsewhere
        done = True
    watch.clear()
    return done


def test_watch_a_page_that_escapes_nothing_vectors_are_seen(page, watch, tmp_path):
    acting = [
        name
        for group, places in GROUPS_AT.items()
        for name in GROUPS[group]
        if any(acts(page, watch, write(tmp_path, place, name)) for place in places)
    ]
    assert len(acting) >= 100


@pytest.mark.parametrize(
    ("markup", "kind"),
    [
        ("<script>alert(1)</script>", "dialogs"),
        ("<link rel=stylesheet href=http://127.0.0.1:9/x>", "requests"),
        ("<script>console.warn('x')</script>", "messages"),
        ("<script>throw Error('x')</script>", "errors"),
        ("<script>Promise.reject(Error('x'))</script>", "errors"),
        ("<iframe></iframe>", "others"),
        ("<script>new Worker('data:text/javascript,')</script>", "others"),
        ("<a download=x href='data:,x' id=x></a><script>x.click()</script>", "others"),
    ],
)
def test_watch_what_no_page_of_ours_does_is_seen(page, watch, tmp_path, markup, kind):
    (tmp_path / "page.html").write_text(f"<!doctype html>{markup}")
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_timeout(200)
    assert watch.seen[kind]
    watch.clear()


def test_watch_what_the_policy_blocks_is_seen(page, watch, tmp_path):
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    (tmp_path / "page.html").write_text(f"<!doctype html>{policy}<b style=color:red>x</b>")
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_timeout(200)
    assert any(told.startswith("blocked by the policy: style-src-attr") for told in watch.messages)
    watch.clear()


def test_watch_a_page_of_text_nothing_is_seen(page, watch, tmp_path):
    file = tmp_path / "page.html"
    file.write_text("<!doctype html><img alt=x src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>x")
    page.goto(file.as_uri())
    page.goto(f"{file.as_uri()}#x")
    assert not watch.seen
