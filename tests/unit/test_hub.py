from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness import data, hub
from harness.data import DataRef, load_split
from harness.errors import DataError, MissingDataError

IMDB = DataRef("stanfordnlp/imdb", "test", "plain_text")
ROWS = [{"text": "Good.", "label": 1}, {"text": "Bad – é \u2028 .", "label": 0}]


@pytest.fixture(autouse=True)
def _nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    data._read_file.cache_clear()
    data._read_hub.cache_clear()
    monkeypatch.setattr(hub, "_hub_answers", lambda: False)


def serve(
    monkeypatch: pytest.MonkeyPatch, rows: list[Any], urls: tuple[str, ...] = ()
) -> list[Any]:
    """Let `datasets.load_dataset` give these rows; the calls are noted in what is returned."""
    import datasets

    calls: list[Any] = []

    def load_dataset(*args: Any, **kwargs: Any) -> Any:
        calls.append((args, kwargs))
        table = datasets.Dataset.from_list(rows)
        table.info.download_checksums = {url: {} for url in urls}
        return table

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return calls


def test_load_split_hub_rows_are_those_asked_for(
    monkeypatch: pytest.MonkeyPatch, no_real_data: None
) -> None:
    commit = "0123456789" * 4
    calls = serve(monkeypatch, ROWS, (f"hf://datasets/stanfordnlp/imdb@{commit}/a.parquet",))
    split = load_split(IMDB)
    asked = {"split": "test", "revision": "main"}
    assert calls == [(("stanfordnlp/imdb", "plain_text"), asked)]
    assert split.docs == ROWS
    assert split.source == f"hub stanfordnlp/imdb at main (commit {commit})"


def test_load_split_hub_without_checksums_says_that_the_commit_is_unknown(
    monkeypatch: pytest.MonkeyPatch, no_real_data: None
) -> None:
    serve(monkeypatch, ROWS)
    assert load_split(IMDB).source == "hub stanfordnlp/imdb at main (commit unknown)"


def test_load_split_cache_of_another_commit_is_refused(
    monkeypatch: pytest.MonkeyPatch, no_real_data: None
) -> None:
    here, wanted = "a" * 40, "b" * 40
    serve(monkeypatch, ROWS, (f"hf://datasets/stanfordnlp/imdb@{here}/a.parquet",))
    with pytest.raises(MissingDataError, match=f"the cache holds commit {here}, not {wanted}"):
        load_split(DataRef("stanfordnlp/imdb", "test", None, wanted))


def test_load_split_hub_duplicates_are_dropped_counted_and_logged(
    monkeypatch: pytest.MonkeyPatch, no_real_data: None, caplog: pytest.LogCaptureFixture
) -> None:
    serve(monkeypatch, [*ROWS, ROWS[0], ROWS[0]])
    split = load_split(IMDB)
    assert (split.docs, split.dropped_duplicates) == (ROWS, 2)
    assert "stanfordnlp/imdb [plain_text] test: 2 exact duplicates" in caplog.text


def test_load_split_hub_problem_names_the_row(
    monkeypatch: pytest.MonkeyPatch, no_real_data: None
) -> None:
    serve(monkeypatch, [ROWS[0], ROWS[0], ROWS[1]])
    with pytest.raises(DataError) as caught:
        load_split(IMDB, lambda doc: None if doc["label"] else "'label' is 0")
    assert str(caught.value) == "stanfordnlp/imdb [plain_text] test, row 2: 'label' is 0"


def test_load_split_hub_value_without_json_names_the_row(
    monkeypatch: pytest.MonkeyPatch, no_real_data: None
) -> None:
    serve(monkeypatch, [{"text": "a", "image": b"\x00"}])
    with pytest.raises(DataError, match="test, row 0: Object of type bytes is not JSON"):
        load_split(IMDB)


def test_how_to_save_run_makes_the_file_that_load_split_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_real_data: None
) -> None:
    target = tmp_path / "stanfordnlp__imdb" / "plain_text" / "test.jsonl"
    command = hub.how_to_save(IMDB, target)
    code = re.fullmatch(r'python -c "(.*)"', command)
    assert code is not None
    fake = (
        "import datasets; datasets.disable_progress_bars(); datasets.load_dataset = "
        f"lambda *a, **k: datasets.Dataset.from_list({ROWS!r}); "
    )
    subprocess.run([sys.executable, "-c", fake + code[1]], check=True)
    monkeypatch.setenv("SELFCHECK_DATA", str(tmp_path))
    assert load_split(IMDB).docs == ROWS


def test_hub_answers_no_network_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.undo()
    asked = []

    class Session:
        def head(self, url: str, timeout: float) -> None:
            asked.append(url)
            raise ConnectionError

    monkeypatch.setattr(huggingface_hub, "get_session", Session)
    monkeypatch.setattr(hub, "_probed", [])
    assert [hub._hub_answers(), hub._hub_answers()] == [False, False]
    assert len(asked) == 1


def test_fetch_hub_silent_asks_the_cache_only(
    monkeypatch: pytest.MonkeyPatch, no_real_data: None
) -> None:
    import datasets
    from huggingface_hub import constants

    seen = []
    table = datasets.Dataset.from_list(ROWS)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(
        datasets, "load_dataset", lambda *_, **__: seen.append(constants.HF_HUB_OFFLINE) or table
    )
    hub.fetch(IMDB)
    assert (seen, constants.HF_HUB_OFFLINE) == ([True], False)


def test_load_split_hub_folder_and_revision_are_those_asked_for(
    monkeypatch: pytest.MonkeyPatch, no_real_data: None
) -> None:
    calls = serve(monkeypatch, ROWS)
    load_split(DataRef("o/n", "test", revision="refs/convert/parquet", data_dir="mc500"))
    asked = {"split": "test", "revision": "refs/convert/parquet", "data_dir": "mc500"}
    assert calls == [(("o/n", None), asked)]
