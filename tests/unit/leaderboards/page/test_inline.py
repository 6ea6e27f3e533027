from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from leaderboards.page import inline
from leaderboards.page.inline import SCRIPTS, STYLES, policy, read_assets

D3 = "f2094bbf6141b359722c4fe454eb6c4b0f0e42cc10cc7af921fc158fceb86539"
"""sha256 of dist/d3.min.js in the package d3 7.9.0 as npm has it."""

BANNED = (
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "DOMParser",
    r"document\.write",
    "createContextualFragment",
    r"\beval\(",
    "new Function",
    r"setAttribute\(\s*[\"'](?:style|on)",
    r"\.html\(",
    r"fetch\(",
    "XMLHttpRequest",
    "WebSocket",
    r"import\(",
)


def test_policy_allows_our_scripts_and_styles_and_nothing_else():
    told = dict(part.split(" ", 1) for part in policy().split("; "))
    assert told["default-src"] == told["base-uri"] == told["form-action"] == "'none'"
    for name, files in (("script-src", SCRIPTS), ("style-src", STYLES)):
        wanted = [
            base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            for text in read_assets(files)
        ]
        assert re.findall(r"'sha256-([^']+)'", told[name]) == wanted
        assert told[name].count(" ") == len(files) - 1
    assert "unsafe" not in policy()


def test_d3_is_as_it_was_published():
    (text,) = read_assets(("vendor/d3.min.js",))
    assert hashlib.sha256(text.encode()).hexdigest() == D3


def test_every_asset_is_in_the_page():
    from importlib.resources import files

    folder = Path(str(files("leaderboards.page") / "assets"))
    told = [file for file in folder.rglob("*") if file.suffix in (".js", ".css")]
    assert {file.relative_to(folder).as_posix() for file in told} == {*SCRIPTS, *STYLES}


@pytest.mark.parametrize("text", ["</script >", "</SCRIPT>", "<!--", "</style>"])
def test_read_assets_refuses_what_would_end_its_element(tmp_path, monkeypatch, text):
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "bad.js").write_text(f"const a = '{text}'")
    monkeypatch.setattr(inline, "files", lambda _: tmp_path)
    with pytest.raises(ValueError, match=r"bad\.js cannot stand within a page"):
        read_assets.__wrapped__(("bad.js",))


def test_our_scripts_never_parse_markup_or_code():
    ours = [name for name in SCRIPTS if not name.startswith("vendor/")]
    told = "\n".join(read_assets(tuple(ours)))
    assert [word for word in BANNED if re.search(word, told)] == []
