"use strict";
// Figures of points in a square, above or below its diagonal.

{
  const { plots } = selfcheck;
  const SPARSE = 10; // of no more points than these all have their names, if there is room
  const DENSE = 80; // of more points than these, intervals and numbers would hide the points
  const AT = { left: 34, top: 20, right: 10, bottom: 38 };

  // Labels

  const meets = (one, other) =>
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height;

  const boxesAround = ({ x, y }, width) => {
    const [far, height] = [7, 13];
    const middle = x - width / 2;
    return [
      { x: x + far, y: y - height / 2 },
      { x: x - far - width, y: y - height / 2 },
      { x: middle, y: y - far - height },
      { x: middle, y: y + far },
      { x: x + far - 2, y: y - far - height + 3 },
      { x: x - far + 2 - width, y: y - far - height + 3 },
      { x: x + far - 2, y: y + far - 3 },
      { x: x - far + 2 - width, y: y + far - 3 },
    ].map((corner) => ({ ...corner, width, height }));
  };

  const around = ({ x, y }) => ({ x: x - 5, y: y - 5, width: 10, height: 10 });

  // Puts the texts where they meet nothing, and leaves out those that would.
  const placeTexts = (points, area, textOf) => {
    const taken = points.map(around);
    const fits = (box) =>
      box.x >= area.x &&
      box.y >= area.y &&
      box.x + box.width <= area.x + area.width &&
      box.y + box.height <= area.y + area.height &&
      !taken.some((other) => meets(box, other));
    return points.flatMap((point) => {
      const text = textOf(point);
      const box = text && boxesAround(point, plots.measure(text) + 2).find(fits);
      if (box) taken.push(box);
      return box ? [{ text, box }] : [];
    });
  };

  // All names or all numbers: a mixture would have to be read twice.
  const drawLabels = (stage, points, area) => {
    const few = points.length <= SPARSE;
    const names = few ? placeTexts(points, area, ({ label }) => label) : [];
    const all = few && names.length === points.length;
    const labels = all ? names : placeTexts(points, area, ({ number }) => number);
    for (const { text, box } of labels) {
      const label = plots.text(stage, box.x + box.width / 2, box.y + 10, "label middle", text);
      label.attr("aria-hidden", "true");
    }
  };

  // The square

  const sideOf = (width) => Math.min(width, 460) - AT.left - AT.right;

  const drawTicks = (stage, x, y, side) => {
    const ticks = plots.ticks(x, side, 42);
    const down = ticks.map(([value]) => `M${x(value)},${AT.top}v${side}`);
    const across = ticks.map(([value]) => `M${AT.left},${y(value)}h${side}`);
    stage
      .append("path")
      .attr("class", "grid")
      .attr("d", [...down, ...across].join(""));
    for (const [value, text] of ticks) {
      plots.text(stage, x(value), AT.top + side + 15, "tick middle", text);
      plots.text(stage, AT.left - 6, y(value) + 4, "tick end", text);
    }
  };

  const drawSquare = (stage, { x, y, side }, figure) => {
    drawTicks(stage, x, y, side);
    const [low, high] = x.domain();
    const diagonal = `M${x(low)},${y(low)}L${x(high)},${y(high)}`;
    stage.append("path").attr("class", "diagonal").attr("d", diagonal);
    const zero = low < 0 ? `M${x(0)},${AT.top}v${side}M${AT.left},${y(0)}h${side}` : "";
    stage.append("path").attr("class", "zero").attr("d", zero);
    const across = plots.apart(plots.fit(figure.across, side - 20));
    plots.text(stage, AT.left + side, AT.top + side + 32, "axis end", `${across} →`);
    plots.text(stage, 0, 11, "axis", `↑ ${plots.apart(plots.fit(figure.up, side * 0.6))}`);
    plots.text(stage, AT.left + side, 11, "tick end", figure.above);
  };

  const drawPoint = (stage, { x, y }, point, dense) => {
    const inside = stage.append("g").attr("class", "point");
    inside.append("title").text(point.told);
    const [across, up] = [x(point.x.value), y(point.y.value)];
    if (!dense) {
      plots.whisker(inside, point.x, x, up, { cap: 0, kind: "thin" });
      plots.whisker(inside, point.y, y, across, { cap: 0, upright: true, kind: "thin" });
    }
    inside.append("circle").attr("class", "area").attr("cx", across).attr("cy", up).attr("r", 9);
    plots.mark(inside, across, up, point.shape, point.kind);
  };

  plots.isDense = (points) => points.length > DENSE;

  // `points` are {x, y: lines, shape, kind, label, number, told}; `across` and `up` name the axes,
  // and `above` says what it means to lie above the diagonal.
  plots.squareFigure = ({ points, domain, across, up, above, ...figure }) => ({
    ...figure,
    height: (width) => sideOf(width) + AT.top + AT.bottom,
    draw: (stage, width) => {
      const side = sideOf(width);
      const x = d3
        .scaleLinear()
        .domain(domain)
        .range([AT.left, AT.left + side]);
      const y = d3
        .scaleLinear()
        .domain(domain)
        .range([AT.top + side, AT.top]);
      drawSquare(stage, { x, y, side }, { across, up, above });
      const dense = plots.isDense(points);
      stage.classed("dense", dense);
      const isLast = ({ shape }) => shape === "diamond"; // the base, seen above all others
      const order = d3.sort(points, isLast);
      for (const point of order) drawPoint(stage, { x, y }, point, dense);
      if (dense) return;
      const seen = points.map((point) => ({ ...point, x: x(point.x.value), y: y(point.y.value) }));
      drawLabels(stage, seen, { x: AT.left, y: AT.top, width: side, height: side });
    },
  });
}
