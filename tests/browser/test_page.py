"""The page of a board as its readers use it, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leaderboards.board import build_board
from leaderboards.page import render_page
from leaderboards.page.bundle import HASH
from tests.boards import Task, make_entries, many_tasks, usual_tasks
from tests.browser.conftest import PHONE
from tests.browser.journey import open_page, options
from tests.unit.leaderboards.making import plain

LIMIT = 20_000_000
NAMES = ["base", "tuned-round-1", "tuned-round-2", "other"]
DOCUMENTS = 30


def write(folder: Path, entries, base=None, limit=LIMIT) -> Path:
    file = folder / "board.html"
    file.write_text(render_page(build_board(entries, base), entries, limit), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    """Four models on tasks of every kind; one failed in a ranked task, and is incomplete."""
    tasks = usual_tasks(DOCUMENTS)
    failing = Task("selfcheck_redaction_failing", "redaction", DOCUMENTS, failed_for=(3,))
    return make_entries(tmp_path_factory.mktemp("runs"), NAMES, [*tasks, failing])


@pytest.fixture(scope="module")
def board(entries):
    return build_board(entries, "base")


@pytest.fixture(scope="module")
def file(tmp_path_factory, entries):
    return write(tmp_path_factory.mktemp("page"), entries, "base")


def names(page, part="tbody.ranked"):
    rows = page.locator(f"#models {part} tr[data-model]:visible th.model bdi")
    return rows.all_text_contents()


def column(page, task):
    rows = page.locator(f"#models tbody.ranked td[data-task='{task}']:visible")
    return [float(value) for value in rows.evaluate_all("all => all.map((c) => c.dataset.value)")]


def visible_checks(page):
    return page.locator("#models thead th[data-check]:visible").evaluate_all(
        "all => [...new Set(all.map((c) => c.dataset.check))]"
    )


def select(page, what, text):
    page.select_option(f"#{what}", label=text)


def settle(page, section):
    page.locator(f"#{section}-status", has_not_text="reading").wait_for()


# the table


def test_table_shows_the_boards_order_and_sets_incomplete_models_apart(page, file, board):
    open_page(page, file)
    ranked = [place.model for place in board.places if place.rank is not None]
    assert names(page) == ranked and len(ranked) == 3
    assert names(page, "tbody.incomplete") == ["other"]
    failed = page.locator("tbody.incomplete td.cell", has_text="failed")
    assert failed.count() == 1


def test_table_sorts_by_every_column_both_ways(page, file):
    open_page(page, file)
    task = page.locator("#models td.cell").first.get_attribute("data-task")
    button = page.locator(f"button.sort[data-column='{task}']")
    button.click()
    falling = column(page, task)
    assert falling == sorted(falling, reverse=True) and len(set(falling)) > 1
    assert button.locator("xpath=ancestor::th").get_attribute("aria-sort") == "descending"
    button.click()
    assert column(page, task) == falling[::-1]
    page.click("button.sort[data-column='model']")
    assert names(page) == sorted(names(page))
    assert page.locator("th[aria-sort]").count() == 1


def test_table_filters_models_and_checks_and_says_how_many(page, file):
    open_page(page, file)
    page.fill("#filter-models", "ROUND tuned")
    assert sorted(names(page)) == ["tuned-round-1", "tuned-round-2"]
    assert page.inner_text("#overview-status").startswith("2 of 4 models")
    page.press("#filter-models", "Escape")
    assert len(names(page)) == 3
    before = visible_checks(page)
    page.uncheck("#filter-checks input[value='redaction']")
    assert visible_checks(page) == [check for check in before if check != "redaction"]
    hidden = page.locator("#models td[data-check='redaction']")
    assert hidden.count() > 0 and not any(cell.is_visible() for cell in hidden.all())
    page.check("#filter-checks input[value='redaction']")
    assert visible_checks(page) == before


def test_table_explains_metrics_on_hover_and_on_focus(page, file):
    open_page(page, file)
    header = page.locator("#models thead th.cell").first
    tip = header.locator("[role=tooltip]")
    assert not tip.is_visible()
    header.locator("button").hover()
    assert tip.is_visible()
    page.mouse.move(0, 0)
    assert not tip.is_visible()
    header.locator("button").focus()
    assert tip.is_visible() and "Control:" in tip.inner_text() and "Chance:" in tip.inner_text()
    box = tip.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1440
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    assert header.locator("button").get_attribute("aria-describedby") == tip.get_attribute("id")


def test_table_value_leads_to_its_samples(page, file):
    open_page(page, file)
    cell = page.locator("#models tbody.ranked td.cell:has(a)").first
    task, model = (
        cell.get_attribute("data-task"),
        cell.locator("xpath=..").get_attribute("data-model"),
    )
    cell.locator("a").click()
    settle(page, "read")
    assert page.input_value("#read-model") == model
    assert page.url.split("#")[1].startswith(f"samples/{task}/{model}")
    assert page.locator("#read-list > li").count() == DOCUMENTS


# samples


def open_samples(page, file, entries, kind):
    """Open the samples of the first task of a kind, of model `base`; gives what is on disk."""
    open_page(page, file)
    name = f"selfcheck_{kind}_made_up"
    select(page, "read-task", name)
    select(page, "read-model", "base")
    settle(page, "read")
    told = next(entry for entry in entries if entry.name == "base").runs[0].samples(name)
    return {sample["doc_hash"][:HASH]: sample for sample in told}


def test_reader_opens_a_document_with_all_its_stages(page, file, entries):
    samples = open_samples(page, file, entries, "counterfactual")
    link = page.locator("#read-list a").nth(3)
    digest = link.get_attribute("href").split("/")[3]
    link.click()
    shown = page.locator("#read-document")
    text = shown.inner_text()
    for stage in samples[digest]["stages"]:
        assert stage["answer"] in text and stage["stage"] in text
    assert shown.evaluate("(article) => article.contains(document.activeElement)")
    assert page.url.endswith(f"/{digest}")


def test_reader_marks_what_an_edit_changed(page, file, entries):
    samples = open_samples(page, file, entries, "counterfactual")
    for link in page.locator("#read-list a").all():
        digest = link.get_attribute("href").split("/")[3]
        prompts = {stage["stage"]: stage["prompt"] for stage in samples[digest]["stages"]}
        if "verify" not in prompts or prompts["verify"] == prompts["predict"]:
            continue
        link.click()
        turn = page.locator("#read-document .turn", has=page.locator("h4", has_text="verify"))
        for marks, prompt in (("del", "predict"), ("ins, mark", "verify")):
            words = " ".join(turn.locator(marks).all_text_contents()).split()
            assert words and all(word in prompts[prompt] for word in words)
        return
    pytest.fail("no document of this board was changed")


@pytest.mark.parametrize("kind", ["counterfactual", "consistency", "answers"])
def test_reader_filters_by_verdict_and_by_readable(page, file, entries, kind):
    open_samples(page, file, entries, kind)
    for filter_ in ("read-verdict", "read-readable"):
        told = page.locator(f"#{filter_} option").all_text_contents()
        total = 0
        for place, text in enumerate(told):
            page.select_option(f"#{filter_}", str(place))
            listed = page.locator("#read-list > li").count()
            assert listed == int(re.search(r"\((\d+)\)$", text)[1]), text
            assert page.inner_text("#read-status").startswith(f"{listed} of {DOCUMENTS} documents")
            total += listed
        assert total == 2 * DOCUMENTS  # "all", and the parts of it
        page.select_option(f"#{filter_}", "0")


def test_reader_search_finds_what_the_model_said(page, file, entries):
    samples = open_samples(page, file, entries, "counterfactual")
    digest, sample = next(iter(samples.items()))
    word = sample["stages"][1]["answer"]
    page.fill("#read-search", word.upper())
    page.wait_for_timeout(400)
    listed = page.locator("#read-list a").evaluate_all(
        "all => all.map((a) => a.hash.split('/')[3])"
    )
    said = {
        other: [stage["answer"] for stage in told["stages"]] + list(told["doc"].values())
        for other, told in samples.items()
    }
    wanted = {other for other, texts in said.items() if any(word in str(text) for text in texts)}
    assert set(listed) == wanted and digest in wanted and len(wanted) < DOCUMENTS
    page.fill("#read-search", "no model says this")
    page.wait_for_timeout(400)
    assert page.locator("#read-list > li").count() == 0


def flips(entries, task, metric, a, b):
    """The documents of which two models have other values, and the differences."""
    told = {
        entry.name: {
            sample["doc_hash"][:HASH]: sample["metrics"][metric]
            for sample in entry.runs[0].samples(task)
        }
        for entry in entries
    }
    pairs = {digest: (value, told[b][digest]) for digest, value in told[a].items()}
    return {
        digest: theirs - ours
        for digest, (ours, theirs) in pairs.items()
        if ours is not None and theirs is not None and ours != theirs
    }


def test_reader_flipped_lists_where_two_models_differ(page, file, entries):
    open_samples(page, file, entries, "redaction")
    assert page.locator("#read-flipped").is_disabled()
    select(page, "read-other", "tuned-round-2")
    settle(page, "read")
    page.check("#read-flipped")
    listed = page.locator("#read-list a").evaluate_all(
        "all => all.map((a) => a.hash.split('/')[3])"
    )
    wanted = flips(entries, "selfcheck_redaction_made_up", "lift_all", "base", "tuned-round-2")
    assert set(listed) == set(wanted) and 0 < len(wanted) < DOCUMENTS
    page.locator("#read-list a").first.click()
    text = page.inner_text("#read-document")
    assert "base" in text and "tuned-round-2" in text


# two models


def test_compare_lists_flipped_documents_the_largest_first(page, file, entries, board):
    open_page(page, file)
    task = "selfcheck_redaction_made_up"
    select(page, "compare-a", "base")
    select(page, "compare-b", "tuned-round-1")
    select(page, "compare-task", task)
    settle(page, "compare")
    wanted = flips(entries, task, "lift_all", "base", "tuned-round-1")
    rows = page.locator("#compare-result tbody tr")
    told = [
        (row.locator("a").get_attribute("href").split("/")[3], row.locator("td").last.inner_text())
        for row in rows.all()
    ]
    shown = {digest: float(text.replace("−", "-")) for digest, text in told}
    assert shown == pytest.approx(wanted, abs=5e-4) and len(wanted) > 3
    sizes = [abs(shown[digest]) for digest, _ in told]
    assert sizes == sorted(sizes, reverse=True)
    line = next(
        line
        for line in board.lines
        if (line.model, line.task, line.metric) == ("tuned-round-1", task, "lift_all")
    )
    assert f"{line.delta:+.3f}".replace("-", "−") in page.inner_text("#compare-result")
    assert f"{len(wanted)} of {DOCUMENTS}" in page.inner_text("#compare-status")


def test_compare_document_opens_beside_the_other_model(page, file):
    open_page(page, file)
    page.locator("#compare-result tbody a").first.click()
    settle(page, "read")
    assert page.input_value("#read-other") != "0"
    assert page.locator("#read-document").evaluate(
        "(article) => article.contains(document.activeElement)"
    )


def test_compare_swap_turns_the_differences_round(page, file):
    open_page(page, file)
    settle(page, "compare")
    before = page.locator("#compare-result tbody tr").first.locator("td").all_inner_texts()
    page.click("#compare-swap")
    settle(page, "compare")
    after = page.locator("#compare-result tbody tr").first.locator("td").all_inner_texts()
    assert after[:2] == before[:2][::-1]
    assert {after[2][0], before[2][0]} == {"+", "−"} and after[2][1:] == before[2][1:]


# plots


def kinds(page):
    return page.locator("#plot-kind option").all_text_contents()


def figure_values(page, place=0):
    figure = page.locator("#plot-figures figure").nth(place)
    figure.locator("summary").click()
    rows = figure.locator("tbody tr")
    rows.first.wait_for(state="attached")  # they are made when the table is opened
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]


def test_plots_offer_every_kind_that_there_is_data_for(page, file):
    open_page(page, file)
    assert kinds(page) == [
        "Intervals",
        "Base and checkpoint",
        "Faithfulness and control",
        "Consistency, blind and shuffled",
        "Training progress",
    ]


def test_plots_values_are_the_boards(page, file, board):
    open_page(page, file)
    task = page.locator("#plot-figures figcaption").first.inner_text().split()[0]
    wanted = {
        line.model: f"{line.value:.3f}".replace("-", "−")
        for line in board.lines
        if line.task == task and line.headline and line.value is not None
    }
    told = {row[0]: row[1] for row in figure_values(page)}
    assert {name: told[name] for name in wanted} == wanted and len(wanted) == 4


def test_page_numbers_are_rounded_as_the_tables_are(page, tmp_path):
    values = (0.0625, -0.0625, 0.1875, -0.3125, 5e-4, 2.5e-4, 1234.5675, 7.0625, 0.3)
    open_page(page, write(tmp_path, [plain("a", t=0.5)]))
    told = page.evaluate("(all) => all.map((one) => selfcheck.number(one))", list(values))
    assert told == [f"{value:.3f}".replace("-", "−") for value in values]


@pytest.mark.parametrize("place", range(5))
def test_plots_of_every_kind_draw_and_tell_their_values(page, file, place):
    open_page(page, file)
    page.select_option("#plot-kind", str(place))
    figure = page.locator("#plot-figures figure").first
    figure.scroll_into_view_if_needed()
    figure.locator("svg[role=img] g path, svg[role=img] g line").first.wait_for(state="attached")
    assert figure.locator("svg title").first.text_content()
    assert len(figure_values(page)) > 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_plots_progress_is_over_the_rounds_in_the_names(page, file, board):
    open_page(page, file)
    page.select_option("#plot-kind", label="Training progress")
    task = page.locator("#plot-figures figcaption").first.inner_text().split()[0]
    values = {
        line.model: f"{line.value:.3f}".replace("-", "−")
        for line in board.lines
        if line.task == task and line.headline
    }
    assert [row[:4] for row in figure_values(page)] == [
        ["tuned-round-1", "tuned", "round 1", values["tuned-round-1"]],
        ["tuned-round-2", "tuned", "round 2", values["tuned-round-2"]],
        ["base", "–", "–", values["base"]],
    ]


# all of it


def test_page_by_keyboard_alone(page, file):
    open_page(page, file)
    focus = "document.activeElement"
    page.keyboard.press("Tab")
    assert page.evaluate(f"{focus}.className") == "skip"

    def tab_to(css):
        for _ in range(400):
            if page.evaluate(f"{focus}.matches({css!r})"):
                outline = page.evaluate(f"getComputedStyle({focus}).outlineStyle")
                assert outline != "none", f"{css} has the focus, and does not show it"
                return
            page.keyboard.press("Tab")
        pytest.fail(f"{css} cannot be reached")

    tab_to("#filter-models")
    page.keyboard.type("tuned")
    assert sorted(names(page)) == ["tuned-round-1", "tuned-round-2"]
    page.keyboard.press("Escape")
    tab_to("button.sort[data-column='model']")
    page.keyboard.press("Enter")
    assert names(page) == sorted(names(page))
    tab_to("#plot-kind")
    page.keyboard.press("ArrowDown")
    assert page.locator("#plot-figures figure").count() > 0
    tab_to("#compare-swap")
    page.keyboard.press("Space")
    tab_to("#compare-result tbody a")
    page.keyboard.press("Enter")
    settle(page, "read")
    assert page.evaluate(f"{focus}.closest('#read-document') !== null")
    place = page.inner_text("#read-document .position")
    page.keyboard.press("k" if place.startswith(f"{DOCUMENTS} of") else "j")
    assert page.inner_text("#read-document .position") != place
    tab_to("#provenance details summary")
    page.keyboard.press("Enter")
    assert page.locator("#provenance details[open]").count() == 1


def test_page_of_one_model(page, tmp_path):
    entries = make_entries(tmp_path, ["alone"], usual_tasks(5))
    open_page(page, write(tmp_path, entries))
    assert names(page) == ["alone"]
    assert "two models" in page.inner_text("#compare-status")
    settle(page, "read")
    assert page.locator("#read-list > li").count() == 5


def test_page_without_samples_says_how_to_get_them(page, file, entries, tmp_path):
    open_page(page, write(tmp_path, entries, "base", limit=0))
    for section in ("compare", "read"):
        assert "--samples-limit" in page.inner_text(f"#{section}-status")
        assert page.locator(f"#{section}-task").is_disabled()
    assert page.locator("#models td a").count() == 0
    assert len(names(page)) == 3 and page.locator("#plot-figures figure").count() > 0


def test_page_with_a_part_of_the_samples_says_so(page, entries, tmp_path):
    open_page(page, write(tmp_path, entries, "base", limit=40_000))
    settle(page, "read")
    told = page.inner_text("#read-status")
    assert re.search(rf"holds the samples of \d+ of {DOCUMENTS} documents", told)
    page.select_option("#compare-task", options(page, "#compare-task")[0])
    settle(page, "compare")
    absent = page.locator("#compare-result .absent").first
    assert absent.inner_text().startswith("its words are not in the page: selfcheck show RUN")


def test_page_of_200_models_sorts_and_filters(page, tmp_path):
    tasks = {f"task_{number:02}": 0.0 for number in range(20)}
    entries = [
        plain(f"model-{place:03}", **{name: place / 400 + n / 100 for n, name in enumerate(tasks)})
        for place in range(200)
    ]
    open_page(page, write(tmp_path, entries, "model-000"))
    assert len(names(page)) == 200 and names(page)[0] == "model-199"
    page.click("button.sort[data-column='mean']")
    page.click("button.sort[data-column='mean']")
    assert names(page)[0] == "model-000"
    page.fill("#filter-models", "model-07")
    assert names(page) == [f"model-{place:03}" for place in range(70, 80)]


def test_page_of_20_models_and_20_tasks_is_under_5_megabytes(page, tmp_path):
    names_ = [f"model-{place:02}" for place in range(20)]
    entries = make_entries(tmp_path, names_, many_tasks(20, 4))
    file = write(tmp_path, entries, "model-00", limit=0)
    assert file.stat().st_size < 5_000_000
    open_page(page, file)
    assert page.locator("#models td.cell").count() == 400


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_follows_the_colour_scheme_and_can_be_read_in_it(page, file, scheme):
    page.emulate_media(color_scheme=scheme)
    open_page(page, file)
    settle(page, "read")
    assert (luminance(page, "body", "backgroundColor") < 0.2) is (scheme == "dark")
    faint = page.evaluate(CONTRASTS)
    assert faint == []


def luminance(page, css, what):
    rgb = page.evaluate(f"getComputedStyle(document.querySelector({css!r})).{what}")
    parts = [int(part) / 255 for part in re.findall(r"\d+", rgb)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


CONTRASTS = """
() => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const painted = (colours) => {
    for (const colour of colours) {
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
    }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (colours) => {
    const [r, g, b] = painted(colours).map((p) => p / 255)
      .map((p) => (p <= 0.04045 ? p / 12.92 : ((p + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const colours = [];
    for (let at = element; at; at = at.parentElement) {
      colours.unshift(getComputedStyle(at).backgroundColor);
    }
    return ["white", ...colours];
  };
  const faint = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest("script, style, svg, :disabled, [aria-disabled=true]")) continue;
    const back = behind(element);
    const [a, b] = [light([...back, getComputedStyle(element).color]), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.add(`${element.localName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...faint];
}
"""
"""WCAG's contrast of every text with what is behind it; gives those below 4.5."""


def test_page_fits_a_phone(page, file):
    page.set_viewport_size(PHONE)
    open_page(page, file)
    settle(page, "read")
    page.locator("#read-list a").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_page_controls_have_names(page, file):
    open_page(page, file)
    settle(page, "read")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input, select, button, a, summary, [tabindex='0']")]
        .filter((e) => e.checkVisibility() && !e.labels?.length && !e.textContent.trim()
                       && !e.ariaLabel && !e.getAttribute("aria-labelledby"))
        .map((e) => e.outerHTML.slice(0, 100))"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))


def test_page_printed_has_tables_and_no_controls(page, file):
    open_page(page, file)
    page.emulate_media(media="print")
    assert not page.locator("#filter-models").is_visible()
    assert page.locator("#models").is_visible() and page.locator("#provenance").is_visible()
    page.set_viewport_size({"width": 720, "height": 1000})  # a sheet of A4, less its margins
    beyond = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
        .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)
        .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert beyond == []


def test_page_without_javascript_has_its_table(browser, file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert len(names(page)) == 3
    assert page.locator("noscript").is_visible()
    context.close()
