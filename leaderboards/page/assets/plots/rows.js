"use strict";
// Figures with a row per model: its name, marks with intervals on one axis, and its numbers.

{
  const { plots } = selfcheck;
  const NARROW = 460; // below it a name stands above its row instead of beside it
  const LONG = 25; // more rows than this have the axis above them, too
  const FOOT = 24;

  // Rows

  const pitchOf = (width, lanes) => (width < NARROW ? 40 : 22) + (lanes - 1) * 9;
  const headOf = (width, rows) => 22 + (width < NARROW ? 14 : 0) + (rows > LONG ? 14 : 0);
  const heightOf = (width, rows, lanes) =>
    headOf(width, rows) + rows * pitchOf(width, lanes) + FOOT;

  const layout = (width, names, lanes) => {
    const narrow = width < NARROW;
    const longest = Math.max(...names.map(plots.measure)) + 14;
    const label = narrow ? width - 128 : Math.min(0.36 * width, longest);
    const [left, right] = narrow ? [14, width - 14] : [label + 7, width - 136];
    const [top, pitch] = [headOf(width, names.length), pitchOf(width, lanes)];
    return { narrow, label, left, right, width, top, pitch, bottom: top + names.length * pitch };
  };

  // Where the parts of a row stand; `line` is the height of its marks.
  const placeOf = (at, row) => {
    const top = at.top + row * at.pitch;
    const middle = top + at.pitch / 2;
    return at.narrow
      ? { top, text: top + 11, line: top + 18 + (at.pitch - 18) / 2 }
      : { top, text: middle, line: middle };
  };

  const axisNumbers = (stage, x, ticks, y) => {
    for (const [value, text] of ticks) plots.text(stage, x(value), y, "tick middle", text);
  };

  // A line across the rows; where names stand above the marks, it leaves out the names.
  const upright = (at, x, rows) =>
    at.narrow
      ? d3
          .range(rows)
          .map((row) => `M${x},${at.top + row * at.pitch + 19}v${at.pitch - 19}`)
          .join("")
      : `M${x},${at.top - 3}V${at.bottom + 2}`;

  const drawAxis = (stage, x, at, rows) => {
    const ticks = plots.ticks(x, at.right - at.left);
    const path = ticks.map(([value]) => upright(at, x(value), rows)).join("");
    stage.append("path").attr("class", "grid").attr("d", path);
    axisNumbers(stage, x, ticks, at.bottom + 16);
    if (rows > LONG) axisNumbers(stage, x, ticks, at.top - 6);
    const zero = x.domain()[0] < 0 ? upright(at, x(0), rows) : "";
    stage.append("path").attr("class", "zero").attr("d", zero);
  };

  // Lines across all rows, named above them; two names stand away from each other.
  const drawReferences = (stage, x, at, references, rows) => {
    const some = references.filter(({ value }) => value !== null && value !== undefined);
    some.sort((one, other) => one.value - other.value);
    for (const [place, { value, kind, text }] of some.entries()) {
      const side = some.length === 1 ? "middle" : place === 0 ? "end" : "start";
      const path = upright(at, x(value), rows);
      stage.append("path").attr("class", `reference ${kind}`).attr("d", path);
      const away = { middle: 0, end: -4, start: 4 }[side];
      const half = plots.measure(text) / 2;
      const near =
        side === "middle" ? Math.min(Math.max(x(value), half), at.right - half) : x(value);
      plots.text(stage, near + away, 10, `tick ${side}`, text);
    }
  };

  const drawHeads = (stage, at) => {
    const y = at.narrow ? 24 : 10; // the names of reference lines need the whole width
    plots.text(stage, at.width - 50, y, "tick end", "value");
    plots.text(stage, at.width, y, "tick end", "n");
  };

  const drawNumbers = (stage, at, place, { line, change }) => {
    const y = place.text;
    plots.arrow(stage, at.width - 108, y, change, plots.shapeOf(line));
    const value = plots.text(stage, at.width - 50, y, "number end", plots.number(line.value));
    const number = plots.text(stage, at.width, y, "number end quiet", line.n);
    for (const text of [value, number]) text.attr("dy", "0.35em");
  };

  const drawMarks = (stage, x, at, place, marks) => {
    for (const [lane, { line, shape, kind }] of marks.entries()) {
      if (!line) continue;
      const y = place.line + (lane - (marks.length - 1) / 2) * 9;
      plots.whisker(stage, line, x, y, { kind });
      plots.mark(stage, x(line.value), y, shape, kind);
    }
  };

  const drawNothing = (stage, at, place) => {
    const x = at.narrow ? 0 : at.left + 2;
    plots.text(stage, x, place.line, "none", "no value").attr("dy", "0.35em");
  };

  const drawRow = (stage, x, at, number, row) => {
    const place = placeOf(at, number);
    const inside = stage.append("g").attr("class", row.base ? "row base" : "row");
    inside.append("title").text(row.told);
    const area = inside.append("rect").attr("class", "area").attr("x", 0).attr("y", place.top);
    area.attr("width", at.width).attr("height", at.pitch);
    const guide = `M${at.left},${place.line}H${at.right}`;
    inside.append("path").attr("class", "guide").attr("d", guide);
    const box = { x: 0, y: place.text - 10, width: at.label, height: 20 };
    plots.nameBox(inside, box, row.name);
    if (row.line) drawNumbers(inside, at, place, row);
    if (row.marks.some(({ line }) => line)) drawMarks(inside, x, at, place, row.marks);
    else drawNothing(inside, at, place);
  };

  // `drawn` are the rows: {name, base, told, line and change for its numbers, marks}. Marks lie in
  // as many `lanes`, one under the other. `references` are lines across all rows.
  plots.rowsFigure = ({ drawn, domain, references, lanes, ...figure }) => ({
    ...figure,
    height: (width) => heightOf(width, drawn.length, lanes),
    draw: (stage, width) => {
      const at = layout(
        width,
        drawn.map(({ name }) => name),
        lanes,
      );
      const x = d3.scaleLinear().domain(domain).range([at.left, at.right]);
      drawAxis(stage, x, at, drawn.length);
      drawReferences(stage, x, at, references, drawn.length);
      drawHeads(stage, at);
      for (const [number, row] of drawn.entries()) drawRow(stage, x, at, number, row);
    },
  });

  plots.baseFirst = (board) => {
    const all = board.models.map((_, model) => model);
    return board.base === null ? all : [board.base, ...all.filter((model) => model !== board.base)];
  };
}
