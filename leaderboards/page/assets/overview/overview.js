"use strict";
// The table of models: sorted and filtered in place. The rows are the server's; none is made here.

{
  const names = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const valueOf = (cell) => (cell.dataset.value === "" ? null : Number(cell.dataset.value));

  // The rows of a part of the table, and what each is sorted by; read once.
  const readRows = (body) =>
    [...body.querySelectorAll("tr[data-model]")].map((row) => {
      const model = Number(row.dataset.model);
      const name = row.querySelector("th.model bdi").textContent;
      const keys = { place: model, model: name, mean: valueOf(row.querySelector("td.mean")) };
      for (const cell of row.querySelectorAll("td[data-task]")) {
        keys[cell.dataset.task] = valueOf(cell);
      }
      return { row, model, keys, words: selfcheck.folded(name) };
    });

  // Rows without a value stay last either way; equal ones stay by place.
  const compared = (column, descending) => (a, b) => {
    const [left, right] = [a.keys[column] ?? null, b.keys[column] ?? null];
    if (left === null || right === null) {
      return (left === null) - (right === null) || a.model - b.model;
    }
    const order = column === "model" ? names.compare(left, right) : left - right;
    return (descending ? -order : order) || a.model - b.model;
  };

  const startSorting = (table, bodies) => {
    const buttons = [...table.querySelectorAll("thead button.sort")];
    const sort = (column, descending) => {
      for (const { body, rows } of bodies) {
        body.append(...[...rows].sort(compared(column, descending)).map(({ row }) => row));
      }
      for (const button of buttons) {
        const header = button.closest("th");
        if (button.dataset.column !== column) header.removeAttribute("aria-sort");
        else header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      }
    };
    for (const button of buttons) {
      button.addEventListener("click", () => {
        const { column } = button.dataset;
        const now = button.closest("th").getAttribute("aria-sort");
        const rising = column === "place" || column === "model";
        sort(column, now === null ? !rising : now === "ascending");
      });
    }
    sort("place", false);
  };

  // Cells by check, and those that span all columns: what a filter of checks has to touch.
  const readColumns = (table) => {
    const byCheck = new Map();
    const add = (check, cell) => {
      if (!byCheck.has(check)) byCheck.set(check, []);
      byCheck.get(check).push(cell);
    };
    for (const cell of table.querySelectorAll("[data-check]")) add(cell.dataset.check, cell);
    const spanning = [...table.querySelectorAll("tbody [colspan]")];
    return { byCheck, spanning: spanning.map((cell) => ({ cell, span: cell.colSpan })) };
  };

  const startChecks = (table, fieldset, told) => {
    const { byCheck, spanning } = readColumns(table);
    const width = (cells) => cells.filter((cell) => cell.closest("tr[data-model='0']")).length;
    const boxes = [...(fieldset?.querySelectorAll("input[type=checkbox]") ?? [])];
    const filter = () => {
      let gone = 0;
      for (const box of boxes) {
        const cells = byCheck.get(box.value) ?? [];
        for (const cell of cells) cell.hidden = !box.checked;
        if (!box.checked) gone += width(cells);
      }
      for (const { cell, span } of spanning) cell.colSpan = Math.max(1, span - gone);
      told({ checks: boxes.filter((box) => box.checked).length, allChecks: boxes.length });
    };
    fieldset?.addEventListener("change", filter);
    filter();
  };

  const startSearch = (search, bodies, told) => {
    const all = bodies.flatMap(({ rows }) => rows);
    const filter = () => {
      const words = selfcheck
        .folded(search?.value ?? "")
        .split(/\s+/)
        .filter(Boolean);
      let shown = 0;
      for (const { row, words: name } of all) {
        row.hidden = !words.every((word) => name.includes(word));
        shown += !row.hidden;
      }
      // A part of the table without rows is the title of the next one, and goes with it.
      for (const [place, { body, rows }] of bodies.entries()) {
        const of = rows.length ? rows : (bodies[place + 1]?.rows ?? []);
        body.hidden = of.every(({ row }) => row.hidden);
      }
      told({ models: shown, allModels: all.length });
    };
    search?.addEventListener("input", filter);
    search?.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || search.value === "") return;
      event.preventDefault();
      search.value = "";
      filter();
    });
    filter();
  };

  const start = () => {
    const table = document.getElementById("models");
    if (!table) return;
    const bodies = [...table.tBodies].map((body) => ({ body, rows: readRows(body) }));
    const status = document.getElementById("overview-status");
    const counts = {};
    const told = (news) => {
      Object.assign(counts, news);
      const { models, allModels, checks, allChecks } = counts;
      const ofChecks = allChecks ? `, ${checks} of ${selfcheck.count(allChecks, "check")}` : "";
      const text = `${models} of ${selfcheck.count(allModels ?? 0, "model")}${ofChecks}`;
      if (status && status.textContent !== text) status.textContent = text;
    };
    startSorting(table, bodies);
    startSearch(document.getElementById("filter-models"), bodies, told);
    startChecks(table, document.getElementById("filter-checks"), told);
  };

  selfcheck.start("overview", start, { alone: true });
}
