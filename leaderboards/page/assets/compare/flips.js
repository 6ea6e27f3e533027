"use strict";
// What two models differ by on one task: which documents, and the sentence that sums them up.

{
  const { el } = selfcheck;
  const NOISE = 1e-9; // sums of the same numbers in another order

  // The documents to which the headline metric applies in both models. Null: one has no scores.
  const pairs = (scores, a, b) => {
    const place = scores.metrics.indexOf(scores.headline);
    const [left, right] = [a, b].map((model) => scores.values[model]?.[place] ?? null);
    if (!left || !right) return null;
    return scores.hashes
      .map((hash, at) => ({ at, hash, a: left[at], b: right[at] }))
      .filter((pair) => pair.a !== null && pair.b !== null)
      .map((pair) => ({ ...pair, difference: pair.b - pair.a }));
  };

  const flipped = (both) =>
    both
      .filter(({ difference }) => Math.abs(difference) > NOISE)
      .sort(
        (x, y) => Math.abs(y.difference) - Math.abs(x.difference) || (x.hash < y.hash ? -1 : 1),
      );

  const VERDICTS = {
    better: "better than the base",
    worse: "worse than the base",
    higher: "higher than the base",
    lower: "lower than the base",
    none: "no difference from the base is shown",
  };

  // What the board's own test says, where one of the two is the base; p values are not made here.
  const tested = (board, { a, b, task }, metric) => {
    const apart = [
      "Not tested here: ",
      selfcheck.command("selfcheck", "compare", "A", "B"),
      " tests two runs.",
    ];
    if (board.base !== a && board.base !== b) return apart;
    const model = board.base === a ? b : a;
    const line = board.line(model, task, metric);
    if (!line || line.change === null || line.delta === null) return apart;
    const [name, base] = [board.models[model].name, board.models[board.base].name];
    const p = line.adjusted_p === null || line.adjusted_p < 0.001 ? "" : "= ";
    return [
      "The board's test: ",
      selfcheck.name(name),
      " minus ",
      selfcheck.name(base),
      " (the base): ",
      el("strong", {}, selfcheck.signed(line.delta)),
      ` over ${selfcheck.count(line.delta_n, "document")}, adjusted p ${p}`,
      `${selfcheck.p(line.adjusted_p)}: `,
      el("strong", { class: `verdict-${line.change}` }, VERDICTS[line.change]),
      ".",
    ];
  };

  const summary = (board, chosen, scores, both, flips) => {
    const [a, b] = [chosen.a, chosen.b].map((model) => selfcheck.name(board.models[model].name));
    const higher = flips.filter(({ difference }) => difference > 0).length;
    const mean = both.reduce((sum, { difference }) => sum + difference, 0) / both.length;
    const applies = both.length === scores.hashes.length ? "" : " to which it applies in both";
    const differ = [
      el("strong", {}, `${flips.length} of ${selfcheck.count(both.length, "document")}`),
      `${applies} by `,
      el("code", {}, scores.headline),
      `: ${higher} higher in `,
      b.cloneNode(true),
      `, ${flips.length - higher} lower. `,
      "Mean difference ",
      el("strong", {}, selfcheck.signed(mean)),
      ".",
    ];
    return el(
      "p",
      { class: "summary" },
      a,
      " and ",
      b,
      " differ on ",
      ...differ,
      el("br"),
      ...tested(board, chosen, scores.headline),
    );
  };

  // How many documents fell, stayed and rose, as one bar; the words beside it say the same.
  const bar = (both, flips) => {
    const higher = flips.filter(({ difference }) => difference > 0).length;
    const parts = [
      ["lower", flips.length - higher],
      ["same", both.length - flips.length],
      ["higher", higher],
    ];
    const made = el("div", { class: "flips", "aria-hidden": "true" });
    for (const [kind, number] of parts) {
      if (number === 0) continue;
      const part = el("span", { class: `bit ${kind}` }, `${number} ${kind}`);
      part.style.flexGrow = number;
      made.append(part);
    }
    return made;
  };

  selfcheck.flips = { pairs, flipped, summary, bar };
}
