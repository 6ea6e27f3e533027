"use strict";
// Which of a task's documents the reader lists: by words, by verdict, by what could be read.

{
  const READABLE = [
    ["all", () => true],
    ["readable", (told) => told === true],
    ["not readable", (told) => told === false],
    ["does not apply", (told) => told === null],
  ];
  const { folded } = selfcheck;

  // What was there to be read: not what a prompt lost, and not our note that a text is cut.
  const unmarked = (pieces) =>
    (pieces ?? []).map(([kind, text]) => (kind === "gone" || kind === "cut" ? "" : text)).join("");

  // What a search looks through, folded; made once, when it is first looked for. Prompts are left
  // out: they are templates, the same for every document.
  const texts = new WeakMap();
  const remembered = (of, list) => {
    if (!of) return "";
    if (!texts.has(of)) texts.set(of, folded(list(of).map(unmarked).join("\n")));
    return texts.get(of);
  };
  const sampleText = ({ target, turns, choices, findings }) => [
    target,
    ...turns.flatMap(({ answer, read, fault }) => [answer, read, [["", fault ?? ""]]]),
    ...choices.flatMap(({ rows }) => rows.map(([of]) => of)),
    ...findings.map(([, pieces]) => pieces),
  ];
  const textOf = (sample) => remembered(sample, sampleText);
  const columnsOf = (columns) => remembered(columns, (all) => all.map(([, pieces]) => pieces));

  const NO_VERDICT = "no verdict";
  const verdictOf = (sample) => (sample ? sample.verdict || NO_VERDICT : "no sample");

  // Verdict -> how many, in the order in which the board lists them; what it does not list is last.
  const tally = (samples, order) => {
    const counts = new Map();
    for (const verdict of samples.map(verdictOf)) {
      counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
    }
    const place = (verdict) => (order.includes(verdict) ? order.indexOf(verdict) : order.length);
    return new Map([...counts].sort(([a], [b]) => place(a) - place(b) || (a < b ? -1 : 1)));
  };

  // Whether two models differ on a document; they do on none if one has no scores.
  const isFlipped = (pairs, at) => pairs !== null && selfcheck.flips.isFlipped(pairs[at]);

  class Filters {
    // `order` are the verdicts as they are listed.
    constructor(controls, order) {
      this.controls = controls;
      this.order = order;
      this.verdicts = [null]; // as the <select> lists them; null: all
    }

    listen(changed) {
      const { search, verdict, readable, flipped } = this.controls;
      for (const control of [verdict, readable, flipped])
        control.addEventListener("change", changed);
      let waiting = 0;
      search.addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(changed, 120);
      });
    }

    reset() {
      const { search, verdict, readable, flipped } = this.controls;
      search.value = "";
      verdict.value = readable.value = 0;
      flipped.checked = false;
    }

    // Offers what occurs, with how often; what was chosen before stays so where it still occurs.
    fill({ samples, paired }) {
      const { verdict, readable, flipped } = this.controls;
      const before = this.verdicts[verdict.value] ?? null;
      const counts = tally(samples, this.order);
      this.verdicts = [null, ...counts.keys()];
      const told = [...counts].map(([name, number]) => `${name} (${number})`);
      const chosen = Math.max(0, this.verdicts.indexOf(before));
      selfcheck.fill(verdict, [`all (${samples.length})`, ...told], chosen);
      const offered = READABLE.map(([name, matches]) => {
        const number = samples.filter((sample) => matches(sample?.readable ?? null)).length;
        return `${name} (${number})`;
      });
      selfcheck.fill(readable, offered, Number(readable.value) || 0);
      flipped.disabled = !paired;
      if (!paired) flipped.checked = false;
    }

    // The places of the documents to list.
    choose(found) {
      const { samples, others, scores, documents, pairs } = found;
      const { search, verdict, readable, flipped } = this.controls;
      const words = folded(search.value.trim());
      const wanted = this.verdicts[verdict.value] ?? null;
      const [, fits] = READABLE[readable.value];
      const has = (at) =>
        [
          folded(scores.excerpts[at]),
          columnsOf(documents?.[at]),
          textOf(samples[at]),
          textOf(others?.[at]),
        ].some((text) => text.includes(words));
      return [...samples.keys()].filter(
        (at) =>
          (wanted === null || verdictOf(samples[at]) === wanted) &&
          fits(samples[at]?.readable ?? null) &&
          (!flipped.checked || isFlipped(pairs, at)) &&
          (words === "" || has(at)),
      );
    }
  }

  Object.assign(selfcheck, { Filters, verdictOf, isFlipped });
}
