"""Print what the page of a board takes, as Markdown: to build, to carry, to open, to sort.

OMP_NUM_THREADS=1 python -m tests.benchmarks.page_speed [--documents 60] [--help]

The runs are made up (nine metrics a task) and written to a temporary folder; making them is not
measured; of many models, those after the first twenty are copies of those. The command is a process
of its own, and so is the browser, an installed Chromium without a window. Ready: from the start of
the navigation until the page can be used; sorted: from the first press of a header until its effect
is drawn. Medians of some openings, each in a fresh context.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.boards import make_entries, many_tasks
from tests.browser.conftest import find_chromium

BOARDS = ((20, False), (20, True), (200, False))
"""Models, and whether the page has samples."""
DISTINCT = 20
PROGRAM = """
import json, resource, sys, time
start = time.perf_counter()
from harness.commands import main
status = main(sys.argv[1:])
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([status, seconds, peak / 1024]))
"""
SORT = """
async () => {
  const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const start = performance.now();
  document.querySelector("button.sort[data-column='mean']").click();
  await drawn();
  return performance.now() - start;
}
"""
READY = """
new MutationObserver((_, observer) => {
  if (document.documentElement?.dataset.ready === undefined) return;
  window.readyAfter = performance.now();
  observer.disconnect();
}).observe(document, { subtree: true, childList: true, attributes: true });
"""


def copy(run: Path, number: int) -> Path:
    """Make another run of the same numbers."""
    folder = run.with_name(f"run_{number:03}")
    shutil.copytree(run, folder, copy_function=os.link)
    record = json.loads((folder / "run.json").read_text())
    record["model"]["fingerprint"] = f"copy {number}"
    (folder / "run.json").unlink()
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def build(runs: Sequence[Path], output: Path, samples: bool) -> tuple[float, float]:
    """Give the seconds and the MiB that the command took."""
    told = ["board", *map(str, runs), "--base", runs[0].name, "--html", "--output", str(output)]
    told += [] if samples else ["--samples-limit", "0"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *told], check=True, capture_output=True, text=True
    )
    status, seconds, peak = json.loads(done.stdout.splitlines()[-1])
    assert status == 0, done.stderr
    return seconds, peak


def open_and_sort(browser: Browser, file: Path) -> tuple[float, float]:
    """Give the milliseconds until the page is ready, and those of the first sorting."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(READY)
    page = context.new_page()
    page.goto(file.as_uri())
    page.locator("html[data-ready]").wait_for(state="attached")
    ready, sorting = page.evaluate("window.readyAfter"), page.evaluate(SORT)
    context.close()
    return ready, sorting


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--documents", type=int, default=60)
    parser.add_argument("--openings", type=int, default=5)
    parser.add_argument("--models", type=int, default=max(models for models, _ in BOARDS))
    told = parser.parse_args()
    print(f"{told.tasks} tasks, 9 metrics, {told.documents} documents a task\n")
    print("| models | samples | build, s | peak MiB | page, MB | ready, ms | sorted, ms |")
    print("|---|---|---|---|---|---|---|")
    as_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), chromium_sandbox=not as_root
        )
        tasks = many_tasks(told.tasks, told.documents)
        names = [f"model {number}" for number in range(told.models)]
        entries = make_entries(Path(place), names[:DISTINCT], tasks)
        runs = [entry.runs[0].folder for entry in entries]
        runs += [copy(runs[n % DISTINCT], n) for n in range(len(runs), told.models)]
        for models, samples in BOARDS:
            output = Path(place) / f"board-{models}-{samples}"
            seconds, peak = build(runs[:models], output, samples)
            file = output / "board.html"
            opened = [open_and_sort(browser, file) for _ in range(told.openings)]
            ready, sorting = (statistics.median(times) for times in zip(*opened, strict=True))
            cells = [min(models, told.models), "yes" if samples else "no", f"{seconds:.1f}"]
            cells += [f"{peak:.0f}", f"{file.stat().st_size / 1e6:.2f}"]
            print(f"| {' | '.join(map(str, cells))} | {ready:.0f} | {sorting:.0f} |", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
