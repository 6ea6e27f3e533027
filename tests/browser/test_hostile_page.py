"""Texts of models, data and people that try to be more than text, at every place of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import pytest

from harness.errors import printable
from leaderboards.board import build_board
from leaderboards.entries import Entry
from leaderboards.page import render_page
from tests.boards import Task, make_entries
from tests.browser import journey
from tests.browser.conftest import DESKTOP, PHONE
from tests.hostile import VECTORS, is_file_name
from tests.made_samples import KINDS, Say, words

TEXTS = list(VECTORS.values())
FILE_NAMES = [text for text in TEXTS if is_file_name(text)]
STEP = 97  # a prime: no vector is left out
MODELS = 3
DOCUMENTS = len(TEXTS) // MODELS + 1  # every place of a model's own has every vector
LIMIT = 50_000_000
WORDS = ["<img src=x", '"', "__proto__", "\\", "{{", "\u202e", "(.*", "script"]
HUGE = ("prompt", "answer", "document", "cell", "failed", "command", "source", "choice", "edit")
ADDRESSES = [
    "#samples/<img src=x onerror=pwned=1>",
    "#samples/0/0/__proto__",
    "#samples/__proto__/constructor/000000000000/toString",
    "#samples/0/0/000000000000/-1",
    "#samples/99999/0",
    "#compare/0/1/<svg onload=pwned=1>",
    "#compare/__proto__/constructor/0",
    "#compare/1e3/-0/0x0",
    "#javascript:pwned=1",
    "#%",
    "#%00%ff",
    '#"],html,[x="',
    "#models",
]


def hostile(place: str, number: int) -> str:
    """Say all vectors in turn, in steps so that neighbours differ; others first at other places."""
    return TEXTS[(STEP * number + crc32(place.encode())) % len(TEXTS)]


def harmless(place: str, number: int) -> str:
    """Say as many different texts, in the same order, as long as they look."""
    return tame(hostile(place, number))


def task_text(number: int) -> str:
    """What the name of a task ends with."""
    return FILE_NAMES[7 * number % len(FILE_NAMES)]


def tame(text: str) -> str:
    """A text like that one, which is only a text."""
    return f"text {TEXTS.index(text)}".ljust(len(printable(text)), "x")


class Made(NamedTuple):
    """A page, and what it was made from."""

    file: Path
    entries: Sequence[Entry]


def build(folder: Path, say: Say, names: Sequence[str], tasks: Sequence[Task]) -> Made:
    """Write the page of a board."""
    entries = make_entries(folder, names, tasks, say)
    page = render_page(build_board(entries, names[0]), entries, LIMIT)
    (folder / "board.html").write_text(page, encoding="utf-8")
    return Made(folder / "board.html", entries)


@pytest.fixture(scope="module")
def huge_made(tmp_path_factory) -> Made:
    """A page of runs with texts of ten million characters."""
    tasks = [Task(f"{kind}_huge", kind, 2) for kind in ("counterfactual", "truthfulqa", "imported")]
    tasks.append(Task("answers_failing", "answers", 2, failed_for=(1,)))
    names = ["W" * 5000, "model " + "1" * 250, "<b>" * 1000]
    return build(tmp_path_factory.mktemp("huge"), huge, names, tasks)


def text_tasks(name_of: Callable[[int], str]) -> list[Task]:
    """A task of every kind, and one that failed for a model."""
    tasks = [Task(f"{kind}{name_of(n)}", kind, DOCUMENTS) for n, kind in enumerate(KINDS)]
    return [*tasks, Task(f"failing{name_of(len(tasks))}", "answers", 4, failed_for=(1,))]


def invisible(text: str) -> set[str]:
    """Characters that nobody sees, or that turn others around; but for the page's own isolates."""
    return {one for one in text if not one.isprintable()} - set("\n\u2068\u2069")


