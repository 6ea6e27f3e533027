"use strict";
// What figures are made of: texts that fit, marks, intervals, scales, keys, words.

{
  const { el, plots } = selfcheck;

  // Texts

  const pen = document.createElement("canvas").getContext("2d");
  const widths = new Map();
  const letters =
    "Segmenter" in Intl
      ? (
          (cut) => (text) =>
            Array.from(cut.segment(text), (part) => part.segment)
        )(new Intl.Segmenter(undefined, { granularity: "grapheme" }))
      : Array.from;

  // Widths are measured in the font of a drawing, and kept as long as it stays the same.
  plots.usePen = (svg) => {
    const { fontSize, fontFamily } = getComputedStyle(svg);
    const before = pen.font;
    pen.font = `${fontSize} ${fontFamily}`;
    if (pen.font !== before) widths.clear();
  };

  plots.measure = (text) => {
    if (!widths.has(text)) widths.set(text, pen.measureText(text).width);
    return widths.get(text);
  };

  // A name keeps its own direction, and turns nothing around it.
  plots.apart = (name) => `\u2068${name}\u2069`;

  const keepEnds = (all, number) =>
    all.slice(0, Math.ceil(number / 2)).join("") +
    "…" +
    all.slice(all.length - Math.floor(number / 2)).join("");

  // A text as it is, or without its middle: ends tell names apart more often than middles.
  plots.brief = (text, most) => {
    const all = letters(text);
    return all.length <= most ? text : keepEnds(all, most - 1);
  };

  plots.fit = (text, room) => {
    if (plots.measure(text) <= room) return text;
    const all = letters(text);
    const keep = (number) => keepEnds(all, number);
    let [few, many] = [0, all.length - 1];
    while (few < many) {
      const middle = Math.ceil((few + many) / 2);
      if (pen.measureText(keep(middle)).width <= room) few = middle;
      else many = middle - 1;
    }
    return keep(few);
  };

  // A name in the page, in full where the pointer rests on it.
  plots.name = (text, most) => {
    const told = plots.brief(text, most);
    return el("bdi", { title: told === text ? null : text }, told);
  };

  plots.text = (stage, x, y, kind, text) =>
    stage.append("text").attr("x", x).attr("y", y).attr("class", kind).text(text);

  // A name in a box that cuts off what towers above it, as piled accents do.
  plots.nameBox = (stage, box, name) => {
    const inside = stage.append("svg").attr("overflow", "hidden");
    for (const [side, value] of Object.entries(box)) inside.attr(side, value);
    const text = plots.apart(plots.fit(name, box.width - 2));
    plots.text(inside, 0, box.height / 2, "plot-name", text).attr("dy", "0.35em");
    inside.append("title").text(name);
    return inside;
  };

  // Marks

  const DOWN = {
    draw: (path, size) => {
      const side = Math.sqrt(size / (Math.sqrt(3) * 3));
      path.moveTo(0, side * 2);
      path.lineTo(-Math.sqrt(3) * side, -side);
      path.lineTo(Math.sqrt(3) * side, -side);
      path.closePath();
    },
  };
  const SHAPES = {
    circle: [d3.symbolCircle, 52],
    diamond: [d3.symbolDiamond, 62],
    square: [d3.symbolSquare, 46],
    cross: [d3.symbolCross, 46],
    times: [d3.symbolTimes, 44],
    star: [d3.symbolStar, 46],
    up: [d3.symbolTriangle, 44],
    down: [DOWN, 44],
  };
  const CHANGED = ["better", "worse", "higher", "lower"];

  plots.shapes = ["circle", "square", "up", "down", "star", "cross"];

  plots.mark = (stage, x, y, shape, kind) => {
    const [type, size] = SHAPES[shape];
    const path = stage.append("path").attr("class", `mark ${kind}`);
    return path.attr("d", d3.symbol(type, size)()).attr("transform", `translate(${x},${y})`);
  };

  // A change that the paired test supports; "none" for any other.
  plots.change = (line) => (line && CHANGED.includes(line.change) ? line.change : "none");

  // Up where it is higher than the base, down where lower, whichever is better; a circle for none.
  plots.shapeOf = (line) =>
    plots.change(line) === "none" ? "circle" : line.delta < 0 ? "down" : "up";

  plots.arrow = (stage, x, y, change, shape) => {
    if (change === "none") return;
    const up = shape === "up" ? 1 : -1;
    const path = `M${x - 4.5},${y + 4 * up}h9l-4.5,${-8 * up}z`;
    stage.append("path").attr("class", `arrow ${change}`).attr("d", path);
  };

  // An interval, with caps: `along` is the scale it lies on, `at` its place across.
  plots.whisker = (stage, line, along, at, { upright = false, cap = 3, kind = "" } = {}) => {
    if (line.low === null || line.high === null) return;
    const [low, high] = [along(line.low), along(line.high)];
    const ends = cap ? [low, high] : [];
    const path = upright
      ? `M${at},${low}V${high}` + ends.map((y) => `M${at - cap},${y}h${2 * cap}`).join("")
      : `M${low},${at}H${high}` + ends.map((x) => `M${x},${at - cap}v${2 * cap}`).join("");
    stage.append("path").attr("class", `whisker ${kind}`).attr("d", path);
  };

  // Scales

  const reach = (lines, more) =>
    d3.extent(
      [...more, ...lines.flatMap((line) => [line.value, line.low, line.high])].filter(
        (value) => value !== null && value !== undefined,
      ),
    );

  plots.isShare = (lines) => lines.every((line) => Math.abs(line.value) <= 1);

  // From 0, so that lengths can be compared; no further than the data, and shares never past 1.
  plots.domain = (lines, more = []) => {
    const [low = 0, high = 0] = reach(lines, more);
    const [from, to] = [Math.min(0, low), Math.max(0, high)];
    const whole = d3
      .scaleLinear()
      .domain([from, to === from ? 1 : to])
      .nice(5)
      .domain();
    const most = Math.max(Math.abs(low), Math.abs(high)) <= 1 ? 1 : Infinity;
    return [Math.max(whole[0], -most), Math.min(whole[1], most)];
  };

  plots.ticks = (scale, room, apart = 64) => {
    const [from, to] = scale.domain();
    const number = Math.max(2, Math.min(5, Math.floor(room / apart)));
    const ticks =
      from === 0 && to === 1 && number > 3 ? [0, 0.25, 0.5, 0.75, 1] : scale.ticks(number);
    const few = from === 0 && to === 1 && number <= 3 ? [0, 0.5, 1] : ticks;
    const step = few.length > 1 ? few[1] - few[0] : 1;
    const told =
      step >= 1 ? d3.format(",") : d3.format(step < 0.1 || step % 0.1 > 0.01 ? ".2f" : ".1f");
    return few.map((value) => [
      value,
      value === 0 ? "0" : value === 1 && to === 1 ? "1" : told(value),
    ]);
  };

  // Keys

  // With an arrow: what stands at a mark of the kind, as it does in rows.
  const swatch = ({ shape, kind, arrow, line, band }) => {
    const svg = d3
      .create("svg:svg")
      .attr("width", arrow ? 32 : 22)
      .attr("height", 16);
    svg.attr("aria-hidden", "true");
    if (band) svg.append("path").attr("class", band).attr("d", "M0,3h22v10h-22z");
    if (line) svg.append("path").attr("class", line).attr("d", "M0,8h22");
    if (shape) plots.mark(svg, 11, 8, shape, kind);
    if (arrow) plots.arrow(svg, 25, 8, kind, arrow);
    return svg.node();
  };

  plots.key = (items) =>
    el(
      "ul",
      { class: "plot-key" },
      ...items.map(([drawn, text]) => el("li", {}, swatch(drawn), plots.name(text, 64))),
    );

  const CHANGES = [
    ["better", "up", "better than the base"],
    ["better", "down", "lower, and better than the base"],
    ["worse", "down", "worse than the base"],
    ["worse", "up", "higher, and worse than the base"],
    ["higher", "up", "higher"],
    ["lower", "down", "lower"],
    ["none", "circle", "no supported change"],
  ];

  // The changes that a board has: [what it is drawn as, text], as keys have them.
  plots.changes = (board, drawn) => {
    const has = (kind, shape) =>
      kind === "none" ||
      board.lines.some((line) => line.change === kind && plots.shapeOf(line) === shape);
    const some = CHANGES.filter(([kind, shape]) => has(kind, shape));
    return some.map(([kind, shape, text]) => [drawn(kind, shape), text]);
  };

  // What is said of a line

  plots.number = (value) => selfcheck.number(value).replace("-", "−");

  plots.heads = ["value", "95% interval", "n", "delta", "adjusted p"];

  plots.cells = (line) => {
    if (line === null) return ["no value", "–", "–", "–", "–"];
    const { number, interval, signed, p } = selfcheck;
    const told = [number(line.value), interval(line.low, line.high), String(line.n)];
    const how = line.paired === false ? " unpaired" : "";
    const tested = [signed(line.delta), p(line.adjusted_p)];
    return [...told, ...tested.map((text) => (text === "–" ? text : text + how))];
  };

  // The same for a number that is drawn as a line across.
  plots.chanceCells = (value) => [plots.number(value), "–", "–", "–", "–"];

  plots.told = (name, line) => {
    if (line === null) return `${plots.apart(name)}: no value`;
    const [value, interval, n, delta, p] = plots.cells(line);
    const first = `${plots.apart(name)}: ${value}, 95% interval ${interval}, n ${n}`;
    const tested = line.delta === null ? "" : `\ndelta ${delta}, adjusted p ${p}`;
    return first + tested + (plots.change(line) === "none" ? "" : `: ${line.change}`);
  };
}
