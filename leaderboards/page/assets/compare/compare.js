"use strict";
// The section that compares two models: its controls, and the documents on which they differ.

{
  const { el } = selfcheck;
  const { pairs, flipped, count, loneWords, summary, bar } = selfcheck.flips;
  const byId = (id) => document.getElementById(`compare-${id}`);
  const runs = () => selfcheck.command("selfcheck", "compare", "A", "B");

  // The document's excerpt, leading to its samples if they are in the page.
  const excerpt = (board, { a, b, task }, scores, { at, hash }) => {
    const text = scores.excerpts[at];
    if (at < board.tasks[task].shown) {
      const href = `#samples/${task}/${b}/${hash}/${a}`;
      return [el("a", { href, dir: "auto", class: "excerpt" }, text)];
    }
    const told = ["show", "RUN", "--task", board.tasks[task].name, "--document", hash];
    const command = selfcheck.command("selfcheck", ...told);
    return [
      el("span", { dir: "auto", class: "excerpt" }, text),
      el("small", { class: "absent" }, "its words are not in the page: ", command),
    ];
  };

  const number = (text, kind = "") => el("td", { class: `number ${kind}` }, text);

  const CAPTION =
    "Documents that differ, the largest differences first; last, those to which it applies in one only";
  const LONE = { first: "applies only in A", second: "applies only in B" };

  const rowOf = (board, chosen, scores) => (flip) => {
    const lone = LONE[flip.stands];
    return el(
      "tr",
      {},
      el("th", { scope: "row", tabindex: -1 }, ...excerpt(board, chosen, scores, flip)),
      number(selfcheck.number(flip.a)),
      number(selfcheck.number(flip.b)),
      lone ? el("td", { class: "lone" }, lone) : number(selfcheck.signed(flip.difference), "apart"),
    );
  };

  const table = (board, chosen, scores, flips) => {
    const names = [chosen.a, chosen.b].map((model) => board.models[model].name);
    const heads = [...names, "B minus A"].map((name) =>
      el("th", { scope: "col", class: "number", dir: "auto" }, name),
    );
    const head = el("tr", {}, el("th", { scope: "col" }, "document"), ...heads);
    const body = el("tbody");
    const caption = el("caption", {}, CAPTION);
    const made = el("table", { class: "flipped" }, caption, el("thead", {}, head), body);
    const reached = (row) => row.querySelector("a, th");
    const row = rowOf(board, chosen, scores);
    const { button } = selfcheck.paged(body, flips, row, "document", reached);
    return [el("div", { class: "wide" }, made), button];
  };

  // What there is to say of a choice: in short, for the status, and what the section then holds.
  const result = (board, chosen, scores) => {
    const { name, shown, lacks } = board.tasks[chosen.task];
    if (!scores) return [`The page has no scores of ${name}.`];
    const all = pairs(scores, chosen.a, chosen.b);
    if (!all) {
      const lacking = new Set([chosen.a, chosen.b].filter((model) => !scores.values[model]));
      const told = [...lacking].map((model) => board.models[model].name).join(" and ");
      const has = lacking.size > 1 ? "have" : "has";
      return [`${told} ${has} no scores of ${name}: nothing to compare.`];
    }
    const [flips, counts] = [flipped(all), count(all)];
    if (counts.both + flips.length === 0) {
      return [`${scores.by} applies to no document of ${name} in either.`];
    }
    const differ = counts.apart === 1 ? "differs" : "differ";
    const short = [
      `${counts.apart} of ${selfcheck.count(counts.both, "document")} of ${name} ${differ}`,
    ];
    if (loneWords(counts.lone)) short.push(`; ${loneWords(counts.lone)}`);
    if (shown < all.length) {
      const why = lacks === null ? "" : ` (${lacks})`;
      short.push(
        `. The page holds the samples of ${shown} of ${selfcheck.count(all.length, "document")}${why}`,
      );
    }
    const told = [`${short.join("")}.`, summary(board, chosen, scores, counts), bar(counts)];
    return flips.length ? [...told, ...table(board, chosen, scores, flips)] : told;
  };

  class Comparison {
    constructor(board, tasks) {
      this.board = board;
      this.tasks = tasks;
      this.leftOut = selfcheck.leftOut(board, tasks);
      this.selects = ["a", "b", "task"].map(byId);
      this.newest = selfcheck.newest();
      this.note = ""; // to be told once, with the next status
    }

    // Offers the models, by default the base and the first other, and the tasks.
    fill(first) {
      const [a, b, task] = this.selects;
      const names = this.board.models.map(({ name }) => name);
      const base = this.board.base ?? 0;
      selfcheck.fill(a, names, base);
      selfcheck.fill(b, names, base === 0 ? 1 : 0);
      const told = this.tasks.map((place) => this.board.tasks[place].name);
      selfcheck.fill(task, told, first);
      this.swap = el("button", { type: "button", id: "compare-swap" }, "swap");
      (b.closest("label") ?? b).after(this.swap);
    }

    get chosen() {
      const [a, b, task] = this.selects.map((select) => Number(select.value));
      return { a, b, task: this.tasks[task] };
    }

    async show() {
      const { board, chosen } = this;
      const { name } = board.tasks[chosen.task];
      byId("status").textContent = `reading ${name} …`;
      let told;
      try {
        const blocks = await this.newest(selfcheck.block(`scores-${chosen.task}`));
        if (!blocks) return;
        told = result(board, chosen, blocks[0]);
      } catch (error) {
        console.error(error);
        told = [`The scores of ${name} could not be read: the page is damaged.`];
      }
      const [short, ...parts] = told;
      byId("result").replaceChildren(...parts);
      byId("status").textContent = [this.note + short, this.leftOut].filter(Boolean).join(" ");
      this.note = "";
    }

    choose() {
      const { a, b, task } = this.chosen;
      selfcheck.remember(`#compare/${a}/${b}/${task}`);
      this.show();
    }

    turn() {
      const [a, b] = this.selects;
      [a.value, b.value] = [b.value, a.value];
      this.choose();
    }

    // Goes where an address says: a/b/task.
    visit([a, b, task, ...rest]) {
      const models = [a, b].map((text) => selfcheck.place(text, this.board.models.length));
      const place = this.tasks.indexOf(selfcheck.place(task, this.board.tasks.length) ?? -1);
      if (models.includes(null) || place < 0 || rest.length) {
        this.note = "The address names no comparison of this page: ignored. ";
      } else {
        for (const [at, value] of [...models, place].entries()) this.selects[at].value = value;
      }
      selfcheck.arrive("compare");
      this.show();
    }

    // Says why there is nothing to choose.
    refuse(...told) {
      for (const control of [...this.selects, this.swap]) control.disabled = true;
      byId("status").replaceChildren(...told);
    }
  }

  selfcheck.start("compare", (board) => {
    const { tasks, first } = selfcheck.offered(board, ({ scored }) => scored);
    const comparison = new Comparison(board, tasks);
    comparison.fill(first);
    if (tasks.length === 0) {
      return comparison.refuse(
        `${comparison.leftOut ?? "There are no tasks."} In a terminal: `,
        runs(),
      );
    }
    if (board.models.length < 2) {
      return comparison.refuse("Comparing takes two models: give selfcheck board more runs.");
    }
    for (const select of comparison.selects) {
      select.addEventListener("change", () => comparison.choose());
    }
    comparison.swap.addEventListener("click", () => comparison.turn());
    const visited = selfcheck.follow("compare", (parts) => comparison.visit(parts));
    if (!visited) comparison.show();
  });
}