def texts_of(sample: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a sample that the reader shows unmarked: without prompts that are compared."""
    yield sample["target"]
    yield from (journey.on_one_line(column) for column in sample["doc"])
    yield from (text for text in sample["doc"].values() if isinstance(text, str))
    for stage in sample.get("stages", ()):
        yield stage["answer"]
        yield from [stage["prompt"]] if stage["stage"] in ("predict", "answer") else []
    for told in sample.get("read", {}).values():
        yield from [told] if isinstance(told, str) else told if isinstance(told, list) else []
    for key in ("prompt", "answer_only_prompt"):
        yield from [sample[key]] if key in sample else []
    for row in (*sample.get("choices", ()), *sample.get("answer_only", ())):
        yield row["choice"]
    for row in (*sample.get("asked", ()), *sample.get("answers", ())):
        yield from (text for text in row if isinstance(text, str))


def go_through(page, file: Path) -> set[str]:
    """Use all of a page, and give what was ever part of it."""
    page.add_init_script(journey.SEEN)
    journey.open_page(page, file)
    journey.sort_and_filter(page, WORDS)
    journey.plot_all(page)
    journey.compare_all(page)
    list(journey.read_all(page, 0, 1))
    journey.search_all(page, WORDS)
    journey.open_details(page)
    journey.go_everywhere(page, ADDRESSES)
    return set(page.evaluate("[...seen]"))


def assert_unharmed(page) -> None:
    """Nothing ran: no canary, nothing added to what all objects share, no frame."""
    told = page.evaluate(
        """() => [String(window.pwned), Object.keys(Object.prototype).join(), frames.length,
                  String(Object.prototype.pwned), typeof d3]"""
    )
    number = told[0]
    assert told == ["undefined", "", 0, "undefined", "object"], (
        list(VECTORS)[int(number)] if number.isdigit() else told
    )


@pytest.fixture(scope="module")
def hostile_made(tmp_path_factory) -> Made:
    """A page with every vector at every place; its models' names are the first of them."""
    tasks = text_tasks(task_text)
    return build(tmp_path_factory.mktemp("hostile"), hostile, TEXTS[:MODELS], tasks)


@pytest.fixture(scope="module")
def harmless_made(tmp_path_factory) -> Made:
    """A page of the same shape."""
    names = [tame(text) for text in TEXTS[:MODELS]]
    return build(
        tmp_path_factory.mktemp("harmless"),
        harmless,
        names,
        text_tasks(lambda n: tame(task_text(n))),
    )


def test_page_vectors_as_texts_nothing_runs_and_nothing_is_added(page, hostile_made, harmless_made):
    seen = go_through(page, hostile_made.file)
    assert_unharmed(page)
    assert not invisible("".join(page.locator("header, main, footer").all_text_contents()))
    usual = go_through(page, harmless_made.file)
    assert seen - usual == set()
    assert usual - seen == set()


def test_page_vectors_as_texts_are_shown_as_they_are(page, hostile_made):
    journey.open_page(page, hostile_made.file)
    models = page.locator("#read-model option").all_text_contents()
    runs = {journey.on_one_line(entry.name): entry.runs[0] for entry in hostile_made.entries}
    names = {journey.on_one_line(name): name for name in hostile_made.entries[0].tasks}
    for model, name in enumerate(models):
        for task, found in journey.read_all(page, model):
            assert bool(found) == bool(runs[name].tasks[names[task]].metrics)
            for sample in runs[name].samples(names[task]) if found else ():
                shown, _ = found.pop(sample["doc_hash"][:12])
                lacking = [text for text in texts_of(sample) if printable(text) not in shown]
                assert not lacking, (name, task, sample)
                assert not invisible(shown), (name, task, sample)
            assert not found
    assert_unharmed(page)


def test_page_vectors_as_names_of_models(page, tmp_path):
    names = TEXTS[::2]
    tasks = [Task("selfcheck_counterfactual_x", "counterfactual", 2)]
    journey.open_page(page, build(tmp_path, harmless, names, tasks).file)
    shown = page.eval_on_selector_all(
        "#models th.model bdi", "all => all.map((b) => b.textContent)"
    )
    assert sorted(shown) == sorted(map(journey.on_one_line, names))
    journey.sort_and_filter(page, [*WORDS, *names[:40]])
    journey.plot_all(page)
    journey.compare_all(page)
    journey.open_details(page)
    list(journey.read_all(page, 5, 6))
    for select in ("#compare-a", "#compare-b", "#read-model"):
        told = page.locator(f"{select} option").all_text_contents()
        assert [one for one in told if one not in ("nobody",)] == shown
    assert_unharmed(page)


def huge(place: str, number: int) -> str:
    """Say ten million characters without a space, at some places; something usual at the others."""
    long = place in HUGE and number == 1
    return f"{place}<b>".ljust(10_000_000, "W") if long else words(place, number)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_page_texts_of_ten_million_characters_are_cut_and_the_layout_holds(page, huge_made, size):
    assert huge_made.file.stat().st_size < 3_000_000
    page.set_viewport_size(size)
    journey.open_page(page, huge_made.file)
    journey.open_details(page)
    texts = []
    for _, found in journey.read_all(page, 1, 0):
        texts += [shown for shown, _ in found.values()]
        assert_fits(page)
    assert 20_000 < max(map(len, texts)) < 500_000
    assert any("more characters, in the samples of the run" in shown for shown in texts)
    journey.plot_all(page)
    journey.compare_all(page)
    assert_fits(page)
    assert_unharmed(page)


def assert_fits(page) -> None:
    """Nothing makes the page wider than its window."""
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
