"""What a reader of the page does, all of it: with every control, through every sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

from harness.errors import printable

SEEN = """
window.seen = new Set();
{
  const NAMED = ["class", "id", "role", "type", "for", "name", "dir", "lang", "scope", "rel"];
  const note = (element) => {
    const tag = element.localName;
    seen.add(`<${tag}>`);
    for (const { name, value } of element.attributes) {
      seen.add(`${tag} ${name}`);
      if (!NAMED.includes(name)) continue;
      for (const word of value.split(/\\s+/)) seen.add(`${name}=${word.replace(/\\d+/g, "0")}`);
    }
    if (element.hasAttribute("href")) seen.add(`href ${element.getAttribute("href")[0]}`);
  };
  const all = (node) => {
    if (node.nodeType !== 1) return;
    note(node);
    for (const inside of node.querySelectorAll("*")) note(inside);
  };
  new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      if (type === "attributes") note(target);
      else for (const node of addedNodes) all(node);
    }
  }).observe(document, { subtree: true, childList: true, attributes: true });
}
"""
"""Runs first: notes every kind of element and attribute that ever becomes part of the page."""
FRAME = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
WALK = """
async ([task, model, other]) => {
  const turn = () => new Promise((done) => setTimeout(done));
  const choose = (name, value) => {
    const select = document.getElementById(`read-${name}`);
    select.value = value;
    if (select.value === "") throw Error(`${name} has no ${value}`);
    select.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const until = async (holds) => {
    for (let tries = 0; !holds(); tries++) {
      if (tries > 3000) throw Error(`waited in vain: ${holds}`);
      await turn();
    }
  };
  const status = document.getElementById("read-status");
  const ready = () => !status.textContent.startsWith("reading ");
  choose("task", task);
  choose("model", model);
  choose("other", other);
  await until(ready);
  const article = document.getElementById("read-document");
  const list = document.getElementById("read-list");
  const found = {};
  for (let at = 0; ; at++) {
    const more = document.querySelector("#samples button.more");
    if (at >= list.children.length && more && !more.hidden) more.click();
    const link = list.children[at]?.querySelector("a");
    if (!link) return found;
    link.click();
    for (const part of article.querySelectorAll("details")) part.open = true;
    const hash = link.getAttribute("href").split("/")[3];
    found[hash] = [article.textContent, link.textContent];
  }
}
"""


def open_page(page: Page, file: Path, address: str = "") -> None:
    """Open a board's page and wait until it can be used."""
    page.goto(f"{file.as_uri()}{address}")
    page.locator("html[data-ready]").wait_for(state="attached")


def options(page: Page, select: str) -> list[str]:
    """Give the values that a select offers."""
    return page.eval_on_selector_all(f"{select} option", "all => all.map((one) => one.value)")


def sort_and_filter(page: Page, words: list[str]) -> None:
    """Press every header twice, and search for some words."""
    buttons = page.locator("#models button.sort")
    page.eval_on_selector_all("#models button.sort", "all => all.forEach((b) => b.click())")
    for number in range(min(4, buttons.count())):
        buttons.nth(number).click()
    for told in words:
        page.fill("#filter-models", told)
    page.fill("#filter-models", "")
    for _ in range(2):
        page.eval_on_selector_all("#filter-checks input", "all => all.forEach((b) => b.click())")
    page.evaluate(FRAME)


def plot_all(page: Page) -> None:
    """Show every plot of every task, and the values of the first figure."""
    for kind in options(page, "#plot-kind"):
        page.select_option("#plot-kind", kind)
        for task in options(page, "#plot-task"):
            page.select_option("#plot-task", task)
            figure = page.locator("#plot-figures figure").first
            figure.scroll_into_view_if_needed()
            figure.locator("summary").click()
            page.evaluate(FRAME)


def compare_all(page: Page) -> None:
    """Compare the first and the last model on every task."""
    page.select_option("#compare-a", options(page, "#compare-a")[-1])
    page.select_option("#compare-b", options(page, "#compare-b")[0])
    for task in options(page, "#compare-task"):
        page.select_option("#compare-task", task)
        page.evaluate(FRAME)


def read_all(
    page: Page, model: int, other: int | None = None
) -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    """Open every document of every task: its name; hash -> what is shown of it, and its entry."""
    beside = "0" if other is None else str(other + 1)
    names = page.locator("#read-task option").all_text_contents()
    for place, name in enumerate(names):
        yield name, page.evaluate(WALK, [str(place), str(model), beside])


def search_all(page: Page, words: list[str]) -> None:
    """Use every filter of the reader."""
    for told in words:
        page.fill("#read-search", told)
    page.fill("#read-search", "")
    for select in ("#read-verdict", "#read-readable"):
        for value in options(page, select):
            page.select_option(select, value)
        page.select_option(select, options(page, select)[0])
    page.click("#read-flipped")
    page.click("#read-flipped")


def go_everywhere(page: Page, addresses: list[str]) -> None:
    """Follow addresses within the page."""
    for address in addresses:
        page.evaluate("(address) => { location.hash = address; }", address)
        page.evaluate(FRAME)


def open_details(page: Page) -> None:
    """Open all that is folded, and look at the page as it is printed."""
    page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
    page.evaluate(FRAME)
    page.emulate_media(media="print")
    page.evaluate(FRAME)
    page.emulate_media(media="screen")


def on_one_line(text: str) -> str:
    """A text as the page shows it where there is one line: nothing invisible, no line breaks."""
    return printable(text).replace("\n", "\\n")
