"use strict";
// Which of a task's documents the reader lists: by words, by verdict, by what could be read.

{
  const NOISE = 1e-9; // sums of the same numbers in another order
  const READABLE = [
    ["all", () => true],
    ["readable", (told) => told === true],
    ["not readable", (told) => told === false],
    ["does not apply", (told) => told === null],
  ];
  const folded = (text) => text.normalize("NFKC").toLowerCase();

  // What was there to be read: not what a prompt lost, and not our note that a text is cut.
  const unmarked = (pieces) =>
    (pieces ?? []).map(([kind, text]) => (kind === "gone" || kind === "cut" ? "" : text)).join("");

  // All that a search looks through in a sample; made once, when it is first looked for.
  const texts = new WeakMap();
  const textOf = (sample) => {
    if (!sample) return "";
    if (!texts.has(sample)) {
      const turns = sample.turns.flatMap(({ prompt, answer, read }) => [prompt, answer, read]);
      const choices = sample.choices.flatMap(({ prompt, rows }) => [
        prompt,
        ...rows.map(([of]) => of),
      ]);
      const findings = sample.findings.map(([, pieces]) => pieces);
      texts.set(sample, folded([...turns, ...choices, ...findings].map(unmarked).join("\n")));
    }
    return texts.get(sample);
  };

  // Whether the two models' headline metric differs on a document, or applies to one of them only.
  const differ = ({ values, against }, at) => {
    const [mine, theirs] = [values?.[at] ?? null, against?.[at] ?? null];
    if (mine === null || theirs === null) return mine !== theirs;
    return Math.abs(mine - theirs) > NOISE;
  };

  const tally = (samples) => {
    const counts = new Map();
    for (const sample of samples) {
      if (sample) counts.set(sample.verdict, (counts.get(sample.verdict) ?? 0) + 1);
    }
    return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  };

  class Filters {
    constructor(controls) {
      this.controls = controls;
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
      const counts = tally(samples);
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
      const { samples, others, scores } = found;
      const { search, verdict, readable, flipped } = this.controls;
      const words = folded(search.value.trim());
      const wanted = this.verdicts[verdict.value] ?? null;
      const [, fits] = READABLE[readable.value];
      const has = (at) =>
        [folded(scores.excerpts[at]), textOf(samples[at]), textOf(others?.[at])].some((text) =>
          text.includes(words),
        );
      return [...samples.keys()].filter(
        (at) =>
          (wanted === null || samples[at]?.verdict === wanted) &&
          fits(samples[at]?.readable ?? null) &&
          (!flipped.checked || differ(found, at)) &&
          (words === "" || has(at)),
      );
    }
  }

  Object.assign(selfcheck, { Filters, differ });
}
