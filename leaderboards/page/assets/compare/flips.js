"use strict";
// What two models differ by on one task: which documents, and the sentence that sums them up.

{
  const { el } = selfcheck;
  const NOISE = 1e-9; // sums of the same numbers in another order

  // How two values of a document stand to each other: "same", "apart", or "first" or "second" where
  // it applies to one of them only. Null: to neither.
  const stand = (a, b) => {
    if (a === null && b === null) return null;
    if (b === null) return "first";
    if (a === null) return "second";
    return Math.abs(b - a) > NOISE ? "apart" : "same";
  };

  // What two models have of every document, by the metric that tells documents apart. Null: one
  // has no scores.
  const pairs = (scores, a, b) => {
    const place = scores.metrics.indexOf(scores.by);
    const [left, right] = [a, b].map((model) => scores.values[model]?.[place] ?? null);
    if (!left || !right) return null;
    return scores.hashes.map((hash, at) => {
      const [mine, theirs] = [left[at], right[at]];
      const stands = stand(mine, theirs);
      return { at, hash, a: mine, b: theirs, stands, difference: theirs - mine };
    });
  };

  const isFlipped = ({ stands }) => stands !== null && stands !== "same";
  const isLone = ({ stands }) => stands === "first" || stands === "second";

  // The flipped ones: the largest differences first, those that apply to one only last.
  const flipped = (all) =>
    all
      .filter(isFlipped)
      .sort(
        (x, y) =>
          isLone(x) - isLone(y) ||
          (!isLone(x) && Math.abs(y.difference) - Math.abs(x.difference)) ||
          (x.hash < y.hash ? -1 : 1),
      );

  // How many documents are what: `both` are those to which the metric applies in both models.
  const count = (all) => {
    const of = (...kinds) => all.filter(({ stands }) => kinds.includes(stands));
    const [apart, both] = [of("apart"), of("apart", "same")];
    const higher = apart.filter(({ difference }) => difference > 0).length;
    const sum = both.reduce((total, { difference }) => total + difference, 0);
    return {
      both: both.length,
      apart: apart.length,
      higher,
      lower: apart.length - higher,
      mean: both.length ? sum / both.length : null,
      lone: [of("first").length, of("second").length],
    };
  };

  // "applies only in A: 2, only in B: 1"; empty if it applies in both or in none.
  const loneWords = ([first, second]) =>
    first + second ? `applies only in A: ${first}, only in B: ${second}` : "";

  const VERDICTS = {
    better: "better than the base",
    worse: "worse than the base",
    higher: "higher than the base",
    lower: "lower than the base",
    none: "no difference from the base is shown",
  };

  const minus = (board, one, other) => {
    const [left, right] = [one, other].map((model) => selfcheck.name(board.models[model].name));
    return [left, " minus ", right];
  };

  const NOT_PAIRED = "unpaired, from the two intervals alone";

  // What the board says of a metric of model and base.
  const quoted = (board, { a, b, task }, metric) => {
    const model = board.base === a ? b : a;
    const line = board.line(model, task, metric);
    const isTested = line && line.delta !== null && (line.change !== null || line.paired === false);
    if (!isTested) return ["The board has no test of ", el("code", {}, metric), " here."];
    const p = line.adjusted_p === null || line.adjusted_p < 0.001 ? "" : "= ";
    const verdict =
      line.change === null
        ? el("strong", {}, NOT_PAIRED)
        : el("strong", { class: `verdict-${line.change}` }, VERDICTS[line.change]);
    return [
      "The board's test of ",
      el("code", {}, metric),
      ": ",
      ...minus(board, model, board.base),
      ` (the base; ${model === b ? "B minus A" : "A minus B"} here): `,
      el("strong", {}, selfcheck.signed(line.delta)),
      line.delta_n === null ? "" : ` over ${selfcheck.count(line.delta_n, "document")}`,
      `, adjusted p ${p}${selfcheck.p(line.adjusted_p)}: `,
      verdict,
      ".",
    ];
  };

  // The board's own tests, where one of the two is the base; p values are not made here.
  const tested = (board, chosen, metrics) => {
    if (chosen.a === chosen.b || ![chosen.a, chosen.b].includes(board.base)) {
      const compare = selfcheck.command("selfcheck", "compare", "A", "B");
      return [el("br"), "Not tested here: ", compare, " tests two runs."];
    }
    return metrics.flatMap((metric) => [el("br"), ...quoted(board, chosen, metric)]);
  };

  const summary = (board, chosen, scores, counts) => {
    const [a, b] = [chosen.a, chosen.b].map((model) => selfcheck.name(board.models[model].name));
    const { headline } = board.tasks[chosen.task];
    const isPart = headline !== null && headline !== scores.by;
    const lone = loneWords(counts.lone);
    return el(
      "p",
      { class: "summary" },
      a,
      " and ",
      b,
      " differ by ",
      el("code", {}, scores.by),
      ...(isPart ? [", a part of ", el("code", {}, headline), ","] : []),
      " on ",
      el("strong", {}, `${counts.apart} of ${selfcheck.count(counts.both, "document")}`),
      counts.both === scores.hashes.length ? "" : " to which it applies in both",
      `: ${counts.higher} higher in `,
      b.cloneNode(true),
      `, ${counts.lower} lower. `,
      lone && `It ${lone}. `,
      "Mean difference, ",
      ...minus(board, chosen.b, chosen.a),
      ": ",
      el("strong", {}, selfcheck.signed(counts.mean)),
      ".",
      ...tested(board, chosen, isPart ? [scores.by, headline] : [scores.by]),
    );
  };

  // How many documents fell, stayed and rose, as one bar; the words beside it say the same.
  const bar = ({ both, apart, lower, higher }) => {
    const parts = { lower, same: both - apart, higher };
    const made = el("div", { class: "flips", "aria-hidden": "true" });
    for (const [kind, number] of Object.entries(parts)) {
      if (number === 0) continue;
      const part = el("span", { class: `bit ${kind}` }, `${number} ${kind}`);
      part.style.flexGrow = number;
      made.append(part);
    }
    return made;
  };

  selfcheck.flips = { pairs, isFlipped, flipped, count, loneWords, summary, bar };
}
