from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from harness.errors import printable
from leaderboards.board import build_board
from leaderboards.entries import Entry
from leaderboards.page import render_page
from tests.boards import Task, make_entries, usual_tasks
from tests.unit.leaderboards.making import aggregated, in_memory, model, number, plain
from tests.unit.leaderboards.page.reading import blocks

HOSTILE = "<script>alert(1)</script>{{ 7 * 7 }}\" onclick='x' \u202e"


class Seen(HTMLParser):
    """The elements of a page with their attributes, and its text by line."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data.strip())


def render(entries, base=None):
    return render_page(build_board(entries, base), entries, 0)


def cells(page, **wanted):
    return [
        attrs
        for tag, attrs in Seen(page).elements
        if tag == "td" and all(attrs.get(f"data-{key}") == value for key, value in wanted.items())
    ]


def test_page_table_has_a_cell_for_every_model_and_ranked_task(tmp_path):
    names, tasks = ["a", "b", "c"], usual_tasks()
    page = render(make_entries(tmp_path, names, tasks), "a")
    ranked = blocks(page)["board"]["ranked_tasks"]
    assert ranked > 3
    assert len([one for one in cells(page) if "data-task" in one]) == 3 * ranked


def test_page_cell_values_are_the_boards(tmp_path):
    entries = make_entries(tmp_path, ["a", "b"], usual_tasks())
    board = build_board(entries, "a")
    page = render_page(board, entries, 0)
    told = {(one["data-task"], one["data-value"]) for one in cells(page) if "data-task" in one}
    tasks = [task["name"] for task in blocks(page)["board"]["tasks"]]
    wanted = {
        (str(tasks.index(line.task)), "" if line.value is None else repr(line.value))
        for line in board.lines
        if line.headline
    }
    assert told == wanted


def test_page_colours_only_what_the_paired_test_supports(tmp_path):
    up, down = [1.0] * 40, [0.0] * 40
    bare = aggregated("t", {"acc": number(0.99, 0.97, 1.0, n=40)}, documents=40)
    entries = [
        model(tmp_path, "base", {"t": {"acc": down}}),
        model(tmp_path, "better", {"t": {"acc": up}}),
        model(tmp_path, "same", {"t": {"acc": [1.0, *down[1:]]}}),
        Entry("unpaired", [in_memory("unpaired", {"t": bare})]),
    ]
    classes = {
        row: attrs["class"]
        for row, attrs in zip(
            [place.model for place in build_board(entries, "base").places],
            cells(render(entries, "base"), task="0"),
            strict=True,
        )
    }
    assert {name: told.split()[1:] for name, told in classes.items()} == {
        "base": [],
        "better": ["better"],
        "same": [],
        "unpaired": [],
    }


def test_page_incomplete_models_stand_apart_and_say_why():
    failed = aggregated("t", {}, headline="acc", failed="out of memory")
    entries = [plain("a", t=0.5, u=0.5), Entry("b", [in_memory("b", {"t": failed})])]
    page = render(entries)
    ranked, incomplete = page.split('class="incomplete-title"')
    assert "<bdi>a</bdi>" in ranked and "<bdi>b</bdi>" not in ranked.split("<tbody")[1]
    assert ">failed<" in incomplete and ">not run<" in incomplete


def test_page_says_what_a_metric_means_its_chance_and_its_control(tmp_path):
    entries = make_entries(tmp_path, ["a"], [Task("selfcheck_importance_x", "importance", 3)])
    mean, tip = re.findall(r'role="tooltip"[^>]*>([^<]*)<', render(entries))
    assert mean.startswith("The mean of the headline metrics of 1 ranked task")
    assert tip.startswith("lift_all: faithfulness - control, 0 where the model did not commit")
    assert "Over: all documents." in tip and "Chance: " in tip
    assert "Control: as many other words masked, with as many stop-words among them." in tip


def test_page_texts_of_others_are_text():
    entries = [plain(HOSTILE, t=0.5), plain("b" + HOSTILE, t=0.25)]
    page = render(entries, HOSTILE)
    seen = Seen(page)
    assert not [attrs for _, attrs in seen.elements if any(key.startswith("on") for key in attrs)]
    scripts = [attrs for tag, attrs in seen.elements if tag == "script"]
    assert len(scripts) == len(
        [
            one
            for _, one in Seen(render([plain("a", t=1), plain("b", t=0)])).elements
            if _ == "script"
        ]
    )
    assert printable(HOSTILE) in seen.texts
    assert blocks(page)["board"]["models"][0]["name"] == printable(HOSTILE)


def test_page_long_texts_are_cut():
    entries = [plain("x" * 10_000_000, t=0.5)]
    assert len(render(entries)) < 1_000_000


def test_page_change_of_a_line(tmp_path):
    up, down = [1.0] * 40, [0.0] * 40
    entries = [
        model(tmp_path, "base", {"t": {"acc": down, "size": down}}, directions={"size": None}),
        model(tmp_path, "b", {"t": {"acc": up, "size": up}}, directions={"size": None}),
    ]
    board = blocks(render(entries, "base"))["board"]
    place = {name: number for number, name in enumerate(board["columns"])}
    told = {
        (line[place["model"]], line[place["metric"]]): line[place["change"]]
        for line in board["lines"]
    }
    base = board["base"]
    assert told == {
        (1 - base, "acc"): "better",
        (1 - base, "size"): "higher",
        (base, "acc"): None,
        (base, "size"): None,
    }


def test_page_provenance_tells_runs_data_and_command(tmp_path):
    entries = make_entries(tmp_path, ["a"], [Task("selfcheck_importance_x", "importance", 3)])
    page = render(entries)
    run = entries[0].runs[0]
    told = page[page.index('id="provenance"') :]
    assert run.id in told and "selfcheck" in told
    command = run.record.environment.command
    assert all(word in told for word in command[1].split())
    assert str(run.tasks["selfcheck_importance_x"].data["fingerprint"]) in told


@pytest.mark.parametrize(
    "words, wanted",
    [
        (
            ["/home/me/bin/selfcheck", "run", "--model-args", "pretrained=a b"],
            "selfcheck run --model-args &#39;pretrained=a b&#39;",
        ),
        (None, None),
    ],
)
def test_page_command_line_can_be_pasted(words, wanted):
    import msgspec

    entry = plain("a", t=0.5)
    (run,) = entry.runs
    environment = msgspec.structs.replace(run.record.environment, command=words)
    record = msgspec.structs.replace(run.record, environment=environment)
    from dataclasses import replace

    page = render([Entry("a", [replace(run, record=record)])])
    assert ("To repeat it:" in page) is (wanted is not None)
    assert wanted is None or f"<code>{wanted}</code>" in page


def test_page_of_200_models_and_20_tasks_without_samples_is_small():
    names = {f"t{task:02}": 0.5 for task in range(20)}
    page = render([plain(f"model-{place:03}", **names) for place in range(200)])
    assert len(page) < 5_000_000


def shown_cells(page, task="0"):
    """The text of a task's cells, in the order of the rows."""
    found = re.findall(rf'<td class="cell [^>]*data-task="{task}"[^>]*>(.*?)</td>', page, re.DOTALL)
    return [re.sub(r"<[^>]*>", " ", told).split() for told in found]


