"use strict";
// One document as it was asked and answered: by one model, or by two side by side.
// accounts: [{name, model, sample}], one or two; a model may have no sample of it.

{
  const { el } = selfcheck;
  const { text, label, words, same, sides, byStage, conversation, legend } = selfcheck.turns;
  const OUTCOMES = [
    ["predict", "at first"],
    ["verify", "after the intervention"],
    ["control", "after the control"],
  ];

  const said = (turn) => {
    if (!turn?.asked) return "not asked";
    if (turn.read !== null) return words(turn.read);
    return turn.fault ?? words(turn.answer);
  };

  // The verdict, and with it what it rests on: the answer before, after, and after the control.
  const outcome = (board, { sample }) => {
    if (!sample) return el("p", { class: "missing" }, "has no sample of it");
    const turns = byStage(sample);
    const verdict = el("p", { class: "verdict" }, selfcheck.verdictOf(sample));
    const made = el("div", { class: "outcome" }, verdict);
    const meaning = board.verdicts.find(([name]) => name === sample.verdict)?.[1];
    if (meaning) made.append(el("p", { class: "meaning" }, meaning));
    if (!turns.has("verify") && !turns.has("control")) return made;
    const told = OUTCOMES.map(([stage, when]) =>
      el("div", {}, el("dt", {}, when), el("dd", { dir: "auto" }, said(turns.get(stage)))),
    );
    made.append(el("dl", {}, ...told));
    return made;
  };

  const number = (shown) => el("td", { class: "number" }, shown);
  const heading = (name, kind = null) => el("th", { scope: "col", class: kind, dir: "auto" }, name);

  // `marks` are what the metric is here: the headline, what documents are told apart by, or both.
  const metricRow = (name, told, marks, { meaning, over } = {}) => {
    const title = el("th", { scope: "row" }, el("span", {}, name));
    if (marks.length) title.append(el("small", {}, ` ${marks.join("; ")}`));
    const means = [meaning, over && `over: ${over}`].filter(Boolean).join("; ");
    if (means) title.append(" ", el("small", { class: "meaning" }, means));
    const cells = told.map((value) => number(selfcheck.number(value)));
    if (told.length === 2) {
      const apart = told.includes(null) ? null : told[1] - told[0];
      cells.push(number(apart === 0 ? "0" : selfcheck.signed(apart)));
    }
    return el("tr", { class: marks.length ? "headline" : null }, title, ...cells);
  };

  const metrics = (accounts, scores, task, at) => {
    const two = accounts.length === 2;
    const names = two ? [...accounts.map(({ name }) => name), "difference"] : ["value"];
    const rows = scores.metrics.map((name, place) => {
      const told = accounts.map(({ model }) => scores.values[model]?.[place]?.[at] ?? null);
      const marks = [
        name === task.headline && "headline",
        name === scores.by && "documents are told apart by it",
      ].filter(Boolean);
      const about = task.metrics.find((metric) => metric.name === name);
      return metricRow(name, told, marks, about);
    });
    const head = el("tr", {}, heading("metric"), ...names.map((name) => heading(name, "number")));
    const caption = el("caption", {}, "What the document scored; –: does not apply");
    const parts = [caption, el("thead", {}, head), el("tbody", {}, ...rows)];
    return el("div", { class: "wide" }, el("table", { class: "metrics" }, ...parts));
  };

  // Choices with the scores of every account that has them; the best of each is marked.
  const scored = (told, names) => {
    const score = ([, value, best]) =>
      el(
        "td",
        { class: `number${best ? " best" : ""}` },
        selfcheck.number(value),
        best ? " best" : "",
      );
    const rows = told[0].rows.map(([choice, , , right], place) =>
      el(
        "tr",
        { class: right ? "right" : null },
        el("td", {}, text(choice, "plain", "choice")),
        el("td", {}, right === null ? "" : right ? "right" : "wrong"),
        ...told.map((of) => score(of.rows[place])),
      ),
    );
    const scores = names.map((name) => heading(name, "number"));
    const head = el("tr", {}, heading("choice"), heading("is"), ...scores);
    const parts = [el("thead", {}, head), el("tbody", {}, ...rows)];
    return el(
      "div",
      { class: "whole" },
      el("div", { class: "piece" }, label("prompt"), text(told[0].prompt, "prompt", "prompt")),
      el("div", { class: "wide" }, el("table", { class: "choices" }, ...parts)),
    );
  };

  const asked = ({ prompt, rows }) => [prompt, rows.map(([choice]) => choice)];

  const choices = (accounts, title) => {
    const told = accounts.map(({ sample }) =>
      sample?.choices.find((choices) => choices.title === title),
    );
    const names = accounts.length === 1 ? ["score"] : accounts.map(({ name }) => name);
    const together = told.every((one) => one && same(asked(one), asked(told[0])));
    const parts = together
      ? scored(told, names)
      : sides(
          accounts,
          told.map((one) => one && scored([one], ["score"])),
        );
    return el("section", { class: "turn" }, el("h4", {}, `choices: ${title}`), parts);
  };

  const allChoices = (accounts) => {
    const titles = accounts.flatMap(
      ({ sample }) => sample?.choices.map(({ title }) => title) ?? [],
    );
    return [...new Set(titles)].map((title) => choices(accounts, title));
  };

  const list = (pairs) => {
    const made = el("dl", { class: "pairs" });
    for (const [name, pieces] of pairs) {
      made.append(el("dt", { dir: "auto" }, name), el("dd", {}, text(pieces, "plain", name)));
    }
    return made;
  };

  const findings = (accounts) => {
    if (!accounts.some(({ sample }) => sample?.findings.length)) return null;
    const told = accounts.map(({ sample }) => sample?.findings.length && list(sample.findings));
    return el("section", { class: "turn" }, el("h4", {}, "also found"), sides(accounts, told));
  };

  const facts = (board, accounts, columns) => {
    const outcomes = accounts.map((account) => outcome(board, account));
    const made = el("div", { class: "short" }, sides(accounts, outcomes));
    const target = accounts.map(({ sample }) => sample?.target).find(Boolean);
    if (target) {
      made.append(el("div", {}, label("target"), text(target, "target", "target")));
    }
    if (columns?.length) {
      const summary = el("summary", {}, "the document as the task has it");
      made.append(el("details", {}, summary, list(columns)));
    }
    return made;
  };

  selfcheck.dialogue = (board, task, scores, columns, accounts, at) => {
    const head = [facts(board, accounts, columns), metrics(accounts, scores, task, at)];
    const parts = [
      el("div", { class: "head" }, ...head),
      legend(accounts),
      ...conversation(accounts),
      ...allChoices(accounts),
      findings(accounts),
    ];
    return el("div", { class: accounts.length === 2 ? "body two" : "body" }, ...parts);
  };

  // Long texts open where the first change is; once they are part of the page.
  selfcheck.dialogue.settle = (body) => {
    for (const box of body.querySelectorAll(".long")) {
      const mark = box.querySelector("del, ins, mark");
      if (mark) box.scrollTop = mark.offsetTop - box.clientHeight / 3;
    }
  };
}
