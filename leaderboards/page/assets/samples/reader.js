"use strict";
// The samples: what a task asked, document by document, and what a model, or two, answered.

{
  const { el } = selfcheck;
  const CONTROLS = ["task", "model", "other", "search", "verdict", "readable", "flipped"];
  const byId = (id) => document.getElementById(`read-${id}`);

  class Reader {
    constructor(board, tasks) {
      this.board = board;
      this.tasks = tasks;
      this.controls = Object.fromEntries(CONTROLS.map((name) => [name, byId(name)]));
      this.filters = new selfcheck.Filters(
        this.controls,
        board.verdicts.map(([name]) => name),
      );
      this.leftOut = selfcheck.leftOut(board, tasks);
      this.listing = new selfcheck.Listing(byId("list"));
      this.status = byId("status");
      this.newest = selfcheck.newest();
      this.found = null; // what was read for the choice made
      this.chosen = []; // places of the listed documents
      this.at = null; // the open one's
      this.note = ""; // to be told once, with the next status
      this.build();
    }

    // What stays while documents come and go, so that the focus on a button does, too.
    build() {
      this.article = byId("document");
      const button = (told, step) =>
        el("button", { type: "button", onclick: () => this.walk(step) }, told);
      this.previous = button("previous", -1);
      this.next = button("next", 1);
      this.position = el("p", { class: "position", role: "status" });
      const keys = ["j", "k"].map((key) => el("kbd", {}, key));
      const hint = el("p", { class: "hint" }, keys[0], " ", keys[1], " or the arrow keys");
      this.nav = el("div", { class: "walk" }, this.previous, this.next, this.position, hint);
      this.nav.hidden = true;
      this.body = el("div");
      this.article.replaceChildren(this.nav, this.body);
      this.article.addEventListener("keydown", (event) => this.key(event));
    }

    get task() {
      return this.tasks[this.controls.task.value];
    }
    get model() {
      return Number(this.controls.model.value);
    }
    get other() {
      const place = Number(this.controls.other.value) - 1;
      return place < 0 || place === this.model ? null : place;
    }
    name(model) {
      return this.board.models[model].name;
    }

    address(at = this.at) {
      const start = `#samples/${this.task}/${this.model}`;
      if (at === null) return start;
      return `${start}/${this.found.scores.hashes[at]}${this.other === null ? "" : `/${this.other}`}`;
    }

    // Reads what the choice takes, and shows it: the document of the hash if one is asked for,
    // which then gets the focus. False: another choice was made meanwhile.
    async load(hash = null) {
      const { task, model, other } = this;
      const { name } = this.board.tasks[task];
      this.status.textContent = `reading ${name} …`;
      this.listing.busy();
      const samples = (of) => (of === null ? null : selfcheck.block(`samples-${task}-${of}`));
      const parts = ["scores", "documents"].map((part) => selfcheck.block(`${part}-${task}`));
      try {
        const blocks = await this.newest(...parts, samples(model), samples(other));
        if (!blocks) return false;
        const [scores, , mine] = blocks;
        if (scores && mine) this.show(blocks, hash);
        else this.clear(`${this.name(model)} has no samples of ${name}.`);
      } catch (error) {
        console.error(error);
        this.clear(`The samples of ${name} could not be read: the page is damaged.`);
      }
      return true;
    }

    show([scores, documents, samples, others], hash) {
      const place = scores.metrics.indexOf(scores.by);
      const of = (model) => (model === null ? null : (scores.values[model]?.[place] ?? null));
      const paired = this.other !== null;
      const pairs = paired ? selfcheck.flips.pairs(scores, this.model, this.other) : null;
      const values = { values: of(this.model), against: of(this.other), paired, pairs };
      this.found = { scores, documents, samples, others, ...values };
      for (const option of this.controls.other.options) {
        option.disabled = Number(option.value) - 1 === this.model;
      }
      this.at = null;
      this.filters.fill(this.found);
      this.filter();
      this.first(hash);
    }

    clear(told) {
      this.found = null;
      this.listing.clear();
      this.open(null);
      this.status.textContent = [this.note + told, this.leftOut].filter(Boolean).join(" ");
      this.note = "";
    }

    // Opens the document asked for; else the one that was open; else the first.
    first(hash) {
      const { scores, samples } = this.found;
      const wanted = scores.hashes.indexOf(hash ?? this.hash);
      const there = wanted >= 0 && wanted < samples.length;
      if (hash && !there) {
        this.note = "The address names no document whose samples are in the page: ignored. ";
        this.tell();
      }
      this.open(there ? wanted : (this.chosen[0] ?? null), Boolean(hash) && there);
    }

    filter() {
      if (!this.found) return;
      this.chosen = this.filters.choose(this.found);
      this.listing.show(this.found, this.chosen, (at) => this.address(at));
      this.tell();
      if (this.at !== null) this.locate();
    }

    tell() {
      const { scores, samples, others } = this.found;
      const { name: task, lacks } = this.board.tasks[this.task];
      const [all, shown] = [scores.hashes.length, samples.length];
      const told = [`${this.note}${this.chosen.length} of ${selfcheck.count(shown, "document")}`];
      if (this.other !== null && !others) told.push(`. ${this.name(this.other)} has no samples`);
      if (shown < all) {
        const whole = selfcheck.count(all, "document");
        told.push(
          `. The page holds the samples of ${shown} of ${whole}, the same for every model`,
          `${lacks === null ? "" : ` (${lacks})`}; the rest: `,
          selfcheck.command("selfcheck", "show", "RUN", "--task", task),
        );
      }
      if (this.leftOut !== null) told.push(`. ${this.leftOut}`);
      this.status.replaceChildren(...told);
      this.note = "";
    }

    open(at, focus = false) {
      this.at = at;
      this.nav.hidden = at === null;
      if (at === null) {
        this.body.replaceChildren();
        this.article.removeAttribute("aria-labelledby");
        return;
      }
      this.hash = this.found.scores.hashes[at];
      this.read(at);
      this.locate();
      if (!focus) return;
      this.article.focus({ preventScroll: true });
      this.article.scrollIntoView({ block: "start" });
    }

    read(at) {
      const { scores, documents, samples, others } = this.found;
      const task = this.board.tasks[this.task];
      const account = (model, sample) => ({ model, name: this.name(model), sample });
      const accounts = [account(this.model, samples[at])];
      if (this.other !== null) accounts.push(account(this.other, others?.[at]));
      const told = ["show", "RUN", "--task", task.name, "--document", this.hash];
      const where = el("p", { class: "where" }, "document ", el("code", {}, this.hash));
      where.append(", in a terminal: ", selfcheck.command("selfcheck", ...told));
      const title = { id: "read-title", dir: "auto", class: "excerpt" };
      const body = selfcheck.dialogue(this.board, task, scores, documents?.[at], accounts, at);
      this.article.setAttribute("aria-labelledby", title.id);
      this.body.replaceChildren(el("h3", title, scores.excerpts[at]), where, body);
      selfcheck.dialogue.settle(body);
    }

    // Says where the open document stands among the listed ones: it may not be one of them.
    locate() {
      const place = this.chosen.indexOf(this.at);
      const total = selfcheck.count(this.chosen.length, "document");
      this.position.textContent = place < 0 ? "not among those listed" : `${place + 1} of ${total}`;
      this.previous.setAttribute("aria-disabled", this.beside(-1) === null);
      this.next.setAttribute("aria-disabled", this.beside(1) === null);
      this.listing.mark(this.at, place);
    }

    // The listed document before (-1) or after (1) the open one.
    beside(step) {
      const there =
        step > 0
          ? this.chosen.find((at) => at > this.at)
          : this.chosen.findLast((at) => at < this.at);
      return there ?? null;
    }

    walk(step) {
      const at = this.at === null ? null : this.beside(step);
      if (at === null) return;
      this.open(at);
      selfcheck.remember(this.address());
    }

    // Keys that move on: not while something is written, nor instead of the browser's own.
    key(event) {
      const step = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[event.key];
      const other = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
      if (!step || other || event.target.closest("input, select, textarea")) return;
      event.preventDefault();
      const kept = this.body.contains(document.activeElement);
      this.walk(step);
      // What had the focus went with the document it was in.
      if (kept) this.article.focus({ preventScroll: true });
    }
  }

  selfcheck.Reader = Reader;
}