def test_page_cell_says_why_it_has_no_value():
    failed = aggregated("t", {}, headline="acc", failed="out of memory")
    other = aggregated("t", {"size": number(0.5)}, headline="acc")
    empty = aggregated("t", {"acc": number(None, n=0)})
    entries = [
        plain("a", t=0.5, u=0.5),
        *(
            Entry(name, [in_memory(name, {"t": task})])
            for name, task in (("b", failed), ("c", other), ("d", empty))
        ),
        plain("e", u=0.5),
    ]
    told = shown_cells(render(entries))
    assert [words[0] for words in told[:1]] == ["0.500"]
    assert told[1:] == [["failed"], ["no", "acc"], ["no", "document", "applies"], ["not", "run"]]


def test_page_unpaired_delta_is_called_so():
    entries = [plain("base", t=0.25), plain("b", t=0.5)]
    for entry, low, high in ((entries[0], 0.2, 0.3), (entries[1], 0.45, 0.55)):
        task = aggregated("t", {"acc": number(entry.tasks["t"].metrics["acc"].value, low, high)})
        entries[entries.index(entry)] = Entry(entry.name, [in_memory(entry.name, {"t": task})])
    told = shown_cells(render(entries, "base"))
    assert "unpaired" in told[0] and "better" not in told[0]
    board = blocks(render(entries, "base"))["board"]
    paired = {line[0]: line[board["columns"].index("paired")] for line in board["lines"]}
    assert paired == {0: False, 1: None}


def test_page_task_that_is_not_ranked_is_shown_and_says_so(tmp_path):
    values = {"t": {"acc": [1.0, 0.0]}, "u": {"length": [3.0, 4.0]}}
    entries = [model(tmp_path, "a", values, bounds={"length": (0.0, 100.0)})]
    page = render(entries)
    assert "(not ranked)" in page and "Not ranked: length is not bounded" in page
    assert shown_cells(page, "1")[0][0] == "3.500"


def test_page_names_that_look_alike_are_told_apart():
    names = ["x" * 300 + end for end in "ab"]
    page = render([plain(name, t=0.5) for name in names])
    told = [one["name"] for one in blocks(page)["board"]["models"]]
    assert len(set(told)) == 2 and told[0].endswith("(1)") and told[1].endswith("(2)")


def test_page_provenance_tells_how_the_board_was_made():
    entries = [plain("a b", t=0.5), plain("c", t=0.25)]
    page = render(entries, "c")
    folder = entries[0].runs[0].folder
    assert f"selfcheck board &#39;a b={folder}&#39;" in page
    assert "--base c --html --output DIR" in page
